// What every page has: a theme, a way to be installed, words for what goes wrong.
import { expect, test } from './fixtures';

test.describe('without its program', () => {
  test.use({ mayComplain: [/Failed to (load resource|fetch)/] });

  test('a theme is chosen, and is there from the first moment on', async ({ server, person }) => {
    const ada = await person('theme');
    const background = () => ada.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await ada.button('Theme').click();
    await ada.button('Theme').click();
    await expect(ada.page.locator('html')).toHaveAttribute('data-theme', 'dark');
    expect(await background()).not.toBe(light);
    // Without the program too: what paints first is dark.
    await ada.page.route('**/*.wasm', (route) => route.abort());
    await ada.page.goto(server.url, { waitUntil: 'commit' });
    await expect(ada.page.getByRole('heading', { level: 1 })).toBeVisible();
    expect(await background()).not.toBe(light);
  });
});
