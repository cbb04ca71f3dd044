// What the tests of cameras, microphones and screens share.
import { type BrowserContext, type BrowserContextOptions, type Locator } from '@playwright/test';
import chromium from './chromium.js';
import { expect, type Person, test as base } from './fixtures';

export { expect };

/** Devices that the browser makes up: pictures of ten frames a second, and a beep each second. */
export const made_up = {
  ...chromium,
  args: [
    ...chromium.args,
    '--host-resolver-rules=MAP lan.test 127.0.0.1',
    '--use-fake-device-for-media-stream=fps=10,device-count=2',
  ],
};

type Join = (url: string, options?: BrowserContextOptions, prepare?: (context: BrowserContext) => Promise<void>) => Promise<Person>;

export const test = base.extend<{ join: Join }>({
  /** Somebody in the room at this address, in a profile that is prepared before the page is opened. */
  join: async ({ visitor }, use) => {
    await use(async (url, options, prepare) => {
      const person = await visitor(options);
      await prepare?.(person.context);
      return person.enter(url);
    });
  },
});

/** Pictures of 320 by 240: ten times three of them are sent, received and drawn by one machine. Runs in the page. */
export function smallPictures(): void {
  const devices = navigator.mediaDevices;
  if (!devices) return;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = (constraints) => {
    const video = constraints?.video;
    if (typeof video === 'object') Object.assign(video, { width: 320, height: 240, frameRate: 10 });
    return ask(constraints);
  };
}

export async function small(context: BrowserContext): Promise<void> {
  await context.addInitScript(smallPictures);
}

/** A figure of the region of videos. */
export function tile(person: Person, name: string): Locator {
  return person.page.getByRole('region', { name: 'Videos' }).getByRole('figure', { name, exact: true });
}

/** A picture is not only announced: it moves. */
export async function moves(figure: Locator): Promise<void> {
  const video = figure.locator('video');
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.videoWidth)).toBeGreaterThan(0);
  const time = () => video.evaluate((element: HTMLVideoElement) => element.currentTime);
  const before = await time();
  await expect.poll(time).toBeGreaterThan(before);
}

export async function pressed(person: Person, button: string, on: boolean): Promise<void> {
  await expect(person.button(button)).toHaveAttribute('aria-pressed', String(on));
}

export async function turn(person: Person, button: string, on: boolean): Promise<void> {
  await pressed(person, button, !on);
  await person.button(button).click();
  await pressed(person, button, on);
}

/** The setting of `Devices` for newcomers. */
export function newcomers(person: Person): Locator {
  return person.page.getByRole('dialog', { name: 'Devices' }).getByRole('combobox', { name: 'Newcomers see my camera and screen', exact: true });
}

/** Lets newcomers see this person at once. */
export async function alwaysShow(person: Person): Promise<void> {
  await person.button('Devices').click();
  await newcomers(person).selectOption('Always');
  await person.page.keyboard.press('Escape');
}
