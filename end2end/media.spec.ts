// Cameras, microphones and screens, with devices that the browser makes up.
import type { Locator } from '@playwright/test';
import { alwaysShow, expect, made_up, moves, newcomers, pressed, small, test, tile, turn } from './call';
import { type Person, recordConnections } from './fixtures';
import { token } from './server';

// Says yes to every dialog, and shares a made-up screen.
test.use({ launchOptions: { ...made_up, args: [...made_up.args, '--use-fake-ui-for-media-stream'] } });

/** The bar above the stage that lists waiting newcomers. */
function waiting(person: Person): Locator {
  return person.page.getByRole('group', { name: 'Newcomers', exact: true });
}

/** The number of transceivers and media descriptions of each open connection of a page, of both sides. */
function descriptions(person: Person): Promise<number[]> {
  return person.page.evaluate(() => {
    const open = window.connections.filter((connection) => connection.connectionState === 'connected');
    return open.map((connection) => {
      const texts = [connection.localDescription, connection.remoteDescription].map((description) => description?.sdp ?? '');
      return connection.getTransceivers().length + texts.join('').split(/^m=(?:audio|video)/m).length - 1;
    });
  });
}

/** The kinds of media of which a page has received packets. */
function arriving(person: Person): Promise<string[]> {
  return person.page.evaluate(async () => {
    const reports = await Promise.all(window.connections.map((connection) => connection.getStats()));
    const streams = reports.flatMap((report) => [...report.values()]).filter(({ type }) => type === 'inbound-rtp');
    return [...new Set(streams.filter(({ packetsReceived }) => packetsReceived > 0).map(({ kind }) => kind as string))].sort();
  });
}

/** Sends a message each way, so that any earlier negotiation has arrived. */
async function exchange(ada: Person, eve: Person): Promise<void> {
  for (const [from, to] of [[ada, eve], [eve, ada]] as const) {
    const text = `${await from.id()} to ${await to.id()}`;
    await from.say(text, await to.id());
    await expect(to.heard(text)).toBeVisible();
  }
}

test('three see and hear each other in every order, and who comes later does too', async ({ server, join }) => {
  test.setTimeout(600_000);
  const url = `${server.url}/r/call`;
  const enter = async (name: string) => {
    const person = await join(url, {}, small);
    await person.rename(name);
    return person;
  };
  const [ada, ben] = [await enter('Ada'), await enter('Ben')];
  await Promise.all([ada.sees(1), ben.sees(1)]);
  await expect(ada.page.getByRole('region', { name: 'Videos' })).toBeHidden();

  await turn(ada, 'Camera', true);
  await moves(tile(ada, 'Ada’s camera (you)'));
  await moves(tile(ben, 'Ada’s camera'));
  await turn(ada, 'Microphone', true);
  await expect(tile(ben, 'Ada’s microphone')).toBeVisible();
  // The made-up device beeps.
  await expect(tile(ben, 'Ada’s microphone')).toHaveClass(/speaking/);
  await turn(ben, 'Share screen', true);
  await moves(tile(ada, 'Ben’s screen'));

  // Ada shows newcomers her media at once; Ben must approve each.
  await alwaysShow(ada);
  const cleo = await enter('Cleo');
  await Promise.all([ada.sees(2), ben.sees(2), cleo.sees(2)]);
  await moves(tile(cleo, 'Ada’s camera'));
  await expect(tile(cleo, 'Ben’s screen')).toContainText('not shared with you yet');
  await waiting(ben).getByRole('button', { name: 'Let Cleo see and hear you' }).click();
  await moves(tile(cleo, 'Ben’s screen'));
  await expect(tile(cleo, 'Ada’s microphone')).toBeVisible();

  // Off in another order than on, while others turn theirs on.
  await Promise.all([turn(ada, 'Camera', false), turn(ben, 'Camera', true), turn(cleo, 'Microphone', true)]);
  await expect(tile(cleo, 'Ada’s camera')).toHaveCount(0);
  await moves(tile(cleo, 'Ben’s camera'));
  await expect(tile(ada, 'Cleo’s microphone')).toBeVisible();
  await Promise.all([turn(ben, 'Share screen', false), turn(cleo, 'Camera', true), turn(ada, 'Camera', true)]);
  await expect(tile(ada, 'Ben’s screen')).toHaveCount(0);
  for (const [viewer, name] of [[ada, 'Cleo’s camera'], [ben, 'Cleo’s camera'], [ben, 'Ada’s camera'], [cleo, 'Ada’s camera']] as const) {
    await moves(tile(viewer, name));
  }
  await turn(ada, 'Microphone', false);
  await expect(tile(cleo, 'Ada’s microphone')).toHaveCount(0);

  // Muted here, and nobody else hears of it.
  await tile(ada, 'Cleo’s microphone').getByRole('button', { name: 'Mute Cleo' }).click();
  const sounds = () =>
    tile(ada, 'Cleo’s microphone')
      .locator('video')
      .evaluate((element: HTMLVideoElement) => (element.srcObject as MediaStream).getAudioTracks().some((track) => track.enabled));
  await expect.poll(sounds).toBe(false);

  // A closed tab takes its streams along; leaving ends one's own.
  await cleo.page.close();
  await expect(tile(ben, 'Cleo’s camera')).toHaveCount(0);
  await ada.button('Leave room').click();
  await expect(tile(ben, 'Ada’s camera')).toHaveCount(0);
  await ada.button('Join again').click();
  await pressed(ada, 'Camera', false);
});

