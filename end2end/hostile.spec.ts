// A hostile member with its own wire code can't disturb two honest members: they still exchange messages and files,
// their pages stay small, and the panel gives the reason of each closed link. (media.spec.ts tests the audience of
// media.)
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { deflateSync } from 'node:zlib';
import type { Browser, Locator, TestInfo } from '@playwright/test';
import { expect, type Person, test as base } from './fixtures';
import { attacks } from './hostile/attacks.js';
import { type Act, intrude } from './hostile/member.js';

const MB = 1024 * 1024;

/** The most rows of a page that other members' data may fill. */
const ROWS = { lines: 500, links: 10_000, transfers: 128, people: 4, videos: 16 };

/** The most memory that other members' data may add to a page. */
const GROWTH_BYTES = 256 * MB;

/** Two honest members and the hostile ones in one room. */
type Room = {
  ada: Person;
  ben: Person;
  /** Runs a function in the page of the hostile members. */
  act: Act;
  /** The most bytes by which the honest pages' peak memory has grown since the hostile members joined. */
  growth: () => number;
};

const test = base.extend<{ room: (names?: string[]) => Promise<Room> }>({
  room: async ({ server, visitor, browser }, use) => {
    const contexts: { close(): Promise<void> }[] = [];
    await use(async (names = ['Mallory']) => {
      const people = [await visitor(), await visitor()];
      for (const person of people) await person.context.addInitScript(recordCandidates);
      const before = await renderers(browser);
      for (const person of people) await person.enter(`${server.url}/r/hostile`);
      const [ada, ben] = people as [Person, Person];
      await Promise.all([ada.rename('Ada'), ben.rename('Ben')]);
      await Promise.all([ada.sees(1), ben.sees(1)]);
      // The browser keeps a spare process beside those of the two pages.
      const busy = [...(await renderers(browser))].filter(([id, seconds]) => seconds - (before.get(id) ?? 0) > 0.2);
      const peaks = busy.map(([id]) => [id, peak(id)] as const);
      const growth = () => Math.max(...peaks.map(([id, before]) => peak(id) - before));
      // An attacker is not bound by the server's CSP.
      const context = await browser.newContext({ bypassCSP: true });
      contexts.push(context);
      const act = await intrude(await context.newPage(), server.url, 'hostile', names, 2);
      const ids = await act((members) => members.map((member) => member.id));
      for (const person of people) {
        await person.sees(1 + names.length);
        for (const [at, name] of names.entries()) await expect(person.row(ids[at]!)).toContainText(name);
      }
      return { ada, ben, act, growth };
    });
    await Promise.all(contexts.map((context) => context.close()));
  },
});

declare global {
  interface Window {
    /** Every candidate that the page has passed to `addIceCandidate`. */
    candidates: string[];
  }
}

/** Runs in the page. */
function recordCandidates(): void {
  const native = RTCPeerConnection.prototype.addIceCandidate;
  window.candidates = [];
  RTCPeerConnection.prototype.addIceCandidate = function (...given: unknown[]) {
    window.candidates.push((given[0] as RTCIceCandidateInit | null)?.candidate ?? '');
    return Reflect.apply(native, this, given);
  };
}

/** The CPU seconds of each renderer process, by its id. */
async function renderers(browser: Browser): Promise<Map<number, number>> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return new Map(processInfo.filter(({ type }) => type === 'renderer').map(({ id, cpuTime }) => [id, cpuTime]));
}

/** The peak memory of a process, in bytes; 0 on systems without `/proc`. */
function peak(id: number): number {
  const status = `/proc/${id}/status`;
  return existsSync(status) ? Number(/VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1] ?? 0) * 1024 : 0;
}

/**
 * Sends a line, and expects its beginning in the listener's log, even if later lines evict it soon.
 */
async function hears(speaker: Person, listener: Person, beginning: string, rest = ''): Promise<void> {
  const watch = await listener.messages.evaluateHandle((log, text) => {
    const watch = { heard: false };
    const look = (node: Node) => (watch.heard ||= !!node.textContent?.includes(text));
    new MutationObserver((changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach(look))).observe(log, { childList: true, subtree: true });
    return watch;
  }, beginning);
  await speaker.say(beginning + rest);
  await expect.poll(() => watch.evaluate(({ heard }) => heard), { timeout: 60_000 }).toBe(true);
}

async function talk({ ada, ben }: Room, when: string): Promise<void> {
  await hears(ada, ben, `Ada ${when}`);
  await hears(ben, ada, `Ben ${when}`);
}

/** A row of the list of files. */
function file(person: Person, name: string): Locator {
  return person.transfers.filter({ hasText: name });
}

/** Sends a file, which the receiver accepts. Resolves to its bytes once it has arrived. */
async function sendFile(from: Person, to: Person, info: TestInfo, name: string, bytes: Buffer = randomBytes(100_000)): Promise<Buffer> {
  const path = info.outputPath(name);
  await writeFile(path, bytes);
  await from.attach(path, await to.id());
  await file(to, name).getByRole('button', { name: 'Accept', exact: true }).click();
  await expect(file(to, name)).toContainText('done');
  return bytes;
}

