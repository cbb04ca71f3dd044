import { expect, recordConnections, test } from './fixtures';

test('a suggested room can be opened, with a working page behind it', async ({ server, visitor }) => {
  const ada = await visitor();
  await ada.page.goto(server.url);
  await expect(ada.page).toHaveTitle('converge');
  await expect(ada.page.getByRole('heading', { level: 1 })).toHaveText('Rooms where browsers talk directly.');
  const topic = await ada.page.getByRole('textbox', { name: 'Room', exact: true }).inputValue();
  expect(topic).toMatch(/^[a-z]+-[a-z]+(-[0-9a-hjkmnp-tv-z]{4}){3}$/);
  // The whole name is visible.
  expect(await ada.page.getByRole('textbox', { name: 'Room', exact: true }).evaluate((field) => field.scrollWidth <= field.clientWidth)).toBe(true);
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

test('two peers meet right there, talk, and are gone when they are stopped', async ({ server, visitor }) => {
  const ada = await visitor();
  await recordConnections(ada.context);
  await ada.page.goto(server.url);
  const demo = ada.page.getByRole('region', { name: 'Demonstration' });
  await demo.getByRole('button', { name: 'See two browsers meet' }).click();
  const side = (name: string) => demo.getByRole('group', { name, exact: true });
  await expect(side('Ada')).toContainText(/Direct, (under )?\d+ ms/);
  await side('Ada').getByRole('button', { name: 'Send' }).click();
  await expect(side('Ben').getByText('Hello Ben', { exact: true })).toBeVisible();
  await side('Ben').getByRole('textbox').fill('I hear you');
  await ada.page.keyboard.press('Enter');
  await expect(side('Ada').getByText('I hear you')).toBeVisible();
  await demo.getByRole('button', { name: 'Stop' }).click();
  await expect(demo.getByRole('button', { name: 'See two browsers meet' })).toBeVisible();
  const open = () => ada.page.evaluate(() => window.connections.filter((one) => one.connectionState !== 'closed').length);
  await expect.poll(open).toBe(0);
});

test('a room is joined by its name or by its link', async ({ server, visitor }) => {
  const ada = await visitor();
  await ada.page.goto(server.url);
  const code = ada.page.getByRole('textbox', { name: 'Have a link or a code?' });
  await code.fill('https://meet.example/somewhere/else');
  await ada.button('Join').click();
  await expect(ada.page.getByText('This link leads to no room')).toBeVisible();
  await code.fill('https://meet.example/r/a%20room?x#y');
  await ada.button('Join').click();
  await expect(ada.page).toHaveURL(`${server.url}/r/a%20room`);
  await ada.connected();
  await ada.page.goBack();
  await code.fill('lobby');
  await code.press('Enter');
  await expect(ada.page).toHaveURL(`${server.url}/r/lobby`);
  await ada.connected();
});

test('the example is copied', async ({ server, visitor }) => {
  const ada = await visitor({ permissions: ['clipboard-read', 'clipboard-write'] });
  await ada.page.goto(server.url);
  await ada.button('Copy code').click();
  await expect(ada.page.getByText('Copied', { exact: true })).toBeVisible();
  expect(await ada.page.evaluate(() => navigator.clipboard.readText())).toContain('provide_room(Options::new("lobby"))');
});
