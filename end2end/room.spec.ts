import { expect, type Person, test } from './fixtures';

/** Three people in one room who have all met. */
async function three(person: (room: string) => Promise<Person>): Promise<[Person, Person, Person]> {
  const all: [Person, Person, Person] = [await person('lobby'), await person('lobby'), await person('lobby')];
  for (const one of all) await one.sees(2);
  return all;
}

test('everyone lists everyone, with names and typing', async ({ person }) => {
  const people = await three(person);
  const ids = await Promise.all(people.map((one) => one.id()));
  expect(new Set(ids).size).toBe(3);
  const names = ['Ada', 'Ben', 'Cleo'];
  for (const [i, one] of people.entries()) await one.rename(names[i]);
  for (const one of people) {
    for (const [i, id] of ids.entries()) await expect(one.row(id)).toContainText(names[i]);
  }

  const [ada, ben, cleo] = people;
  // It is over after four seconds without a key.
  const typing = await Promise.all([ben, cleo].map((one) => one.watchFor(`[data-peer-id="${ids[0]}"]`, /typing/)));
  await ada.field.pressSequentially('hel');
  for (const seen of typing) await expect.poll(seen).toBe(true);
  await ada.field.fill('');
  await expect(ben.row(ids[0])).not.toContainText('typing');

  // Who comes later learns it all.
  const dan = await person('lobby');
  await dan.sees(3);
  for (const [i, id] of ids.entries()) await expect(dan.row(id)).toContainText(names[i]);
});

test('what is typed before the page has come to life is not lost', async ({ server, visitor, person }) => {
  const ben = await person('lobby');
  const ada = await visitor();
  // The program comes late, as it does on a phone.
  let arrive = () => {};
  const arrived = new Promise<void>((done) => (arrive = done));
  await ada.page.route('**/*.wasm', async (route) => {
    await arrived;
    await route.continue();
  });
  await ada.page.goto(`${server.url}/r/lobby`, { waitUntil: 'commit' });
  await ada.rename('Ada');
  await ada.field.fill('hello');
  await expect(ada.button('Send')).toBeDisabled();
  arrive();
  await ada.sees(1);
  await expect(ben.row(await ada.id())).toContainText('Ada');
  await ada.button('Send').click();
  await expect(ben.heard('hello')).toHaveCount(1);
});

test('a message to everyone arrives once at each, a direct one only where it is meant to', async ({ person }) => {
  const [ada, ben, cleo] = await three(person);
  await ada.rename('Ada');
  await expect(ben.row(await ada.id())).toContainText('Ada');
  await ada.say('hello everyone');
  for (const one of [ada, ben, cleo]) await expect(one.heard('hello everyone')).toHaveCount(1);
  await expect(ben.messages.getByText('Ada', { exact: true })).toHaveCount(1);

  await ada.say('for Ben alone', await ben.id());
  await expect(ben.heard('for Ben alone')).toHaveCount(1);
  await expect(ben.messages).toContainText('direct');
  await expect(ada.messages).toContainText('direct, to');

  // Enter sends too, Shift and Enter begin a line. What comes after has passed everything sent before.
  await ada.page.getByRole('combobox', { name: 'To', exact: true }).selectOption('');
  await ada.field.pressSequentially('one');
  await ada.field.press('Shift+Enter');
  await ada.field.pressSequentially('two');
  await ada.field.press('Enter');
  for (const one of [ben, cleo]) await expect(one.heard('one\ntwo')).toHaveCount(1);
  await expect(cleo.heard('for Ben alone')).toHaveCount(0);
  await expect(cleo.messages).not.toContainText('direct');
});

