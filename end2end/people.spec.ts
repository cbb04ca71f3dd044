// Who is here, how well they are connected, and what keys do.
import { expect, made_up, test, turn } from './call';

test.use({ launchOptions: { ...made_up, args: [...made_up.args, '--use-fake-ui-for-media-stream'] } });

test('each link says how good it is, and the panel draws and lists them', async ({ server, join }) => {
  const url = `${server.url}/r/quality`;
  const [ada, ben, cleo] = [await join(url), await join(url), await join(url)];
  await Promise.all([ben.rename('Ben'), cleo.rename('Cleo')]);
  await ada.sees(2);
  const row = ada.row(await ben.id());
  await expect(row.getByRole('img', { name: /^Direct, / })).toBeVisible();
  await ada.button('Connection').click();
  const panel = ada.page.getByRole('region', { name: 'Connection', exact: true });
  await expect(panel.getByRole('img', { name: 'You and 2 others: 2 direct' })).toBeVisible();
  const table = panel.getByRole('table', { name: 'Links' });
  await expect(table.getByRole('row')).toHaveCount(3);
  await expect(table.getByRole('rowheader', { name: 'Ben' })).toBeVisible();
  await expect(table.getByRole('row', { name: /Cleo/ })).toContainText(/Direct.*ms.*connected/);
});

test('a person is written to from the list', async ({ server, join }) => {
  const url = `${server.url}/r/write`;
  const [ada, ben] = [await join(url), await join(url)];
  await ben.rename('Ben');
  await ada.sees(1);
  await ada.button('Write to Ben').click();
  await expect(ada.field).toBeFocused();
  await ada.page.keyboard.type('just you');
  await ada.page.keyboard.press('Enter');
  await expect(ben.messages).toContainText('direct, to you');
});

test('who speaks is marked on every page', async ({ server, join }) => {
  const url = `${server.url}/r/speaking`;
  const [ada, ben] = [await join(url), await join(url)];
  await ada.sees(1);
  await turn(ada, 'Microphone', true);
  // The made-up device beeps once a second.
  await expect(ben.row(await ada.id())).toContainText('speaking');
  await expect(ada.people.first()).toContainText('speaking');
  await turn(ada, 'Microphone', false);
  await expect(ben.row(await ada.id())).not.toContainText('speaking');
});

test('who comes and goes is said to those who don’t look', async ({ server, join }) => {
  const url = `${server.url}/r/news`;
  const ada = await join(url);
  const ben = await join(url);
  await ben.rename('Ben');
  await ada.sees(1);
  await expect(ada.page.getByRole('status').filter({ hasText: 'came in.' })).toHaveCount(1);
  await ben.page.close();
  await expect(ada.page.getByRole('status').filter({ hasText: '“Ben” has left.' })).toHaveCount(1);
});

test('single keys do what is done often, unless they are turned off', async ({ server, join }) => {
  const ada = await join(`${server.url}/r/keys`);
  const list = ada.page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await ada.page.keyboard.press('?');
  await expect(list.getByText('Write a message')).toBeVisible();
  await ada.page.keyboard.press('Escape');
  await expect(list).toBeHidden();
  await ada.page.keyboard.press('Shift+V');
  await expect(ada.button('Camera')).toHaveAttribute('aria-pressed', 'true');
  await ada.page.keyboard.press('/');
  await expect(ada.field).toBeFocused();
  // What is written is text.
  await ada.page.keyboard.type('v?');
  await expect(ada.field).toHaveValue('v?');
  await expect(list).toBeHidden();

  await ada.button('Keyboard shortcuts').click();
  await list.getByRole('checkbox', { name: 'Single-key shortcuts' }).uncheck();
  await ada.page.keyboard.press('Escape');
  await expect(ada.button('Keyboard shortcuts')).toBeFocused();
  await ada.page.keyboard.press('v');
  await ada.page.keyboard.press('?');
  await expect(list).toBeHidden();
  await expect(ada.button('Camera')).toHaveAttribute('aria-pressed', 'true');
  await ada.page.reload();
  await ada.connected();
  await ada.page.keyboard.press('?');
  await expect(list).toBeHidden();
});

test('sounds are off until somebody wants them', async ({ server, visitor }) => {
  const ada = await visitor();
  await ada.context.addInitScript(() => {
    const Native = AudioContext;
    Object.assign(window, { contexts: 0 });
    window.AudioContext = class extends Native {
      constructor() {
        super();
        (window as unknown as { contexts: number }).contexts += 1;
      }
    };
  });
  await ada.enter(`${server.url}/r/sounds`);
  const contexts = () => ada.page.evaluate(() => (window as unknown as { contexts: number }).contexts);
  await expect(ada.button('Sounds')).toHaveAttribute('aria-pressed', 'false');
  expect(await contexts()).toBe(0);
  await ada.button('Sounds').click();
  await expect(ada.button('Sounds')).toHaveAttribute('aria-pressed', 'true');
  expect(await contexts()).toBe(1);
  await ada.page.reload();
  await ada.connected();
  await expect(ada.button('Sounds')).toHaveAttribute('aria-pressed', 'true');
});
