// It fits: into narrow columns, small storage, print, and a device whose camera goes away.
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { expect, made_up, test, tile, turn } from './call';
import type { Person } from './fixtures';

test.use({ launchOptions: { ...made_up, args: [...made_up.args, '--use-fake-ui-for-media-stream'] } });

async function two(join: (url: string) => Promise<Person>, url: string): Promise<[Person, Person]> {
  const both: [Person, Person] = [await join(url), await join(url)];
  for (const one of both) await one.sees(1);
  return both;
}

for (const width of [1280, 1000, 360, 320]) {
  test(`the name of a file is seen whole before it is accepted, ${width} pixels wide`, async ({ server, visitor, join }, info) => {
    const url = `${server.url}/r/files`;
    const ada = await join(url);
    const ben = await (await visitor({ viewport: { width, height: 800 } })).enter(url);
    await ada.sees(1);
    const file = 'quarterly-figures-of-the-whole-company-and-all-its-branches-2026.pdf.exe';
    await writeFile(info.outputPath(file), 'content');
    await ada.attach(info.outputPath(file));
    const name = ben.transfers.locator('.transfer-name');
    await expect(name).toHaveText(file);
    await expect(name).toHaveAttribute('title', file);
    const isWhole = () =>
      name.evaluate((element) => {
        const range = document.createRange();
        range.selectNodeContents(element);
        const list = element.closest('.transfers')?.getBoundingClientRect();
        return !!list && [...range.getClientRects()].every((line) => line.width > 0 && line.left >= list.left && line.right <= list.right + 1);
      });
    expect(await isWhole()).toBe(true);
    await ben.button('Accept').click();
    await expect(ben.transfers).toContainText('done');
    expect(await isWhole()).toBe(true);
    expect(await ben.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });
}

test('the start page fits into 320 pixels', async ({ server, visitor }) => {
  const ada = await visitor({ viewport: { width: 320, height: 640 } });
  await ada.page.goto(server.url);
  const width = () => ada.page.evaluate(() => document.documentElement.scrollWidth);
  expect(await width()).toBeLessThanOrEqual(320);
  // The whole suggested name is visible.
  const field = ada.page.getByRole('textbox', { name: 'Room', exact: true });
  expect(await field.evaluate((field) => field.scrollWidth <= field.clientWidth)).toBe(true);
  await ada.button('See two browsers meet').click();
  await expect(ada.page.getByRole('group', { name: 'Ben' })).toContainText('Direct');
  expect(await width()).toBeLessThanOrEqual(320);
});

test('many files are accepted at once', async ({ server, join }, info) => {
  const [ada, ben] = await two(join, `${server.url}/r/many`);
  const all = ben.page.getByRole('button', { name: /^Accept all/ });
  const paths = Array.from({ length: 60 }, (_, n) => info.outputPath(`${n}.txt`));
  await Promise.all(paths.map((path, n) => writeFile(path, `file ${n}`)));
  await ada.attach(paths[0]);
  await expect(ben.transfers).toHaveCount(1);
  await expect(all).toBeHidden();
  await ada.attach(paths.slice(1));
  await expect(all).toHaveText('Accept all (60)');
  await all.click();
  await expect(ben.transfers.filter({ hasText: 'done' })).toHaveCount(60);
  await expect(all).toBeHidden();
});

test('printing prints all that was said', async ({ server, join }) => {
  const [ada, ben] = await two(join, `${server.url}/r/print`);
  for (let line = 0; line < 40; line += 1) await ada.say(`line ${line}`);
  await expect(ben.heard('line 39')).toHaveCount(1);
  await ben.page.emulateMedia({ media: 'print' });
  const first = await ben.heard('line 0').boundingBox();
  const last = await ben.heard('line 39').boundingBox();
  const page = await ben.page.evaluate(() => document.documentElement.scrollHeight);
  expect(first && last && first.y >= 0 && last.y > first.y && last.y + last.height <= page).toBe(true);
  expect(await ben.messages.evaluate((log) => log.scrollHeight <= log.clientHeight)).toBe(true);
  for (const hidden of [ben.field, ben.button('Camera'), ben.button('Leave room')]) await expect(hidden).toBeHidden();
});

test('a file that the disk has no room for is received in memory', async ({ server, join }, info) => {
  const [ada, ben] = await two(join, `${server.url}/r/quota`);
  const devtools = await ben.context.newCDPSession(ben.page);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.url, quotaSize: 1_500_000 });
  const content = Buffer.alloc(14 * 1024 * 1024, 'converge ');
  await writeFile(info.outputPath('large.bin'), content);
  await ada.attach(info.outputPath('large.bin'));
  await ben.button('Accept').click();
  await expect(ben.transfers).toContainText('done');
  const hash = await ben.page.getByRole('link', { name: 'Save large.bin' }).evaluate(async (link: HTMLAnchorElement) => {
    const digest = await crypto.subtle.digest('SHA-256', await (await fetch(link.href)).arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  });
  expect(hash).toBe(createHash('sha256').update(content).digest('hex'));
});

