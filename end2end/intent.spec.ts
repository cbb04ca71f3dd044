// Nothing happens that nobody meant: keys, input methods, the clipboard, what is dragged, and what is said of delivery.
import { mkdir, writeFile } from 'node:fs/promises';
import type { CDPSession, TestInfo } from '@playwright/test';
import { expect, made_up, pressed, test } from './call';
import type { Person } from './fixtures';

test.use({ launchOptions: { ...made_up, args: [...made_up.args, '--use-fake-ui-for-media-stream'] } });

/** Two people in one room who have met. */
async function two(join: (url: string) => Promise<Person>, url: string): Promise<[Person, Person]> {
  const both: [Person, Person] = [await join(url), await join(url)];
  for (const one of both) await one.sees(1);
  return both;
}

test('what is typed after a click on Send goes into the field, and turns nothing on', async ({ server, join }) => {
  const [ada, ben] = await two(join, `${server.url}/r/typed`);
  await ada.field.fill('first');
  await ada.button('Send').click();
  await expect(ada.field).toBeFocused();
  await ada.page.keyboard.type('very much more');
  await expect(ada.field).toHaveValue('very much more');
  await ada.page.keyboard.press('Enter');
  await expect(ben.heard('very much more')).toHaveCount(1);
  for (const button of ['Camera', 'Microphone', 'Share screen']) await pressed(ada, button, false);
});

test('letters turn devices off at once, and on only with Shift', async ({ server, join }) => {
  const ada = await join(`${server.url}/r/letters`);
  const { keyboard } = ada.page;
  for (const [letter, button] of [['v', 'Camera'], ['m', 'Microphone'], ['s', 'Share screen']] as const) {
    await keyboard.press(letter);
    await keyboard.press(`Shift+${letter.toUpperCase()}`);
    await pressed(ada, button, true);
    await keyboard.press(letter);
    await pressed(ada, button, false);
    // Nothing is on its way that the first of these would have begun.
    await keyboard.press(letter);
    await pressed(ada, button, false);
  }
});

test('an Enter that confirms a word of an input method sends nothing', async ({ server, join }) => {
  const [ada, ben] = await two(join, `${server.url}/r/ime`);
  await ada.field.fill('にほ');
  // Safari says that the composition is over before the key that ends it.
  await ada.field.evaluate((field) => {
    const enter = { key: 'Enter', bubbles: true, cancelable: true };
    field.dispatchEvent(new KeyboardEvent('keydown', { ...enter, keyCode: 229 }));
    field.dispatchEvent(new KeyboardEvent('keydown', { ...enter, keyCode: 13, isComposing: true }));
  });
  await ada.field.fill('にほん');
  await ada.field.press('Enter');
  await expect(ben.heard('にほん')).toHaveCount(1);
  await expect(ben.messages.getByRole('article')).toHaveCount(1);
});

/** Pastes into the field what a clipboard may hold; true if the browser was left to paste it. */
async function paste(person: Person, texts: Record<string, string>, file?: string): Promise<boolean> {
  return person.field.evaluate(
    (field, [texts, file]) => {
      const data = new DataTransfer();
      for (const [type, text] of Object.entries(texts)) data.setData(type, text);
      if (file) data.items.add(new File(['picture'], file, { type: 'image/png' }));
      return field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
    },
    [texts, file] as const,
  );
}

test('cells of a spreadsheet are pasted as text, and a picture as a picture', async ({ server, join }) => {
  const [ada, ben] = await two(join, `${server.url}/r/paste`);
  const cells = { 'text/plain': 'a\tb\n1\t2', 'text/html': '<table><tr><td>a<td>b</table>' };
  expect(await paste(ada, cells, 'image.png')).toBe(true);
  expect(await paste(ada, { 'text/plain': 'words' })).toBe(true);
  // A picture of a web page has markup beside it, and no text.
  expect(await paste(ada, { 'text/html': '<img src="x">' }, 'picture.png')).toBe(false);
  await expect(ben.transfers).toHaveCount(1);
  await expect(ben.transfers).toContainText('picture.png');
  // File managers put the names of files beside them.
  expect(await paste(ada, { 'text/plain': 'holiday.png' }, 'holiday.png')).toBe(false);
  await expect(ben.transfers.filter({ hasText: 'holiday.png' })).toHaveCount(1);
  await expect(ben.transfers).toHaveCount(2);
});

/** Drags to a place in the window, and drops there. */
async function drop(devtools: CDPSession, at: { x: number; y: number }, data: object): Promise<void> {
  const drag = { items: [], dragOperationsMask: 1, ...data };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await devtools.send('Input.dispatchDragEvent', { type, ...at, data: drag });
}