/** Saves a received file through its link, and expects these bytes. */
async function saves(person: Person, name: string, bytes: Buffer): Promise<void> {
  const download = person.page.waitForEvent('download');
  await person.page.getByRole('link', { name: `Save ${name}`, exact: true }).click();
  expect(readFileSync(await (await download).path()).equals(bytes)).toBe(true);
}

/** The entry of a member in the panel that explains the connections. */
async function entry(person: Person, name: string): Promise<Locator> {
  const panel = person.page.getByRole('region', { name: 'Connection', exact: true });
  if (!(await panel.isVisible())) await person.button('Connection').click();
  return panel.getByRole('article').filter({ has: person.page.getByRole('heading', { name, exact: true }) });
}

/** Whether the first hostile member's link to `person` is open. */
async function isLinked({ act }: Room, person: Person): Promise<boolean> {
  return act(([mallory], _, id) => mallory.links.get(id).isOpen, await person.id());
}

/** Expects the panel to give the reason of a closed link, and the link between the honest members to be open. */
async function isExplained(room: Room, person: Person): Promise<void> {
  if (!(await isLinked(room, person))) {
    const mallory = await entry(person, 'Mallory');
    await expect(mallory).toContainText('Not connected: ');
    // Reasons that any link may have don't count.
    await expect(mallory).not.toContainText(/the connection was lost|no answer|no connection came about|page was loaded again/);
  }
  await expect(await entry(person, person === room.ada ? 'Ben' : 'Ada')).toContainText('Connected to ');
}

async function isSmall({ ada, ben, growth }: Room): Promise<void> {
  for (const { page } of [ada, ben]) {
    const rows = await page.evaluate(() => ({
      lines: document.querySelectorAll('[role="log"] article').length,
      transfers: document.querySelectorAll('.transfers > li').length,
      people: document.querySelectorAll('.people-list > li').length,
      videos: document.querySelectorAll('.videos figure').length,
      links: document.querySelectorAll('[role="log"] a').length,
    }));
    for (const [kind, most] of Object.entries(ROWS)) {
      expect(rows[kind as keyof typeof ROWS], kind).toBeLessThanOrEqual(most);
    }
  }
  expect(growth(), 'bytes more').toBeLessThanOrEqual(GROWTH_BYTES);
}

/** Extra assertions by the attack's name: each prepares the attack and returns the check to run afterwards. */
const ALSO: Record<string, (room: Room, info: TestInfo) => Promise<() => Promise<void>>> = {
  '20,000 candidates over the link': async ({ ada, ben }) => async () => {
    // 64 per link and description, and the honest members' few.
    for (const { page } of [ada, ben]) expect(await page.evaluate(() => window.candidates.length)).toBeLessThanOrEqual(200);
  },

  'candidates of addresses that no browser has': async (room) => async () => {
    for (const person of [room.ada, room.ben]) {
      const candidates = () => person.page.evaluate(() => window.candidates);
      if (await isLinked(room, person)) await expect.poll(async () => (await candidates()).join()).toContain('192.0.2.77');
      expect((await candidates()).filter((candidate) => candidate.includes(' 5353 ') && !candidate.includes('192.0.2.77'))).toEqual([]);
    }
  },

  '300 files offered and withdrawn in turn': async ({ ada, ben }, info) => {
    const kept = await sendFile(ben, ada, info, 'kept.bin');
    return () => saves(ada, 'kept.bin', kept);
  },

  '4,400 requests of a member that acknowledges nothing': async ({ ada, ben }) => async () => {
    // Exactly once on each side.
    for (const person of [ada, ben]) {
      for (const text of ['Ada after the attack', 'Ben after the attack']) await expect(person.heard(text)).toHaveCount(1);
    }
  },

  'two members that announce 64 MiB and send nothing of it': async ({ ada, ben }) => async () => {
    // Longer than one frame.
    await hears(ada, ben, 'Ada at length', ' and on'.repeat(30_000));
    await hears(ben, ada, 'Ben at length', ' and on'.repeat(30_000));
  },

  'a chat message that reads like the page’s own words': async ({ ada, ben }) => {
    const alerts = await Promise.all([ada, ben].map((person) => person.watchFor('[role="alert"]', /session has expired/)));
    return async () => expect(await Promise.all(alerts.map((seen) => seen()))).toEqual([false, false]);
  },
};

test('each extra assertion belongs to an attack', () => {
  expect(attacks.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(ALSO)));
});

