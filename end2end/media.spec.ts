// Cameras, microphones and screens, with devices that the browser makes up.
import { type BrowserContext, type BrowserContextOptions, type Locator } from '@playwright/test';
import chromium from './chromium.js';
import { expect, type Person, test as base } from './fixtures';

type Join = (url: string, options?: BrowserContextOptions, prepare?: (context: BrowserContext) => Promise<void>) => Promise<Person>;

const test = base.extend<{ join: Join }>({
  /** Somebody in the room at this address, in a profile that is prepared before the page is opened. */
  join: async ({ visitor }, use) => {
    await use(async (url, options, prepare) => {
      const person = await visitor(options);
      await prepare?.(person.context);
      return person.enter(url);
    });
  },
});

test.use({
  launchOptions: {
    ...chromium,
    args: [
      ...chromium.args,
      '--host-resolver-rules=MAP lan.test 127.0.0.1',
      // Pictures of ten frames a second and a beep each second; small, for three of these run side by side.
      '--use-fake-device-for-media-stream=fps=10,device-count=2',
      // What the dialogs would ask, except for permission: that is the context's.
      '--auto-select-tab-capture-source-by-title=converge',
    ],
  },
});

const DEVICES = ['camera', 'microphone'];

/** Pictures of 320 by 240: ten times three of them are sent, received and drawn by one machine. */
async function small(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const devices = navigator.mediaDevices;
    if (!devices) return;
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = (constraints) => {
      const video = constraints?.video;
      if (typeof video === 'object') Object.assign(video, { width: 320, height: 240, frameRate: 10 });
      return ask(constraints);
    };
  });
}

/** A figure of the region of videos. */
function tile(person: Person, name: string): Locator {
  return person.page.getByRole('region', { name: 'Videos' }).getByRole('figure', { name, exact: true });
}

/** A picture is not only announced: it moves. */
async function moves(figure: Locator): Promise<void> {
  const video = figure.locator('video');
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.videoWidth)).toBeGreaterThan(0);
  const time = () => video.evaluate((element: HTMLVideoElement) => element.currentTime);
  const before = await time();
  await expect.poll(time).toBeGreaterThan(before);
}

async function pressed(person: Person, button: string, on: boolean): Promise<void> {
  await expect(person.button(button)).toHaveAttribute('aria-pressed', String(on));
}

async function turn(person: Person, button: string, on: boolean): Promise<void> {
  await pressed(person, button, !on);
  await person.button(button).click();
  await pressed(person, button, on);
}

test('three see and hear each other in every order, and who comes later does too', async ({ server, join }) => {
  test.setTimeout(180_000);
  const url = `${server.url}/r/call`;
  const enter = async (name: string) => {
    const person = await join(url, { permissions: DEVICES }, small);
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

test('another camera takes the place of the first, and the viewer sees the same stream go on', async ({ server, join }) => {
  const url = `${server.url}/r/devices`;
  const [ada, ben] = [await join(url, { permissions: DEVICES }, small), await join(url)];
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
    tile(ada, 'Ada’s camera (you)')
      .locator('video')
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

test('who may not use a camera is told so, and takes part', async ({ server, join }) => {
  const url = `${server.url}/r/denied`;
  const [ada, ben] = [await join(url, { permissions: DEVICES }, small), await join(url)];
  await Promise.all([ada.rename('Ada'), ben.rename('Ben')]);
  await ada.sees(1);
  await ben.button('Camera').click();
  await expect(ben.page.getByRole('alert').filter({ hasText: 'The camera may not be used. Allow it for this page' })).toBeVisible();
  await pressed(ben, 'Camera', false);
  await turn(ada, 'Camera', true);
  await moves(tile(ben, 'Ada’s camera'));
  await ben.say('I see you');
  await expect(ada.heard('I see you')).toBeVisible();
});

test('over plain http the page says why there is no camera', async ({ server, join }) => {
  const ada = await join(`${server.url.replace('127.0.0.1', 'lan.test')}/r/plain`);
  await ada.button('Camera').click();
  await expect(ada.page.getByRole('alert').filter({ hasText: 'only over https' })).toBeVisible();
  await ada.button('Devices').click();
  await expect(ada.page.getByRole('dialog', { name: 'Devices' }).getByText('only over https')).toBeVisible();
});
