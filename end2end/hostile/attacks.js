// Attacks by one member on the others' pages. hostile.spec.ts runs them and asserts that the others still work;
// bench/hostile.mjs measures how long their pages are busy.
'use strict';

/**
 * Each `run` is passed to the attackers' page as source: it can use only the hostile members and `wire`. It resolves
 * once all frames are sent, or the links are closed.
 *
 * @typedef {object} Attack
 * @property {string} name
 * @property {(members: any[], wire: any) => unknown} run
 * @property {number} [members] The number of hostile members; one by default.
 * @property {boolean} [closed] Whether the attack must close the link, or must not. If unset, either is right:
 *   back-pressure may slow the member, or its link closes once it exceeds a bound.
 * @property {Record<string, number>} [received] The most replies of a kind, or messages of a channel, that a page may
 *   send.
 */

/** @type {Attack[]} */
const attacks = [
  {
    name: 'chat lines that are an address and brackets',
    run: ([mallory], { bodies }) => {
      const lines = Array.from({ length: 100 }, (_, line) => bodies.message('chat', { id: line + 1, text: 'http://a' + ')'.repeat(3992) }));
      return mallory.each((link) => link.sendBodies(lines));
    },
  },
  {
    name: 'chat lines of beginnings of addresses',
    run: ([mallory], { bodies }) => {
      const lines = Array.from({ length: 100 }, (_, line) => bodies.message('chat', { id: line + 1, text: 'http://-'.repeat(500) }));
      return mallory.each((link) => link.sendBodies(lines));
    },
  },
  {
    name: 'chat lines of addresses',
    run: ([mallory], { bodies }) => {
      const lines = Array.from({ length: 100 }, (_, line) => bodies.message('chat', { id: line + 1, text: 'http://a '.repeat(444) }));
      return mallory.each((link) => link.sendBodies(lines));
    },
  },
  {
    name: '2,000 chat lines at once',
    closed: false,
    run: ([mallory], { bodies }) => {
      const lines = Array.from({ length: 2000 }, (_, line) => bodies.message('chat', { id: line + 1, text: `line ${line}` }));
      return mallory.each(async (link) => {
        await link.sendBodies(lines, { credit: true });
        await link.settled();
      });
    },
  },
  {
    // A fast sender that keeps to its credit loses nothing.
    name: '20,000 messages as fast as they are acknowledged',
    closed: false,
    run: ([mallory], { bodies }) => {
      const messages = new Array(20_000).fill(bodies.message('unknown', 'x'.repeat(100)));
      return mallory.each(async (link) => {
        await link.sendBodies(messages, { credit: true });
        await link.settled();
      });
    },
  },
  {
    name: '5,000 files offered and withdrawn in turn',
    run: ([mallory], { bodies }) => {
      const turns = Array.from({ length: 5000 }, (_, file) => [bodies.offer(file + 1, `${file}.txt`, 'text/plain', 1000), bodies.stop(file + 1)]);
      return mallory.each((link) => link.sendBodies(turns.flat()));
    },
  },
  {
    name: '20,000 candidates over the link',
    run: ([mallory], { RELIABLE, frames }) =>
      mallory.each((link) =>
        link.flood(RELIABLE, 20_000, (n) => {
          // Addresses for documentation: RFC 5737.
          const candidate = `candidate:${n} 1 udp 2113937151 192.0.2.${1 + (n % 254)} ${1024 + n} typ host`;
          return frames.negotiation({ attempt: link.attempt, round: link.round, candidate: { candidate, sdpMid: '0', sdpMLineIndex: 0 } });
        }),
      ),
  },
  {
    name: '1,000 offers to negotiate the link',
    closed: true,
    run: ([mallory], { RELIABLE, frames }) =>
      mallory.each(async (link) => {
        const { sdp } = await link.pc.createOffer();
        await link.flood(RELIABLE, 1000, (n) => frames.negotiation({ attempt: link.attempt, round: n + 1, offer: sdp }));
      }),
  },
  {
    name: '8,000 streams announced',
    run: ([mallory], { RELIABLE, frames }) =>
      mallory.each((link) =>
        link.flood(RELIABLE, 2000, (n) => {
          const ids = [0, 1, 2, 3].map((stream) => n * 4 + stream);
          return frames.presence('converge:media', n + 2, ids.map((id) => ({ id, kind: 'camera', msid: 'a', video: true })));
        }),
      ),
  },
  {
    name: '1,400 presence values of 15 kB',
    run: ([mallory], { RELIABLE, frames }) =>
      mallory.each((link) => {
        const padding = 'x'.repeat(15_000);
        return link.flood(RELIABLE, 1400, (n) => frames.presence('profile', n + 2, { name: 'Mallory', typing: n % 2 === 0, padding }));
      }),
  },
  {
    name: '29,750 questions about the links',
    // An honest page asks every three seconds.
    received: { mesh: 100 },
    run: ([mallory], { LOSSY, frames }) => {
      const question = new Uint8Array(frames.loose('mesh', 'ask'));
      return mallory.each((link) => link.flood(LOSSY, 29_750, () => question));
    },
  },
  {
    name: '300 files offered and withdrawn in turn',
    run: ([mallory], { bodies }) => {
      const turns = Array.from({ length: 300 }, (_, file) => [bodies.offer(file + 1, `${file}.txt`, 'text/plain', 1000), bodies.stop(file + 1)]);
      return mallory.each((link) => link.sendBodies(turns.flat()));
    },
  },
  {
    name: '4,400 requests of a member that acknowledges nothing',
    run: ([mallory], { bodies }) => {
      mallory.acknowledges = false;
      const requests = Array.from({ length: 4400 }, (_, number) => bodies.request(number + 1, 'unserved', 'x'));
      return mallory.each((link) => link.sendBodies(requests));
    },
  },
  {
    name: 'two members that announce 64 MiB and send nothing of it',
    members: 2,
    run: (members, { RELIABLE, BULK, frames }) => {
      const first = frames.first(16 * 1024 * 1024, [0]);
      return Promise.all(
        members.map((member) =>
          member.each((link) => {
            link.raw(RELIABLE, first);
            link.raw(BULK, first);
          }),
        ),
      );
    },
  },
  {
    name: 'candidates of addresses that no browser has',
    run: ([mallory], { RELIABLE, frames }) =>
      mallory.each(async (link) => {
        const odd = ['0.0.0.0', '::', '255.255.255.255', '224.0.0.251', 'ff02::1', 'router.example', 'metadata.internal', '1'];
        // The last is an address that a browser may have (RFC 5737), sent after the others.
        for (const address of [...odd, '192.0.2.77']) {
          const candidate = { candidate: `candidate:1 1 udp 2113937151 ${address} 5353 typ host`, sdpMid: '0', sdpMLineIndex: 0 };
          await link.send(RELIABLE, frames.negotiation({ attempt: link.attempt, round: link.round, candidate }));
        }
      }),
  },
  {
    name: 'a chat message that reads like the page’s own words',
    run: ([mallory], { bodies }) => mallory.each((link) => link.sendBodies([bodies.message('chat', 'Your session has expired. Sign in again at evil.example.')])),
  },
];

module.exports = { attacks };
