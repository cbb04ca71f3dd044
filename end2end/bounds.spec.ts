// Other members decide how much they send, and how often: a page's work and rows are bounded.
import { writeFile } from 'node:fs/promises';
import { deflateSync } from 'node:zlib';
import { expect, type Person, test } from './fixtures';

async function two(person: (room: string) => Promise<Person>): Promise<[Person, Person]> {
  const both: [Person, Person] = [await person('bounds'), await person('bounds')];
  for (const one of both) await one.sees(1);
  return both;
}

/** Sends these texts in one task. Resolves once the last is in the sender's own log. */
async function flood(person: Person, texts: string[]): Promise<void> {
  await person.field.evaluate((field: HTMLTextAreaElement, texts) => {
    for (const text of texts) {
      field.value = text;
      field.form?.requestSubmit();
    }
  }, texts);
  await expect(person.heard(texts[texts.length - 1])).toHaveCount(1);
}

/** An all-black picture of these dimensions, in few bytes. */
function png(width: number, height: number): Buffer {
  const table = Array.from({ length: 256 }, (_, n) => {
    let sum = n;
    for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? 0xedb88320 ^ (sum >>> 1) : sum >>> 1;
    return sum;
  });
  const chunk = (kind: string, content: Buffer) => {
    const body = Buffer.concat([Buffer.from(kind), content]);
    const sum = body.reduce((sum, byte) => (table[(sum ^ byte) & 255] ^ (sum >>> 8)) >>> 0, 0xffffffff);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(content.length);
    check.writeUInt32BE((sum ^ 0xffffffff) >>> 0);
    return Buffer.concat([length, body, check]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  // One bit per pixel, greyscale.
  head[8] = 1;
  const rows = Buffer.alloc((Math.ceil(width / 8) + 1) * height);
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

test('a flood of lines is shown in part, and keeps the lines of other members', async ({ person }) => {
  const [ada, mallory] = await two(person);
  await ada.say('said before');
  await expect(mallory.heard('said before')).toHaveCount(1);
  const changes = ada.page.evaluate(
    () =>
      new Promise<number>((done) => {
        const log = document.querySelector('.log');
        let changes = 0;
        const observer = new MutationObserver(() => {
          changes += 1;
          if (log?.textContent?.includes('line 1999.')) {
            observer.disconnect();
            done(changes);
          }
        });
        if (log) observer.observe(log, { childList: true });
      }),
  );
  await flood(mallory, Array.from({ length: 2000 }, (_, n) => `line ${n}.`));
  // Lines that arrive in one frame are added in one batch.
  expect(await changes).toBeLessThan(1000);
  const rows = ada.messages.getByRole('article');
  await expect(rows).toHaveCount(200);
  await expect(ada.heard('line 1999.')).toBeInViewport();
  await ada.button('Show all 500 messages').click();
  await expect(rows).toHaveCount(500);
  await expect(ada.heard('said before')).toHaveCount(1);
  // At its end the log shows few rows again, and scrolls to new lines.
  await ada.messages.evaluate((log) => log.scrollTo(0, log.scrollHeight));
  await expect(rows).toHaveCount(200);
  await mallory.say('the last');
  await expect(ada.heard('the last')).toBeInViewport();
  await ada.say('still here');
  await expect(mallory.heard('still here')).toHaveCount(1);
});

test('a text of many addresses, brackets or lines is folded, and the page stays responsive', async ({ person }) => {
  const [ada, mallory] = await two(person);
  const brackets = `http://a${')'.repeat(3992)}`;
  await flood(mallory, Array.from({ length: 20 }, () => brackets).concat('after brackets'));
  await expect(ada.heard('after brackets')).toHaveCount(1);
  await expect(ada.messages.getByRole('link')).toHaveText(Array(20).fill('http://a'));
  await flood(mallory, ['http://-'.repeat(8000), 'http://a.b '.repeat(300), '\n'.repeat(64_000) + 'x', 'after lines']);
  await expect(ada.heard('after lines')).toHaveCount(1);
  await expect(ada.messages.getByRole('link')).toHaveCount(70);
  const height = () => ada.messages.getByRole('article').evaluateAll((rows) => Math.max(...rows.map((row) => row.clientHeight)));
  expect(await height()).toBeLessThan(4000);
  await expect(ada.button('Show all (64.0 kB)')).toHaveCount(2);
});

test('withdrawn offers leave few rows', async ({ person }) => {
  const [ada, mallory] = await two(person);
  for (let offer = 1; offer <= 30; offer += 1) {
    await mallory.page.getByLabel('File', { exact: true }).setInputFiles({ name: `${offer}.txt`, mimeType: 'text/plain', buffer: Buffer.from('x') });
    await mallory.transfers.filter({ hasText: `${offer}.txt` }).getByRole('button', { name: 'Cancel', exact: true }).click();
  }
  await expect(ada.page.getByText('26 ended offers are no longer listed.')).toBeVisible();
  await expect(ada.transfers).toHaveCount(4);
  await expect(ada.transfers.first()).toContainText('30.txt');
  // A file that is not withdrawn stays complete.
  await mallory.page.getByLabel('File', { exact: true }).setInputFiles({ name: 'kept.txt', mimeType: 'text/plain', buffer: Buffer.from('x') });
  await ada.button('Accept').click();
  await expect(ada.page.getByRole('link', { name: 'Save kept.txt' })).toBeVisible();
});

test('a picture of gigabytes is not decoded, and a large one is drawn small', async ({ person }, info) => {
  const [ada, mallory] = await two(person);
  await ada.page.evaluate(() => {
    const decode = window.createImageBitmap.bind(window) as (...all: unknown[]) => Promise<ImageBitmap>;
    Object.assign(window, { decoded: 0 });
    window.createImageBitmap = ((...all: unknown[]) => {
      Object.assign(window, { decoded: (window as unknown as { decoded: number }).decoded + 1 });
      return decode(...all);
    }) as typeof window.createImageBitmap;
  });
  const pictures: [string, Buffer][] = [
    ['huge.png', png(17_000, 17_000)],
    ['photo.png', png(4000, 3000)],
    ['broken.png', Buffer.from('no picture')],
  ];
  expect(pictures[0][1].length).toBeLessThan(100_000);
  for (const [name, content] of pictures) await writeFile(info.outputPath(name), content);
  await mallory.attach(pictures.map(([name]) => info.outputPath(name)));
  await ada.page.getByRole('button', { name: 'Accept all (3)' }).click();
  const row = (name: string) => ada.transfers.filter({ hasText: name });
  await expect(row('huge.png')).toContainText('Too large to preview.');
  await expect(row('broken.png')).toContainText("This picture can't be previewed.");
  const photo = row('photo.png').getByRole('img', { name: 'photo.png' });
  await expect(photo).toBeVisible();
  expect(await photo.evaluate((canvas: HTMLCanvasElement) => [canvas.width, canvas.height])).toEqual([720, 540]);
  for (const name of ['huge.png', 'broken.png']) await expect(row(name).getByRole('img')).toHaveCount(0);
  expect(await ada.page.evaluate(() => (window as unknown as { decoded: number }).decoded)).toBe(1);
  await expect(ada.page.getByRole('link', { name: 'Save huge.png' })).toBeVisible();
  await ada.page.screenshot({ path: info.outputPath('previews.png') });
});

test('presence that changes without pause is drawn once a frame', async ({ person }) => {
  const [ada, mallory] = await two(person);
  await mallory.rename('Mallory');
  const name = ada.row(await mallory.id()).locator('.person-name');
  await expect(name).toHaveText('Mallory');
  // Without frames the row does not change, until the fallback timer draws the newest name.
  const seen = name.evaluate(
    (name) =>
      new Promise<string[]>((done) => {
        const seen: string[] = [];
        const frames: FrameRequestCallback[] = [];
        window.requestAnimationFrame = (frame) => frames.push(frame);
        const observer = new MutationObserver(() => {
          seen.push(name.textContent ?? '');
          if (seen[seen.length - 1] === 'last') done(seen);
        });
        observer.observe(name, { characterData: true, childList: true, subtree: true });
      }),
  );
  await mallory.page.getByRole('textbox', { name: 'Your name', exact: true }).evaluate(async (field: HTMLInputElement) => {
    for (let n = 0; n <= 60; n += 1) {
      field.value = n < 60 ? `name ${n}` : 'last';
      field.dispatchEvent(new InputEvent('input', { bubbles: true }));
      await new Promise((next) => setTimeout(next, 20));
    }
  });
  expect((await seen).length).toBeLessThan(40);
});

test('an undecodable message is not quoted in the alert', async ({ person, visitor, server }) => {
  const ada = await person('words');
  const mallory = await visitor();
  await mallory.context.addInitScript(() => {
    const { send } = RTCDataChannel.prototype;
    // A JSON string in place of an object, of the same length.
    RTCDataChannel.prototype.send = function (this: RTCDataChannel, data: unknown) {
      const bytes = new Uint8Array(data as Uint8Array);
      const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
      const [start, end] = [text.indexOf('{"id":'), text.lastIndexOf('"}')];
      if (start >= 0 && text.includes('YOUR ACCOUNT')) {
        bytes.fill(32, start, end + 2);
        const words = '"YOUR ACCOUNT IS BLOCKED. CALL 555"';
        for (let n = 0; n < words.length; n += 1) bytes[start + n] = words.charCodeAt(n);
      }
      return (send as (data: unknown) => void).call(this, bytes);
    } as typeof send;
  });
  await mallory.enter(`${server.url}/r/words`);
  await mallory.rename('”. Pay now: “');
  await ada.sees(1);
  await expect(ada.row(await mallory.id())).toContainText('Pay now');
  await mallory.say(`YOUR ACCOUNT ${'x'.repeat(300)}`);
  const alert = ada.page.getByRole('alert').filter({ hasText: "can't be read" });
  await expect(alert).toHaveText("A message from “’. Pay now: ’” can't be read: their page writes messages in another way than this one.");
  await expect(ada.page.getByText('YOUR ACCOUNT')).toHaveCount(0);
});

test.describe('a server that speaks for the page', () => {
  test.use({ mayComplain: [/WebSocket/] });

  test('is quoted, not repeated', async ({ server, visitor }, info) => {
    const ada = await visitor();
    const message = `Pay\u202e 5 coins”. This page says: ${'very '.repeat(10_000)}much`;
    await ada.page.routeWebSocket(/\/signal/, (socket) => {
      socket.onMessage(() => socket.send(JSON.stringify({ error: { code: 'origin', message } })));
      // The real server sends the challenge first.
      socket.connectToServer();
    });
    await ada.page.goto(`${server.url}/r/quoted`);
    const notice = ada.page.getByRole('alert').filter({ hasText: 'The room could not be opened' });
    await expect(notice).toContainText('This server takes no pages from this address.');
    await expect(notice).toContainText('The server says: “Pay 5 coins’. This page says: very');
    const foreign = notice.locator('bdi');
    expect(((await foreign.textContent()) ?? '').length).toBeLessThan(220);
    await ada.page.screenshot({ path: info.outputPath('refused.png') });
  });
});