test('a message that does not fit stays in the field, with the reason', async ({ person }) => {
  const [ada, ben] = [await person('lobby'), await person('lobby')];
  await ada.sees(1);
  // Pasted: seventeen million letters are too many to be typed by a test.
  const letters = 17_000_000;
  await ada.field.evaluate((field: HTMLTextAreaElement, letters) => {
    field.value = `${'x'.repeat(999)}\n`.repeat(letters / 1000);
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));
  }, letters);
  await ada.button('Send').click();
  await expect(ada.page.getByText(/^Not sent: a message takes up to/)).toBeVisible();
  expect(await ada.field.evaluate((field: HTMLTextAreaElement) => field.value.length)).toBe(letters);
  await ada.say('short');
  await expect(ada.page.getByText(/^Not sent:/)).toHaveCount(0);
  await expect(ben.heard('short')).toHaveCount(1);
});

test('what was meant for one who has left goes to nobody', async ({ person }) => {
  const [ada, ben, cleo] = await three(person);
  const id = await ben.id();
  const to = ada.page.getByRole('combobox', { name: 'To', exact: true });
  await to.selectOption(id);
  await ada.field.fill('a secret');
  await ben.page.close();
  await ada.sees(1);
  await expect(to).toHaveValue(id);
  await ada.button('Send').click();
  await expect(ada.page.getByText(/is not in the room/)).toBeVisible();
  await expect(ada.field).toHaveValue('a secret');
  await ada.say('for all');
  await expect(cleo.heard('for all')).toHaveCount(1);
  await expect(cleo.messages).not.toContainText('a secret');
});

test('a closed tab is gone from the others', async ({ person }) => {
  const [ada, ben, cleo] = await three(person);
  await cleo.page.close({ runBeforeUnload: true });
  for (const one of [ada, ben]) await one.sees(1);
});

test('a crashed tab is gone from the others', async ({ person }) => {
  const [ada, ben, cleo] = await three(person);
  const id = await cleo.id();
  const devtools = await cleo.context.newCDPSession(cleo.page);
  const crashed = cleo.page.waitForEvent('crash');
  // Never answered: there is nobody left to do so.
  devtools.send('Page.crash').catch(() => {});
  await crashed;
  for (const one of [ada, ben]) {
    await expect(one.row(id)).toHaveCount(0, { timeout: 120_000 });
    await one.sees(1);
  }
});

test('a reload is the same person, and leaves no ghost', async ({ person }) => {
  const [ada, ben, cleo] = await three(person);
  await ada.rename('Ada');
  const id = await ada.id();
  await ada.page.reload();
  await ada.connected();
  expect(await ada.id()).toBe(id);
  for (const one of [ada, ben, cleo]) await one.sees(2);
  await expect(ben.row(id)).toHaveCount(1);
  await expect(ben.row(id)).toContainText('Ada');
  await ada.say('back again');
  await expect(cleo.heard('back again')).toHaveCount(1);
});

test('a duplicated tab is somebody else', async ({ person }) => {
  const ada = await person('lobby');
  const opened = ada.context.waitForEvent('page');
  // A tab opened like this starts with a copy of sessionStorage, as one does that a person duplicates.
  await ada.page.evaluate(() => void window.open(location.href));
  const { Person } = await import('./fixtures');
  const copy = await new Person(await opened).connected();
  await ada.sees(1);
  await copy.sees(1);
  expect(await copy.id()).not.toBe(await ada.id());
});

test.describe('while the server is away', () => {
  test.use({ mayComplain: [/WebSocket connection to .* failed/] });

  test('links live on, and a newcomer meets everybody when it is back', async ({ person, server }) => {
    const [ada, ben, cleo] = await three(person);
    const ids = await Promise.all([ada, ben, cleo].map((one) => one.id()));
    await server.stop('SIGKILL');
    for (const one of [ada, ben, cleo]) {
      await expect(one.main).toHaveAttribute('data-status', 'reconnecting');
      await expect(one.main).toHaveAttribute('data-links', '2');
    }
    await expect(ada.page.getByText('The meeting server is unreachable.')).toBeVisible();
    await ada.say('can you hear me?');
    for (const one of [ben, cleo]) await expect(one.heard('can you hear me?')).toHaveCount(1);
    await cleo.say('yes', ids[0]);
    await expect(ada.heard('yes')).toHaveCount(1);

    await server.start();
    const dan = await person('lobby');
    await dan.sees(3);
    for (const one of [ada, ben, cleo]) {
      await one.connected();
      await one.sees(3);
    }
    expect(await Promise.all([ada, ben, cleo].map((one) => one.id()))).toEqual(ids);
    await dan.say('hello, I am new');
    for (const one of [ada, ben, cleo]) await expect(one.heard('hello, I am new')).toHaveCount(1);
  });

  test('a browser without network says so and waits', async ({ person }) => {
    // Alone: what another on this machine says would prove that there is a network.
    const ada = await person('lobby');
    await ada.context.setOffline(true);
    await expect(ada.main).toHaveAttribute('data-status', 'offline');
    await expect(ada.page.getByText('This device has no network, the browser reports')).toBeVisible();
    await ada.context.setOffline(false);
    await ada.connected();
    const ben = await person('lobby');
    await ada.sees(1);
    await ben.sees(1);
  });
});

