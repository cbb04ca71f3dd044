import { expect, type Person, recordConnections, test } from './fixtures';

test('a tab in the background is shown as that, and stays', async ({ person }) => {
  const [ada, ben] = [await person('lobby'), await person('lobby')];
  await ada.sees(1);
  const id = await ben.id();
  const row = ada.row(id);
  // A page that nobody has touched for a minute is idle.
  await ben.page.mouse.move(1, 1);
  await expect(row).toHaveAttribute('data-activity', 'active');

  // What a browser does to a tab that is out of view: it says so, and soon its timers stop.
  await ben.page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' });
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
    document.dispatchEvent(new Event('visibilitychange'));
    const never = () => 0;
    Object.assign(window, { setTimeout: never, setInterval: never, requestAnimationFrame: never });
  });
  await expect(row).toHaveAttribute('data-activity', 'hidden');
  await expect(row).toContainText('page hidden');

  // Nothing to wait for: what is tested is that nothing happens while a silent link would be pinged and given up twice.
  // The time is that of Ada's page, whose timers would do so, and every change in it is noted.
  const changes = await ada.page.evaluate(async (id) => {
    const changes: string[] = [];
    const observer = new MutationObserver((records) => {
      for (const { target, attributeName, oldValue } of records) {
        if (!(target instanceof Element) || !attributeName || !target.matches(`main, [data-peer-id="${id}"]`)) continue;
        const value = target.getAttribute(attributeName);
        if (value !== oldValue) changes.push(`${attributeName}: ${oldValue} to ${value}`);
      }
    });
    const attributeFilter = ['data-activity', 'data-links'];
    observer.observe(document.body, { subtree: true, attributes: true, attributeFilter, attributeOldValue: true });
    await new Promise((done) => setTimeout(done, 26_000));
    observer.disconnect();
    return changes;
  }, id);
  expect(changes).toEqual([]);
  expect(await row.getAttribute('data-activity')).toBe('hidden');
  expect(await ada.main.getAttribute('data-links')).toBe('1');
  await ada.say('are you there?');
  await expect(ben.heard('are you there?')).toHaveCount(1);

  await ben.page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'visible' });
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => false });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await expect(row).toHaveAttribute('data-activity', 'active');
});

/** What has been heard of a series, in the order in which it stands there. */
async function series(person: Person, prefix: string): Promise<string[]> {
  return person.messages.getByText(new RegExp(`^${prefix} \\d+$`)).allTextContents();
}

test('a connection cut while people talk is mended, and every message arrives once and in order', async ({
  server,
  visitor,
  person,
}) => {
  const ben = await person('lobby');
  const ada = await visitor();
  await recordConnections(ada.context);
  await ada.enter(`${server.url}/r/lobby`);
  await ada.sees(1);
  await ben.sees(1);
  const expected = (prefix: string) => Array.from({ length: 20 }, (_, i) => `${prefix} ${i + 1}`);
  const talk = async (one: Person, prefix: string, between: (n: number) => Promise<void>) => {
    for (const [n, text] of expected(prefix).entries()) {
      await one.say(text);
      await between(n + 1);
    }
  };
  await Promise.all([
    talk(ada, 'ada', async (n) => {
      if (n === 7) expect(await ada.cutConnections()).toBe(1);
    }),
    talk(ben, 'ben', async () => {}),
  ]);
  for (const one of [ada, ben]) await one.sees(1);
  for (const one of [ada, ben]) {
    for (const prefix of ['ada', 'ben']) await expect.poll(() => series(one, prefix)).toEqual(expected(prefix));
  }
  // A page that nobody has touched for a minute is idle.
  await ada.page.mouse.move(1, 1);
  await expect(ben.row(await ada.id())).toHaveAttribute('data-activity', 'active');
});

test('the panel says how one is connected, and the keyboard gets there and back', async ({ person }) => {
  const [ada, ben] = [await person('lobby'), await person('lobby')];
  await ben.rename('Ben');
  await ada.sees(1);
  const panel = ada.page.getByRole('region', { name: 'Connection', exact: true });
  await expect(panel).toHaveCount(0);
  await ada.button('Connection').focus();
  await ada.page.keyboard.press('Enter');
  await expect(panel).toBeFocused();
  await expect(panel.getByRole('heading', { name: 'Meeting server' })).toBeVisible();
  await expect(panel).toContainText('Connected to “Ben”, direct');
  await expect(panel).toContainText(/direct: \w+ to \w+, udp/);
  await expect(panel).toContainText(/Round trip(under )?\d+ ms/);

  await ada.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await panel.getByRole('button', { name: 'Copy as JSON', exact: true }).click();
  await expect(panel.getByText('Report copied')).toBeVisible();
  const report = JSON.parse(await ada.page.evaluate(() => navigator.clipboard.readText()));
  expect(report).toMatchObject({ id: await ada.id(), status: 'connected', online: true });
  expect(report.links).toHaveLength(1);
  expect(report.links[0]).toMatchObject({ peer: await ben.id(), state: 'connected', listed: true });
  expect(report.links[0].path.local).toMatch(/^(host|srflx|prflx)$/);

  await ada.page.keyboard.press('Escape');
  await expect(panel).toHaveCount(0);
  await expect(ada.button('Connection')).toBeFocused();
  await ada.page.keyboard.press('Enter');
  await panel.getByRole('button', { name: 'Close', exact: true }).click();
  await expect(panel).toHaveCount(0);
  await expect(ada.button('Connection')).toBeFocused();
});

test('the picture of the mesh has the links between the others too, as they tell', async ({ person }) => {
  const [ada, ben] = [await person('mesh'), await person('mesh')];
  await ada.sees(1);
  await ada.button('Connection').click();
  const picture = (said: string) => ada.page.getByRole('img', { name: said, exact: true });
  await expect(picture('You and 1 other: 1 direct.')).toBeVisible();
  const cleo = await person('mesh');
  await Promise.all([ada, ben, cleo].map((each) => each.sees(2)));
  const whole = picture('You and 2 others: 2 direct. Between the others: 1 direct.');
  await expect(whole).toBeVisible();
  // Each is measured: a line that is not would be grey.
  await expect(whole.locator('path.bars-1, path.bars-2, path.bars-3')).toHaveCount(3);
  await cleo.button('Leave room').click();
  await expect(picture('You and 1 other: 1 direct.')).toBeVisible();
});

test('where the page may not copy, the report is shown', async ({ server, visitor }) => {
  const ada = await visitor();
  await ada.context.addInitScript(() => {
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
    document.execCommand = () => false;
  });
  await ada.enter(`${server.url}/r/lobby`);
  await ada.button('Connection').click();
  await ada.button('Copy as JSON').click();
  const report = ada.page.getByRole('textbox', { name: 'Report', exact: true });
  await expect(report).toHaveValue(/"status": "connected"/);
  await expect(ada.page.getByText('Nobody else is here, so there is nobody to be connected to.')).toBeVisible();
});

test.describe('while the server is away', () => {
  test.use({ mayComplain: [/WebSocket connection to .* failed/] });

  test('the panel says so, and that the links live on', async ({ person, server }) => {
    const [ada, ben] = [await person('lobby'), await person('lobby')];
    await ada.sees(1);
    await ada.button('Connection').click();
    const panel = ada.page.getByRole('region', { name: 'Connection', exact: true });
    await expect(panel).toContainText('Connected. It introduces');
    await server.stop('SIGKILL');
    await expect(panel).toContainText('The server is unreachable.');
    await expect(panel).toContainText('direct');
    await server.start();
    await expect(panel).toContainText('Connected. It introduces');
    await ben.sees(1);
  });
});