test('camera, microphone and screen come and go in every order', async ({ server, join }) => {
  test.setTimeout(600_000);
  const url = `${server.url}/r/orders`;
  const [ada, ben] = [await join(url, {}, small), await join(url)];
  await ada.rename('Ada');
  await Promise.all([ada.sees(1), ben.sees(1)]);
  const all = [['Camera', 'Ada’s camera'], ['Microphone', 'Ada’s microphone'], ['Share screen', 'Ada’s screen']] as const;
  for (const order of [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]) {
    for (const which of order) {
      const [button, name] = all[which];
      await turn(ada, button, true);
      await (button === 'Microphone' ? expect(tile(ben, name)).toBeVisible() : moves(tile(ben, name)));
    }
    for (const which of order) {
      const [button, name] = all[which];
      await turn(ada, button, false);
      await expect(tile(ben, name)).toHaveCount(0);
    }
    await ben.sees(1);
  }
});

test('the whole way by keyboard alone', async ({ server, visitor, join }) => {
  const ada = await visitor();
  await ada.page.goto(server.url);
  const keys = ada.page.keyboard;
  /** Goes on to what has this role and name, as often as it takes, and not for ever. */
  const go = async (role: 'button' | 'textbox' | 'combobox', name: string) => {
    const wanted = ada.page.getByRole(role, { name, exact: true });
    await expect(wanted).toBeEnabled();
    for (let presses = 0; presses < 60; presses += 1) {
      if (await wanted.evaluate((element) => element === document.activeElement)) return;
      await keys.press('Tab');
    }
    throw new Error(`${name} is not reached by Tab`);
  };
  await go('textbox', 'Room');
  await keys.press('ControlOrMeta+a');
  await keys.type('keys');
  await keys.press('Enter');
  await ada.connected();
  const ben = await join(`${server.url}/r/keys`);
  await ada.sees(1);
  await go('textbox', 'Your name');
  await keys.type('Ada');
  await go('button', 'Camera');
  await keys.press('Space');
  await moves(tile(ben, 'Ada’s camera'));
  await go('button', 'Heart');
  await keys.press('Enter');
  await go('textbox', 'Message');
  await keys.type('typed');
  await keys.press('Enter');
  await expect(ben.heard('typed')).toBeVisible();
  // Back to the top by going on.
  await ada.page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await go('button', 'Share room');
  await keys.press('Enter');
  await expect(ada.page.getByRole('dialog', { name: 'Share room' })).toBeVisible();
  await keys.press('Escape');
  await go('button', 'Leave room');
  await keys.press('Enter');
  await go('button', 'Join again');
  await keys.press('Enter');
  await ada.sees(1);
});

test('another camera takes the place of the first, and the viewer sees the same stream go on', async ({ server, join }) => {
  const url = `${server.url}/r/devices`;
  const [ada, ben] = [await join(url, {}, small), await join(url)];
  await ada.rename('Ada');
  await ada.sees(1);
  await turn(ada, 'Camera', true);
  const seen = tile(ben, 'Ada’s camera');
  await moves(seen);
  const stream = () => seen.locator('video').evaluate((element: HTMLVideoElement) => (element.srcObject as MediaStream).id);
  const before = await stream();
  await ada.button('Devices').click();
  const dialog = ada.page.getByRole('dialog', { name: 'Devices' });
  const cameras = dialog.getByRole('combobox', { name: 'Camera', exact: true });
  await expect(cameras.getByRole('option')).toHaveCount(3);
  const track = () =>
    // Not by its name, for it stands behind a dialog.
    ada.page
      .locator('figure[data-kind="camera"] video')
      .evaluate((element: HTMLVideoElement) => (element.srcObject as MediaStream).getVideoTracks().map((track) => track.label).join());
  const first = await track();
  const labels = await cameras.getByRole('option').allTextContents();
  const other = labels.slice(1).find((label) => label !== first) ?? '';
  await cameras.selectOption({ label: other });
  await expect.poll(track).toBe(other);
  await moves(seen);
  expect(await stream()).toBe(before);
  // The choice is remembered, and the focus goes back to where it was.
  await ada.page.keyboard.press('Escape');
  await expect(ada.button('Devices')).toBeFocused();
  await ada.page.reload();
  await ada.connected();
  await turn(ada, 'Camera', true);
  await expect.poll(track).toBe(other);
});

