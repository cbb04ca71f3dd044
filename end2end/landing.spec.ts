import { expect, test } from './fixtures';

test('a suggested room can be opened, with a working page behind it', async ({ server, visitor }) => {
  const ada = await visitor();
  await ada.page.goto(server.url);
  await expect(ada.page).toHaveTitle('converge');
  await expect(ada.page.getByRole('heading', { level: 1 })).toHaveText('Rooms where browsers talk directly.');
  const topic = await ada.page.getByRole('textbox', { name: 'Room', exact: true }).inputValue();
  expect(topic).toMatch(/^[a-z]+-[a-z]+-\d{3}$/);
  await ada.button('Open room').click();
  await expect(ada.page).toHaveURL(`${server.url}/r/${topic}`);
  await ada.connected();
  await expect(ada.page).toHaveTitle(`${topic} · converge`);
});

test('any name makes a room, whatever it holds', async ({ server, visitor }) => {
  const [ada, ben] = [await visitor(), await visitor()];
  const topic = 'Café / 50% #1? 🦊';
  await ada.page.goto(server.url);
  await ada.page.getByRole('textbox', { name: 'Room', exact: true }).fill(topic);
  await ada.button('Open room').click();
  await ada.connected();
  await expect(ada.page.getByRole('heading', { level: 1 })).toHaveText(topic);
  await ben.enter(ada.page.url());
  await expect(ben.page.getByRole('heading', { level: 1 })).toHaveText(topic);
  await ada.sees(1);
});

test('a room without a name is refused in words, and the next try works', async ({ server, visitor }) => {
  const ada = await visitor();
  await ada.page.goto(server.url);
  const field = ada.page.getByRole('textbox', { name: 'Room', exact: true });
  await field.fill('   ');
  await ada.button('Open room').click();
  await expect(ada.page.getByText('Give the room a name.')).toBeVisible();
  await field.fill('x'.repeat(200));
  await ada.button('Open room').click();
  await expect(ada.page.getByText('This name is too long')).toBeVisible();
  await field.fill('fine');
  await ada.button('Open room').click();
  await ada.connected();
});

test.describe('without JavaScript', () => {
  test.use({ mayComplain: [/was preloaded using link preload but not used/] });

  test('the form works and the room says what it needs', async ({ server, visitor }) => {
    const ada = await visitor({ javaScriptEnabled: false });
    await ada.page.goto(server.url);
    await ada.page.getByRole('textbox', { name: 'Room', exact: true }).fill('a room');
    await ada.button('Open room').click();
    await expect(ada.page).toHaveURL(`${server.url}/r/a%20room`);
    await expect(ada.page.getByRole('heading', { level: 1 })).toHaveText('a room');
    // Playwright's own search for text passes noscript over.
    await expect(ada.page.locator('noscript p')).toContainText('This room needs JavaScript');
    await expect(ada.page.locator('noscript p')).toBeVisible();
    await expect(ada.main).toHaveAttribute('data-status', 'connecting');
  });
});

test.describe('an address that leads nowhere', () => {
  test.use({ mayComplain: [/404 \(Not Found\)/] });

  test('is a page that leads back', async ({ server, visitor }) => {
    const ada = await visitor();
    const response = await ada.page.goto(`${server.url}/nowhere`);
    expect(response?.status()).toBe(404);
    await expect(ada.main).toHaveCount(1);
    await ada.page.getByRole('link', { name: 'Open a room' }).click();
    await expect(ada.button('Open room')).toBeVisible();
  });
});

test('files that never change are cached for ever, and compressed pages are sent', async ({ server, request }) => {
  const page = await request.get(server.url);
  expect(page.headers()['content-encoding']).toBeTruthy();
  const script = /\/pkg\/converge\.[\w-]+\.js/.exec(await page.text())?.[0];
  expect(script, 'the script carries a hash in its name').toBeTruthy();
  const file = await request.get(server.url + script);
  expect(file.status()).toBe(200);
  expect(file.headers()['cache-control']).toContain('immutable');
});
