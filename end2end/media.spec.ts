// Cameras, microphones and screens, with devices that the browser makes up.
import { expect, made_up, moves, pressed, small, test, tile, turn } from './call';

// Says yes to every dialog, and shares a made-up screen.
test.use({ launchOptions: { ...made_up, args: [...made_up.args, '--use-fake-ui-for-media-stream'] } });

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

  const cleo = await enter('Cleo');
  await Promise.all([ada.sees(2), ben.sees(2), cleo.sees(2)]);
  await moves(tile(cleo, 'Ada’s camera'));
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
  const cameras = dialog.getByRole('combobox', { name: 'Camera' });
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

test('over plain http the page says why there is no camera', async ({ server, join }) => {
  const ada = await join(`${server.url.replace('127.0.0.1', 'lan.test')}/r/plain`);
  await ada.button('Camera').click();
  await expect(ada.page.getByRole('alert').filter({ hasText: 'only over https' })).toBeVisible();
  await ada.button('Devices').click();
  await expect(ada.page.getByRole('dialog', { name: 'Devices' }).getByText('only over https')).toBeVisible();
});