test('a newcomer receives no media before approval, by mouse or by keyboard', async ({ server, join }) => {
  test.setTimeout(600_000);
  const url = `${server.url}/r/guessed`;
  const enter = async (name: string) => {
    const person = await join(url, {}, async (context) => {
      await small(context);
      await recordConnections(context);
    });
    await person.rename(name);
    return person;
  };
  const [ada, ben] = [await enter('Ada'), await enter('Ben')];
  await Promise.all([ada.sees(1), ben.sees(1)]);
  for (const button of ['Camera', 'Microphone', 'Share screen']) await turn(ada, button, true);
  // Members present before are viewers without approval.
  await moves(tile(ben, 'Ada’s camera'));
  await moves(tile(ben, 'Ada’s screen'));
  await expect(waiting(ada)).toHaveText('');
  await expect(ada.row(await ben.id()).getByRole('img', { name: 'sees and hears you', exact: true })).toBeVisible();

  const eve = await enter('Eve');
  await Promise.all([ada.sees(2), eve.sees(2)]);
  await exchange(ada, eve);
  await expect(waiting(ada)).toContainText('A newcomer doesn\'t see or hear you yet.');
  for (const name of ['Ada’s camera', 'Ada’s microphone', 'Ada’s screen']) {
    await expect(tile(eve, name)).toContainText('not shared with you yet');
  }
  expect(await descriptions(eve)).toEqual([0, 0]);
  expect((await descriptions(ada)).sort()).toEqual([0, expect.any(Number)]);
  expect(await arriving(eve)).toEqual([]);
  await expect(ada.row(await eve.id()).getByRole('img', { name: 'doesn\'t see or hear you', exact: true })).toBeVisible();
  // The bar does not cover the stage.
  const [bar, stage] = [await waiting(ada).boundingBox(), await ada.page.getByRole('region', { name: 'Stage', exact: true }).boundingBox()];
  expect(bar && stage && bar.y + bar.height <= stage.y + 0.5).toBe(true);

  await waiting(ada).getByRole('button', { name: 'Let Eve see and hear you' }).click();
  await moves(tile(eve, 'Ada’s camera'));
  await moves(tile(eve, 'Ada’s screen'));
  await expect.poll(() => arriving(eve)).toEqual(['audio', 'video']);
  await expect(tile(eve, 'Ada’s microphone')).not.toContainText('not shared with you yet');
  await expect(ada.row(await eve.id()).getByRole('img', { name: 'sees and hears you', exact: true })).toBeVisible();
  await expect(waiting(ada)).toHaveText('');

  // By keyboard alone, from the field above the list; the focus moves to an element that stays.
  const finn = await enter('Finn');
  await Promise.all([ada.sees(3), finn.sees(3)]);
  const allow = ada.row(await finn.id()).getByRole('button', { name: 'Let Finn see and hear you' });
  await ada.page.getByRole('textbox', { name: 'Your name', exact: true }).focus();
  for (let presses = 0; presses < 20 && !(await allow.evaluate((button) => button === document.activeElement)); presses += 1) {
    await ada.page.keyboard.press('Tab');
  }
  await expect(allow).toBeFocused();
  expect(await arriving(finn)).toEqual([]);
  await ada.page.keyboard.press('Enter');
  await moves(tile(finn, 'Ada’s camera'));
  await expect.poll(() => arriving(finn)).toEqual(['audio', 'video']);
  await expect(ada.button('Write to Finn')).toBeFocused();

  // A reload keeps the approval. A denied member receives nothing more, and does not wait for approval again.
  await eve.page.reload();
  await Promise.all([ada.sees(3), eve.sees(3)]);
  await moves(tile(eve, 'Ada’s camera'));
  await ada.button('Devices').click();
  const dialog = ada.page.getByRole('dialog', { name: 'Devices' });
  await expect(dialog.getByRole('listitem')).toHaveCount(3);
  await dialog.getByRole('button', { name: 'Hide me from Eve' }).click();
  await expect(dialog.getByRole('button', { name: 'Show me to Eve' })).toBeFocused();
  await ada.page.keyboard.press('Escape');
  await expect(tile(eve, 'Ada’s camera')).toContainText('not shared with you yet');
  await expect(waiting(ada)).toHaveText('');
  await moves(tile(finn, 'Ada’s camera'));
});