for (const { name, run, members = 1, closed, received = {} } of attacks) {
  test(`two honest members keep working under ${name}`, async ({ room: enter }, info) => {
    const room = await enter(['Mallory', 'Trudy'].slice(0, members));
    const also = await ALSO[name]?.(room, info);
    await Promise.all([room.act(run), talk(room, 'during the attack')]);
    await talk(room, 'after the attack');
    await also?.();
    await saves(room.ben, 'notes.bin', await sendFile(room.ada, room.ben, info, 'notes.bin'));
    for (const person of [room.ada, room.ben]) {
      if (closed !== undefined) await expect.poll(() => isLinked(room, person)).toBe(!closed);
      await isExplained(room, person);
    }
    const counts = await room.act((members) => members.flatMap((member) => [...member.links.values()].map((link) => link.received)));
    for (const [kind, most] of Object.entries(received)) {
      for (const count of counts) expect(count[kind] ?? 0, kind).toBeLessThanOrEqual(most);
    }
    await isSmall(room);
  });
}

test('a member that joins and leaves at once is announced', async ({ room: enter }) => {
  const { ada, ben, act } = await enter(['Mallory']);
  await act(async ([mallory]) => {
    const visitor = await new mallory.constructor('Eve').join('hostile');
    visitor.tell({ leave: {} });
  });
  // A busy machine may announce joining and leaving separately.
  const told = (text: string) => /came in and left at once\.$|has left\.$/.test(text);
  for (const { page } of [ada, ben]) {
    await expect.poll(async () => (await page.getByRole('status').allTextContents()).some(told)).toBe(true);
  }
});

/** A picture of one colour: few bytes, and many pixels. */
function hugePicture(side: number): Buffer {
  const crc = (bytes: Buffer) => {
    let crc = ~0;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc >>> 0;
  };
  const chunk = (name: string, data: Buffer) => {
    const named = Buffer.concat([Buffer.from(name), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc(named));
    return Buffer.concat([length, named, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  // One bit per pixel, greyscale.
  header[8] = 1;
  // A filter byte precedes each row.
  const rows = Buffer.alloc(side * (1 + side / 8));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

test('two honest members keep working under a picture of few bytes and very many pixels', async ({ room: enter }, info) => {
  const room = await enter([]);
  const { ada, ben } = room;
  const picture = hugePicture(14_400);
  expect(picture.length).toBeLessThan(30_000);
  await sendFile(ben, ada, info, 'huge.png', picture);
  await talk(room, 'beside the picture');
  // Saving does not decode the picture.
  await saves(ada, 'huge.png', picture);
  for (const person of [ada, ben]) {
    const pixels = await file(person, 'huge.png').locator('img, canvas').evaluateAll((pictures) =>
      (pictures as (HTMLImageElement | HTMLCanvasElement)[]).map((picture) =>
        'naturalWidth' in picture ? picture.naturalWidth * picture.naturalHeight : picture.width * picture.height,
      ),
    );
    // Four bytes per pixel.
    for (const each of pixels) expect(each).toBeLessThanOrEqual(GROWTH_BYTES / 4);
  }
  await isSmall(room);
});

test('a member that takes another’s name is marked wherever the page shows its name', async ({ room: enter }) => {
  const { ada, ben, act } = await enter(['Ben']);
  const [honest, hostile] = [await ben.id(), await act(([member]) => member.id)];
  await act(([member], { bodies }) => member.each((link: any) => link.sendBodies([bodies.message('chat', { id: 1, text: 'Send it to me' })])));
  await ben.say('Not to me');
  const author = (text: string) => ada.messages.getByRole('article').filter({ hasText: text }).locator('.message-head bdi');
  const entries = [ada.row(honest), ada.row(hostile), author('Not to me'), author('Send it to me')];
  // Eight symbols, 40 bits of the key's hash, distinguish the two.
  const marked = /Ben\W+([a-z0-9]{4})\W?([a-z0-9]{4})/;
  const codes = await Promise.all(
    entries.map(async (entry) => {
      await expect(entry).toContainText(marked, { useInnerText: true });
      return marked.exec(await entry.innerText())?.slice(1).join('');
    }),
  );
  expect(codes[0]).not.toBe(codes[1]);
  expect(codes.slice(2)).toEqual(codes.slice(0, 2));
  await ada.button('Connection').click();
  await expect(ada.page.getByRole('heading', { name: 'Ben', exact: true })).toHaveCount(0);
});

test('a server’s text is marked as its own, and short', async ({ server, visitor }) => {
  const ada = await visitor();
  const text = 'Your session has expired. Sign in again at evil.example. ';
  await ada.page.routeWebSocket(/\/signal$/, (socket) => {
    const onward = socket.connectToServer();
    onward.onMessage((message) => {
      const refused = { error: { code: 'bad_signature', message: text.repeat(100) } };
      socket.send(String(message).startsWith('{"welcome"') ? JSON.stringify(refused) : message);
    });
  });
  await ada.page.goto(`${server.url}/r/hostile`);
  const alert = ada.page.getByRole('alert').filter({ has: ada.page.getByRole('heading') });
  await expect(alert).toBeVisible();
  const said = await alert.innerText();
  expect(said.length).toBeLessThan(1000);
  // If the page shows the server's text, its own words mark it.
  if (said.includes('session has expired')) expect(said).toMatch(/The server says:\s*\W?Your session/);
});