test('going from one room to another leaves the one and joins the other', async ({ person, server }) => {
  const [ada, ben, cleo] = [await person('one'), await person('one'), await person('two')];
  await ada.sees(1);
  await ada.rename('Ada');
  await ada.say('only here');
  await ada.page.evaluate(() => {
    const link = document.createElement('a');
    link.href = '/r/two';
    document.body.append(link);
    link.click();
  });
  await expect(ada.page).toHaveURL(`${server.url}/r/two`);
  await cleo.sees(1);
  await ben.sees(0);
  await ada.connected();
  await ada.sees(1);
  await expect(cleo.row(await ada.id())).toContainText('Ada');
  await ada.say('made it');
  await expect(cleo.heard('made it')).toHaveCount(1);
  await expect(ben.heard('made it')).toHaveCount(0);
  await expect(ada.heard('only here')).toHaveCount(0);
  await ada.page.goBack();
  await ben.sees(1);
  await cleo.sees(0);
});

test('leaving tells the others, and there is a way back', async ({ person }) => {
  const [ada, ben] = [await person('lobby'), await person('lobby')];
  await ada.sees(1);
  const id = await ada.id();
  await ada.button('Leave room').click();
  await expect(ada.main).toHaveAttribute('data-status', 'closed');
  await expect(ada.main).toHaveAttribute('data-reason', 'left');
  await expect(ada.main).toHaveAttribute('data-links', '0');
  await ben.sees(0);
  await ada.button('Join again').click();
  await ada.connected();
  await expect(ada.main).not.toHaveAttribute('data-reason', /.*/);
  expect(await ada.id()).toBe(id);
  await ada.sees(1);
  await ben.sees(1);
});

test.describe('a room for two', () => {
  test.use({ serverArgs: ['--max-topic-members', '2'] });

  test('tells the third that it is full, and lets them in when there is room', async ({ person, server, visitor }) => {
    const [ada, ben] = [await person('lobby'), await person('lobby')];
    await ada.sees(1);
    const cleo = await visitor();
    await cleo.page.goto(`${server.url}/r/lobby`);
    await expect(cleo.main).toHaveAttribute('data-reason', 'room-full');
    await expect(cleo.page.getByText('This room is full')).toBeVisible();
    await ben.page.close({ runBeforeUnload: true });
    await ada.sees(0);
    await cleo.button('Join again').click();
    await cleo.connected();
    await ada.sees(1);
  });
});

test('a room that can have no name says why', async ({ server, visitor }) => {
  const ada = await visitor();
  await ada.page.goto(`${server.url}/r/${'x'.repeat(129)}`);
  await expect(ada.page.getByText(/name is too long: use at most 128/)).toBeVisible();
  await expect(ada.page.getByRole('textbox', { name: 'Room', exact: true })).toHaveValue(/^x+$/);
});

test('the link to invite others can be copied', async ({ person, server }) => {
  const ada = await person('lobby');
  await ada.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const said = await ada.watchFor('.invite-said', /Link copied/);
  await ada.button('Copy invite link').click();
  await expect.poll(said).toBe(true);
  expect(await ada.page.evaluate(() => navigator.clipboard.readText())).toBe(`${server.url}/r/lobby`);
});