test('a file that was changed before it is accepted fails in words', async ({ server, join }, info) => {
  const [ada, ben] = await two(join, `${server.url}/r/changed`);
  const path = info.outputPath('draft.txt');
  await writeFile(path, 'a first draft');
  await ada.attach(path);
  await expect(ben.transfers).toHaveCount(1);
  await writeFile(path, 'quite another text, and longer');
  await ben.button('Accept').click();
  await expect(ada.transfers).toContainText('failed: the file was changed, moved or deleted since it was chosen; choose it again');
  await expect(ben.transfers).toContainText('failed');
});

declare global {
  interface Window {
    /** The tracks that the page was given. */
    tracks: MediaStreamTrack[];
  }
}

test('a camera that goes away, or gives nothing, is said to', async ({ server, join }) => {
  const url = `${server.url}/r/camera`;
  const ada = await join(url, {}, (context) =>
    context.addInitScript(() => {
      window.tracks = [];
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        const stream = await ask(constraints);
        window.tracks.push(...stream.getTracks());
        return stream;
      };
    }),
  );
  const ben = await join(url);
  await ada.rename('Ada');
  await ada.sees(1);
  await turn(ada, 'Camera', true);
  await expect(tile(ben, 'Ada’s camera')).toBeVisible();

  // Its lid is closed, and opened again.
  const muted = (is: boolean) =>
    ada.page.evaluate((is) => {
      const [track] = window.tracks;
      Object.defineProperty(track, 'muted', { configurable: true, get: () => is });
      track.dispatchEvent(new Event(is ? 'mute' : 'unmute'));
    }, is);
  await muted(true);
  await expect(tile(ada, 'Ada’s camera (you)')).toContainText('no picture comes from the camera');
  await expect(tile(ben, 'Ada’s camera')).toContainText('paused');
  await muted(false);
  await expect(tile(ada, 'Ada’s camera (you)')).not.toContainText('no picture comes');
  await expect(tile(ben, 'Ada’s camera')).not.toContainText('paused');

  // It is unplugged.
  await ada.page.evaluate(() => {
    window.tracks[0].stop();
    window.tracks[0].dispatchEvent(new Event('ended'));
  });
  await expect(ada.page.getByRole('alert').filter({ hasText: 'The camera is not shared any more: it was unplugged' })).toBeVisible();
  await expect(ada.button('Camera')).toHaveAttribute('aria-pressed', 'false');
  await expect(tile(ben, 'Ada’s camera')).toHaveCount(0);
  await turn(ada, 'Camera', true);
  await expect(ada.page.getByRole('alert').filter({ hasText: 'not shared any more' })).toHaveCount(0);
  await expect(tile(ben, 'Ada’s camera')).toBeVisible();
});

test('the message field grows in browsers that don’t do so by themselves', async ({ server, visitor }) => {
  const ada = await visitor();
  await ada.context.addInitScript(() => {
    const supports = CSS.supports.bind(CSS);
    CSS.supports = ((...all: [string, string]) => all[0] !== 'field-sizing' && supports(...all)) as typeof CSS.supports;
  });
  await ada.enter(`${server.url}/r/grows`);
  await ada.field.evaluate((field) => field.style.setProperty('field-sizing', 'fixed'));
  const height = async () => (await ada.field.boundingBox())?.height ?? 0;
  const one = await height();
  await ada.field.pressSequentially('one');
  expect(await height()).toBeCloseTo(one, 0);
  for (const line of ['two', 'three', 'four']) {
    await ada.field.press('Shift+Enter');
    await ada.field.pressSequentially(line);
  }
  expect(await height()).toBeGreaterThan(one * 1.8);
  // Nothing of it is out of view.
  expect(await ada.field.evaluate((field) => field.scrollHeight <= field.clientHeight)).toBe(true);
  await ada.field.press('Enter');
  expect(await height()).toBeCloseTo(one, 0);
});