async function middle(person: Person, selector: string): Promise<{ x: number; y: number }> {
  const box = await person.page.locator(selector).boundingBox();
  if (!box) throw new Error(`${selector} is not shown`);
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

async function makeFile(info: TestInfo, name: string): Promise<string> {
  const path = info.outputPath(name);
  await writeFile(path, 'content');
  return path;
}

test('a file that is dropped anywhere is offered, and the room stays', async ({ server, join }, info) => {
  const [ada, ben] = await two(join, `${server.url}/r/drop`);
  const devtools = await ada.context.newCDPSession(ada.page);
  for (const [name, place] of [['beside.txt', '.stage-column'], ['people.txt', '.people-list'], ['chat.txt', '.log']] as const) {
    await drop(devtools, await middle(ada, place), { files: [await makeFile(info, name)] });
    await expect(ben.transfers.filter({ hasText: name })).toHaveCount(1);
  }
  await expect(ada.page.locator('.chat')).not.toHaveClass(/dropping/);
  expect(ada.page.url()).toBe(`${server.url}/r/drop`);
  await ada.sees(1);
});

test('a text that is dragged is the browser’s to drop', async ({ server, join }) => {
  const ada = await join(`${server.url}/r/text`);
  const devtools = await ada.context.newCDPSession(ada.page);
  const text = { items: [{ mimeType: 'text/plain', data: 'dragged words' }] };
  await drop(devtools, await middle(ada, '#message'), text);
  await expect(ada.field).toHaveValue('dragged words');
  await devtools.send('Input.dispatchDragEvent', { type: 'dragEnter', ...(await middle(ada, '.log')), data: { ...text, dragOperationsMask: 1 } });
  await expect(ada.page.locator('.chat')).not.toHaveClass(/dropping/);
  await expect(ada.transfers).toHaveCount(0);
});

test('a folder is refused in words, and the files beside it are offered', async ({ server, join }, info) => {
  const [ada, ben] = await two(join, `${server.url}/r/folder`);
  const folder = info.outputPath('photos');
  await mkdir(folder);
  const devtools = await ada.context.newCDPSession(ada.page);
  await drop(devtools, await middle(ada, '.log'), { files: [folder, await makeFile(info, 'single.txt')] });
  await expect(ada.page.getByRole('alert').filter({ hasText: '“photos” is a folder' })).toBeVisible();
  await expect(ben.transfers).toHaveCount(1);
  await expect(ben.transfers).toContainText('single.txt');
});

/** Has a page write one thing in place of another, of the same length, on all its channels. */
async function rewrite(person: Person, from: string, to: string): Promise<void> {
  await person.context.addInitScript(([from, to]) => {
    const { send } = RTCDataChannel.prototype;
    RTCDataChannel.prototype.send = function (this: RTCDataChannel, data: unknown) {
      const bytes = new Uint8Array(data as Uint8Array);
      const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
      for (let at = text.indexOf(from); at >= 0; at = text.indexOf(from, at + 1)) {
        for (let n = 0; n < to.length; n += 1) bytes[at + n] = to.charCodeAt(n);
      }
      return (send as (data: unknown) => void).call(this, bytes);
    } as typeof send;
  }, [from, to] as const);
}

test('a message has arrived when the link says so, whether or not the page says that it is shown', async ({ server, join, visitor }) => {
  const ada = await join(`${server.url}/r/half`);
  const ben = await visitor();
  await rewrite(ben, 'chat-seen', 'chat-none');
  await ben.enter(`${server.url}/r/half`);
  await ada.sees(1);
  const delivery = ada.messages.locator('.message-delivery');
  await ada.say('hello');
  await expect(ben.heard('hello')).toHaveCount(1);
  await expect(delivery).toHaveText('Delivered');
  await expect(delivery).toHaveAttribute('title', '');
  await ben.page.close();
  await ada.sees(0);
  await expect(delivery).toHaveText('Delivered');
  // A page of this kind says it.
  await join(`${server.url}/r/half`);
  await ada.sees(1);
  await ada.say('again');
  await expect(delivery.last()).toHaveText('Delivered');
  await expect(delivery.last()).toHaveAttribute('title', 'Shown');
});

test('a message that can’t be read is said to be one, once', async ({ server, join, visitor }) => {
  const ada = await join(`${server.url}/r/codec`);
  const ben = await visitor();
  await rewrite(ben, '"text":', '"tune":');
  await ben.enter(`${server.url}/r/codec`);
  await ben.rename('Ben');
  await ada.sees(1);
  await expect(ada.row(await ben.id())).toContainText('Ben');
  await ben.say('one');
  const alert = ada.page.getByRole('alert').filter({ hasText: "A message from “Ben” can't be read" });
  await expect(alert).toBeVisible();
  // The next message takes its place, and another unreadable one doesn't show it again.
  await ada.say('what was that?');
  await expect(alert).toHaveCount(0);
  await ben.say('two');
  const cleo = await join(`${server.url}/r/codec`);
  await cleo.say('three');
  await expect(ada.heard('three')).toHaveCount(1);
  await expect(alert).toHaveCount(0);
});

test('the panel says what was wrong with a frame', async ({ server, join, visitor }) => {
  const ada = await join(`${server.url}/r/frame`);
  const ben = await visitor();
  // The version of the frames, in a link's first.
  await rewrite(ben, 'cvg\u0002', 'cvg\u0009');
  await ben.page.goto(`${server.url}/r/frame`);
  await ada.button('Connection').click();
  const panel = ada.page.getByRole('region', { name: 'Connection', exact: true });
  await expect(panel).toContainText('the peer speaks version 9 of the link protocol');
});
