import { createCipheriv, createHash } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import type { TestInfo } from '@playwright/test';
import { expect, type Person, recordConnections, test } from './fixtures';

const MB = 1024 * 1024;

function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The same bytes each time, in which no two places look alike. */
function noise(bytes: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

/** A file in the test's own folder. */
async function makeFile(info: TestInfo, name: string, bytes: number): Promise<{ path: string; hash: string }> {
  const [path, content] = [info.outputPath(name), noise(bytes)];
  await writeFile(path, content);
  return { path, hash: sha256(content) };
}

/** A file that takes no room, for transfers that never end. */
async function makeHollowFile(info: TestInfo, name: string, bytes: number): Promise<string> {
  const path = info.outputPath(name);
  const file = await open(path, 'w');
  await file.truncate(bytes);
  await file.close();
  return path;
}

/** The hash of what the link gives. */
async function savedHash(person: Person, name: string): Promise<string> {
  const link = person.page.getByRole('link', { name: `Save ${name}`, exact: true });
  await expect(link).toHaveAttribute('download', name);
  return link.evaluate(async (link: HTMLAnchorElement) => {
    const bytes = await (await fetch(link.href)).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  });
}

/** For what moves or lays out megabytes, on a busy machine. */
const LONG = { timeout: 300_000 };

/**
 * Resolves when the only transfer has come past this share of the whole, and is not done. Looks at every change: however
 * fast the file moves, none is missed. Where the page records its connections, they can be closed in the same moment.
 * Returns the share, and how many connections were closed.
 */
async function progress(person: Person, share: number, cut = false): Promise<{ share: number; closed: number }> {
  return person.page.evaluate(
    ({ share, cut }) =>
      new Promise<{ share: number; closed: number }>((done) => {
        const look = () => {
          const bar = document.querySelector('progress');
          if (bar === null || bar.value <= share * bar.max || bar.value >= bar.max) return;
          observer.disconnect();
          const open = cut ? window.connections.filter((connection) => connection.connectionState === 'connected') : [];
          for (const connection of open) connection.close();
          done({ share: bar.value / bar.max, closed: open.length });
        };
        const observer = new MutationObserver(look);
        observer.observe(document.body, { attributes: true, attributeFilter: ['value'], childList: true, subtree: true });
        look();
      }),
    { share, cut },
  );
}

/** Two people in one room who have met. */
async function two(person: (room: string) => Promise<Person>): Promise<[Person, Person]> {
  const both: [Person, Person] = [await person('files'), await person('files')];
  for (const one of both) await one.sees(1);
  return both;
}

test('fifty megabytes arrive as they were, and one sees them come', async ({ person }, info) => {
  test.setTimeout(900_000);
  const { path, hash } = await makeFile(info, 'big.bin', 50 * MB);
  const [ada, ben] = await two(person);
  await ada.rename('Ada');
  await expect(ben.row(await ada.id())).toContainText('Ada');
  await ada.attach(path, await ben.id());
  const [sent, received] = [ada.transfers, ben.transfers];
  await expect(sent).toHaveCount(1);
  await expect(sent).toContainText('big.bin');
  await expect(sent).toContainText('52.4 MB');
  await expect(sent).toContainText('offered');
  await expect(received).toContainText('from Ada');
  await expect(received).toContainText('52.4 MB');
  await expect(received).toContainText('offered');
  for (const row of [sent, received]) {
    await expect(row.getByRole('progressbar', { name: 'big.bin', exact: true })).toHaveAttribute('value', '0');
  }

  const moving = Promise.all([progress(ada, 0), progress(ben, 0)]);
  await received.getByRole('button', { name: 'Accept', exact: true }).click();
  await moving;
  await expect(received).toContainText('done', LONG);
  await expect(sent).toContainText('done');
  expect(await savedHash(ben, 'big.bin')).toBe(hash);

  // As a person saves it.
  const download = ben.page.waitForEvent('download');
  await received.getByRole('link', { name: 'Save big.bin', exact: true }).click();
  expect((await download).suggestedFilename()).toBe('big.bin');
  expect(sha256(await readFile(await (await download).path()))).toBe(hash);

  for (const one of [ada, ben]) {
    await one.transfers.getByRole('button', { name: 'Remove', exact: true }).click();
    await expect(one.transfers).toHaveCount(0);
  }
});

test('a file whose connection is cut half-way arrives all the same', async ({ server, visitor, person }, info) => {
  test.setTimeout(900_000);
  const { path, hash } = await makeFile(info, 'big.bin', 50 * MB);
  const ben = await person('files');
  const ada = await visitor();
  await recordConnections(ada.context);
  await ada.enter(`${server.url}/r/files`);
  await ada.sees(1);
  await ada.attach(path);
  const half = progress(ada, 0.3, true);
  await ben.transfers.getByRole('button', { name: 'Accept', exact: true }).click();
  const { closed, share } = await half;
  expect(closed).toBe(1);
  // The receiver lets the sender be four megabytes ahead of what this counts: it was not done either.
  expect(share).toBeLessThan(0.9);
  await expect(ben.transfers).toContainText('done', LONG);
  await expect(ada.transfers).toContainText('done');
  expect(await savedHash(ben, 'big.bin')).toBe(hash);
  for (const one of [ada, ben]) await one.sees(1);
});

test('a file may be declined', async ({ person }, info) => {
  const { path } = await makeFile(info, 'unwanted.txt', 1000);
  const [ada, ben] = await two(person);
  await ada.attach(path, await ben.id());
  await ben.transfers.getByRole('button', { name: 'Decline', exact: true }).click();
  for (const one of [ada, ben]) {
    await expect(one.transfers).toContainText('declined');
    await expect(one.transfers.getByRole('button')).toHaveText(['Remove']);
    await expect(one.transfers.getByRole('link')).toHaveCount(0);
  }
});

for (const [who, other] of [['sender', 'receiver'], ['receiver', 'sender']]) {
  test(`the ${who} may cancel a file under way, and the ${other} sees it`, async ({ person }, info) => {
    const path = await makeHollowFile(info, 'endless.bin', 2000 * MB);
    const { path: small, hash } = await makeFile(info, 'small.bin', MB);
    const [ada, ben] = await two(person);
    await ada.attach(path, await ben.id());
    const moving = progress(ben, 0);
    await ben.transfers.getByRole('button', { name: 'Accept', exact: true }).click();
    await moving;
    const one = who === 'sender' ? ada : ben;
    await one.transfers.getByRole('button', { name: 'Cancel', exact: true }).click();
    for (const one of [ada, ben]) {
      await expect(one.transfers).toContainText('cancelled');
      await one.transfers.getByRole('button', { name: 'Remove', exact: true }).click();
      await expect(one.transfers).toHaveCount(0);
    }

    // The way is free again.
    await ada.attach(small, await ben.id());
    await ben.transfers.getByRole('button', { name: 'Accept', exact: true }).click();
    expect(await savedHash(ben, 'small.bin')).toBe(hash);
  });
}

test('a file to everyone is one for each', async ({ person }, info) => {
  const files = [await makeFile(info, 'one.bin', MB), await makeFile(info, 'empty.bin', 0)];
  const [ada, ben, cleo] = [await person('files'), await person('files'), await person('files')];
  for (const one of [ada, ben, cleo]) await one.sees(2);
  await ada.attach(files.map((file) => file.path));
  await expect(ada.transfers).toHaveCount(4);
  for (const one of [ben, cleo]) {
    await expect(one.transfers).toHaveCount(2);
    for (const [i, name] of ['one.bin', 'empty.bin'].entries()) {
      await one.transfers.filter({ hasText: name }).getByRole('button', { name: 'Accept', exact: true }).click();
      expect(await savedHash(one, name)).toBe(files[i].hash);
    }
  }
  await expect(ada.transfers.filter({ hasText: 'done' })).toHaveCount(4);
});

test('a file for nobody is not sent, and that is said', async ({ person }, info) => {
  const { path } = await makeFile(info, 'lonely.bin', 1000);
  const ada = await person('files');
  await ada.attach(path);
  await expect(ada.page.getByText('Not sent: nobody else is here.')).toBeVisible();
  await expect(ada.transfers).toHaveCount(0);
  // The same one again, now that somebody is.
  const ben = await person('files');
  await ada.sees(1);
  await ada.attach(path);
  await expect(ben.transfers).toHaveCount(1);
  await expect(ada.page.getByText('Not sent:')).toHaveCount(0);
});

test('five megabytes of text arrive whole, and are shown when asked for', async ({ person }) => {
  test.setTimeout(600_000);
  const [ada, ben] = await two(person);
  const text = noise(5_000_000).toString('base64').slice(0, 4_999_990).replace(/.{99}/g, '$& ').slice(0, 4_999_990) + ' the end.';
  await ada.paste(text);
  await ada.button('Send').click();
  await expect(ada.field).toHaveValue('', LONG);
  for (const one of [ada, ben]) {
    const message = one.messages.getByRole('article');
    await expect(message).toHaveCount(1, LONG);
    const beginning = await message.locator('.message-text').textContent();
    expect(beginning).toBe(text.slice(0, 4000));
    await message.getByRole('button', { name: 'Show all (5.0 MB)', exact: true }).click();
    await expect(message.getByRole('button')).toHaveCount(0, LONG);
    const whole = (await message.locator('.message-text').textContent()) ?? '';
    expect(whole).toHaveLength(text.length);
    expect(sha256(whole)).toBe(sha256(text));
  }
  await ben.say('got it');
  await expect(ada.heard('got it')).toHaveCount(1);
});
