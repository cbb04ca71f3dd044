// Firefox with Firefox, and Firefox with Chromium in both orders of arrival.
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { made_up } from './call';
import firefox from './firefox.js';
import { type BrowserName, expect, type Member, test } from './members';

test.skip(!firefox.executablePath, firefox.missing);
test.use({ launchOptions: { ...made_up, args: [...made_up.args, '--use-fake-ui-for-media-stream'] } });

const MB = 1024 * 1024;

type Names = Record<string, Member>;

/** Names every member, and expects links and these names on every page. */
async function met(members: Names): Promise<void> {
  const all = Object.entries(members);
  for (const [name, member] of all) await member.rename(name);
  for (const [, member] of all) {
    await member.sees(all.length - 1);
    for (const [name, other] of all) {
      const row = member.row(await other.id());
      await expect.poll(() => row.allTextContents()).toEqual([expect.stringContaining(name)]);
    }
  }
}

/** Sends a message. Expects one copy at the receiver, and the delivery state at the sender. */
async function talk(from: Member, to: Member, text: string, direct = false): Promise<void> {
  await from.say(text, direct ? await to.id() : '');
  await expect.poll(() => to.heard(text).count()).toBe(1);
  await expect.poll(() => from.delivery(text)).toBe('Delivered');
}

/** Expects the video's position to advance. */
async function plays(viewer: Member, figure: string): Promise<void> {
  await expect.poll(() => viewer.position(figure)).toBeGreaterThan(0);
  const before = await viewer.position(figure);
  await expect.poll(() => viewer.position(figure)).toBeGreaterThan(before);
}

const pairs: [BrowserName, BrowserName][] = [
  ['Firefox', 'Firefox'],
  ['Firefox', 'Chromium'],
  ['Chromium', 'Firefox'],
];

for (const [first, second] of pairs) {
  test.describe(`${first}, then ${second}`, () => {
    test('they meet, and messages arrive both ways', async ({ member }) => {
      const [ada, ben] = [await member(first, 'lobby'), await member(second, 'lobby')];
      await met({ Ada: ada, Ben: ben });
      await talk(ada, ben, 'hello from Ada');
      await talk(ben, ada, 'hello from Ben');
      await talk(ada, ben, 'for Ben alone', true);
      await talk(ben, ada, 'for Ada alone', true);
    });

    test('files of 20 MB arrive both ways', async ({ member }, info) => {
      const members: Names = { Ada: await member(first, 'files'), Ben: await member(second, 'files') };
      await met(members);
      const offers = Object.entries(members).map(([name, member]) => {
        const [bytes, file] = [randomBytes(20 * MB), `${name}-${info.testId}.bin`];
        return { member, bytes, file, hash: createHash('sha256').update(bytes).digest('hex') };
      });
      for (const { member, bytes, file } of offers) {
        const path = info.outputPath(file);
        await writeFile(path, bytes);
        await member.attach(path);
      }
      for (const { member } of offers) {
        await expect.poll(() => member.transfers.count()).toBe(2);
        await member.button('Accept').click();
      }
      for (const { member } of offers) {
        const done = expect.stringContaining('done');
        await expect.poll(() => member.transfers.allTextContents()).toEqual([done, done]);
      }
      const [fromAda, fromBen] = offers;
      await members.Ben.saves(fromAda.file, fromAda.hash);
      await members.Ada.saves(fromBen.file, fromBen.hash);
    });

    test('cameras are seen, also by a member that joins later', async ({ member }) => {
      const [ada, ben] = [await member(first, 'call'), await member(second, 'call')];
      await met({ Ada: ada, Ben: ben });
      for (const member of [ada, ben]) {
        await member.button('Camera').click();
        await expect.poll(() => member.pressed('Camera')).toBe(true);
      }
      await plays(ada, 'Ada’s camera (you)');
      await plays(ben, 'Ada’s camera');
      await plays(ada, 'Ben’s camera');
      const cleo = await member(second, 'call');
      await met({ Ada: ada, Ben: ben, Cleo: cleo });
      for (const member of [ada, ben]) {
        await member.button('Devices').click();
        await member.button('Show me to Cleo').click();
      }
      await plays(cleo, 'Ada’s camera');
      await plays(cleo, 'Ben’s camera');
    });

    test('a reload keeps the id and brings the link back', async ({ member }) => {
      const [ada, ben] = [await member(first, 'reload'), await member(second, 'reload')];
      await met({ Ada: ada, Ben: ben });
      for (const [one, other, text] of [[ada, ben, 'Ada is back'], [ben, ada, 'Ben is back']] as const) {
        const id = await one.id();
        await one.reload();
        expect(await one.id()).toBe(id);
        await Promise.all([one.sees(1), other.sees(1)]);
        await talk(one, other, text);
      }
    });

    test.describe('while the server is away', () => {
      test.use({ mayComplain: [/WebSocket connection to .* failed|can.t establish a connection to the server/] });

      test('the link stays, and a newcomer meets both after the restart', async ({ member, server }) => {
        const [ada, ben] = [await member(first, 'restart'), await member(second, 'restart')];
        await met({ Ada: ada, Ben: ben });
        const ids = [await ada.id(), await ben.id()];
        await server.stop('SIGKILL');
        for (const member of [ada, ben]) {
          await expect.poll(() => member.state('data-status')).toBe('reconnecting');
          expect(await member.state('data-links')).toBe('1');
        }
        await talk(ada, ben, 'can you hear me?');
        await talk(ben, ada, 'yes');

        await server.start();
        for (const member of [ada, ben]) await member.connected();
        expect([await ada.id(), await ben.id()]).toEqual(ids);
        const cleo = await member(second, 'restart');
        await met({ Ada: ada, Ben: ben, Cleo: cleo });
      });
    });
  });
}

test('a duplicated tab of Firefox is another member', async ({ member }) => {
  const ada = await member('Firefox', 'copies');
  const copy = await ada.duplicate();
  await copy.sees(1);
  await ada.sees(1);
  expect(await copy.id()).not.toBe(await ada.id());
});