test('a phone on the network, over plain http, can do the same', async ({ server, visitor }) => {
  const url = `${server.url.replace('127.0.0.1', 'lan.test')}/r/lobby`;
  const phone = { viewport: { width: 360, height: 640 }, hasTouch: true };
  const [ada, ben] = [await visitor(phone), await visitor()];
  await ada.enter(url);
  expect(await ada.page.evaluate(() => [isSecureContext, 'locks' in navigator, 'clipboard' in navigator])).toEqual([
    false,
    false,
    false,
  ]);
  await ben.enter(url);
  await ada.sees(1);
  await ada.say('from a phone');
  await expect(ben.heard('from a phone')).toHaveCount(1);
  const id = await ada.id();
  await ada.page.reload();
  await ada.connected();
  expect(await ada.id()).toBe(id);
  const said = await ada.watchFor('.invite-said', /Link copied|doesn't let the page copy/);
  await ada.button('Copy invite link').click();
  await expect.poll(said).toBe(true);
  // Nothing is wider than the screen.
  expect(await ada.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);

  // There are no locks here: tabs ask each other.
  const opened = ada.context.waitForEvent('page');
  await ada.page.evaluate(() => void window.open(location.href));
  const { Person } = await import('./fixtures');
  const copy = await new Person(await opened).connected();
  await copy.sees(2);
  expect(await copy.id()).not.toBe(id);
});

test('a performance panel shows how long joining took', async ({ person }) => {
  const [ada] = [await person('lobby'), await person('lobby')];
  await ada.sees(1);
  const marks = await ada.page.evaluate(() =>
    performance.getEntriesByType('mark').map((mark) => mark.name).filter((name) => name.startsWith('converge:')),
  );
  expect(marks).toEqual(['converge:join', 'converge:welcome', 'converge:link-open']);
});

test('fifty times out and in again leave nothing behind', async ({ person, server, visitor }) => {
  test.setTimeout(600_000);
  const ben = await person('lobby');
  const ada = await visitor();
  await ada.context.addInitScript(() => {
    const connections: RTCPeerConnection[] = [];
    const Native = RTCPeerConnection;
    window.RTCPeerConnection = class extends Native {
      constructor(configuration?: RTCConfiguration) {
        super(configuration);
        connections.push(this);
      }
    };
    const kept = [Window, Document, Native, RTCDataChannel, WebSocket, BroadcastChannel, AbortSignal];
    let listeners = 0;
    const counts = (target: EventTarget) => kept.some((kind) => target instanceof kind);
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    EventTarget.prototype.addEventListener = function (...args: Parameters<typeof addEventListener>) {
      if (counts(this)) listeners += 1;
      return addEventListener.apply(this, args);
    };
    EventTarget.prototype.removeEventListener = function (...args: Parameters<typeof removeEventListener>) {
      if (counts(this)) listeners -= 1;
      return removeEventListener.apply(this, args);
    };
    Object.assign(window, {
      kept: () => ({
        connections: connections.filter((connection) => connection.connectionState !== 'closed').length,
        made: connections.length,
        listeners,
      }),
    });
  });
  await ada.enter(`${server.url}/r/lobby`);
  await ada.sees(1);
  const kept = () => ada.page.evaluate(() => (window as unknown as { kept(): { connections: number; made: number; listeners: number } }).kept());
  const before = await kept();
  expect(before.connections).toBe(1);
  for (let round = 0; round < 50; round += 1) {
    await ada.button('Leave room').click();
    await expect(ada.main).toHaveAttribute('data-status', 'closed');
    await ada.button('Join again').click();
    await ada.sees(1);
  }
  await ben.sees(1);
  const after = await kept();
  expect(after.made).toBeGreaterThanOrEqual(51);
  expect(after.connections).toBe(1);
  expect(after.listeners).toBe(before.listeners);
  // Out for good: nothing at all.
  await ada.button('Leave room').click();
  await expect(ada.main).toHaveAttribute('data-links', '0');
  await expect.poll(async () => (await kept()).connections).toBe(0);
});