test('the bar offers newcomers one by one, and members present at a restart need no approval', async ({ server, join }) => {
  const url = `${server.url}/r/again`;
  const ada = await join(url, {}, small);
  await ada.rename('Ada');
  await turn(ada, 'Camera', true);
  const enter = async (name: string) => {
    const person = await join(url);
    await person.rename(name);
    return person;
  };
  const [ben, cleo, eve] = [await enter('Ben'), await enter('Cleo'), await enter('Eve')];
  await ada.sees(3);
  const allow = (name: string) => waiting(ada).getByRole('button', { name: `Let ${name} see and hear you` });
  await expect(waiting(ada)).toContainText('3 newcomers don\'t see or hear you yet.');
  // The second click would hit the next newcomer's button.
  await allow('Ben').dblclick();
  await expect(waiting(ada)).toContainText('2 newcomers don\'t see or hear you yet.');
  await moves(tile(ben, 'Ada’s camera'));
  await expect(allow('Cleo')).toBeFocused();
  await ada.page.keyboard.down('Enter');
  await expect(allow('Eve')).toBeFocused();
  await ada.page.keyboard.down('Enter');
  await ada.page.keyboard.up('Enter');
  await moves(tile(cleo, 'Ada’s camera'));
  await expect(waiting(ada)).toContainText('A newcomer doesn\'t see or hear you yet.');
  await expect(tile(eve, 'Ada’s camera')).toContainText('not shared with you yet');

  await turn(ada, 'Camera', false);
  await expect(waiting(ada)).toHaveText('');
  await turn(ada, 'Camera', true);
  await moves(tile(eve, 'Ada’s camera'));
  await expect(waiting(ada)).toHaveText('');

  // A denied newcomer does not wait for approval again.
  const finn = await join(url);
  await finn.rename('Finn');
  await waiting(ada).getByRole('button', { name: 'Not now: Finn' }).focus();
  await ada.page.keyboard.press('Enter');
  await expect(ada.button('Devices')).toBeFocused();
  await expect(waiting(ada)).toHaveText('');
  await turn(ada, 'Camera', false);
  await turn(ada, 'Camera', true);
  await moves(tile(eve, 'Ada’s camera'));
  await expect(tile(finn, 'Ada’s camera')).toContainText('not shared with you yet');
});

test('with `Always` newcomers see at once, and each room keeps the setting', async ({ server, join }) => {
  const url = `${server.url}/r/open`;
  const ada = await join(url, {}, small);
  await ada.rename('Ada');
  await ada.button('Devices').click();
  await expect(newcomers(ada)).toHaveValue('ask');
  await ada.page.keyboard.press('Escape');
  await alwaysShow(ada);
  await turn(ada, 'Camera', true);
  const ben = await join(url);
  await moves(tile(ben, 'Ada’s camera'));
  await expect(waiting(ada)).toHaveText('');

  await ada.page.reload();
  await ada.connected();
  await turn(ada, 'Camera', true);
  const cleo = await join(url);
  await moves(tile(cleo, 'Ada’s camera'));
  await ada.button('Devices').click();
  await expect(newcomers(ada)).toHaveValue('always');
  // Back to approval: present viewers stay.
  await newcomers(ada).selectOption('Ask me');
  await ada.page.keyboard.press('Escape');
  const eve = await join(url);
  await expect(waiting(ada)).toContainText('A newcomer doesn\'t see or hear you yet.');
  await expect(tile(eve, 'Ada’s camera')).toContainText('not shared with you yet');
  await moves(tile(cleo, 'Ada’s camera'));

  await ada.enter(`${server.url}/r/another`);
  await ada.button('Devices').click();
  await expect(newcomers(ada)).toHaveValue('ask');
});

test.describe('on a server that asks for tokens', () => {
  const secret = 'a-secret-of-thirty-two-bytes--ok';
  test.use({ serverArgs: ['--auth', 'token'], serverEnv: { CONVERGE_TOKEN_SECRET: secret } });

  test('newcomers with a token see at once', async ({ server, visitor }) => {
    const enter = async () => {
      const person = await visitor();
      await small(person.context);
      await person.page.goto(`${server.url}/r/known`);
      await person.page.getByLabel('Token', { exact: true }).fill(token('known', secret));
      await person.button('Join').click();
      return person.connected();
    };
    const ada = await enter();
    await ada.rename('Ada');
    await turn(ada, 'Camera', true);
    const ben = await enter();
    await moves(tile(ben, 'Ada’s camera'));
    await ada.button('Devices').click();
    await expect(newcomers(ada)).toHaveValue('always');
  });
});

test('over plain http the page says why there is no camera', async ({ server, join }) => {
  const ada = await join(`${server.url.replace('127.0.0.1', 'lan.test')}/r/plain`);
  await ada.button('Camera').click();
  await expect(ada.page.getByRole('alert').filter({ hasText: 'only over https' })).toBeVisible();
  await ada.button('Devices').click();
  await expect(ada.page.getByRole('dialog', { name: 'Devices' }).getByText('only over https')).toBeVisible();
});
