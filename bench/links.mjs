// What a link carries: much data, many small messages, and one at a time to and fro. Beside the same in plain JavaScript
// on two RTCPeerConnections wired by hand, on the same page, in turn. Prints `RESULT name=value unit`.
import { chromium } from '@playwright/test';
import launch from '../end2end/chromium.js';
import { linksSite, median, result, serve } from './common.mjs';

const ROUNDS = 9;
// Most of a round trip is threads of the browser waiting for each other: one round says little.
const TRIP_ROUNDS = 31;
const PIECE = 64 * 1024;
const PIECES = 128;
const SMALL = 100;
const MESSAGES = 10_000;
const TRIPS = 300;

/** In the page: plain JavaScript with what converge's `Pair` has. */
function raw() {
  /** As much is handed to a channel as it may hold, and more when a quarter of that is left. */
  const HIGH = 1024 * 1024;
  // Three channels, as every link of converge has. The first and the last are reliable and in order.
  const lanes = [{}, { ordered: false, maxRetransmits: 0 }, {}];

  async function join() {
    const [one, two] = [new RTCPeerConnection(), new RTCPeerConnection()];
    one.onicecandidate = ({ candidate }) => candidate && two.addIceCandidate(candidate);
    two.onicecandidate = ({ candidate }) => candidate && one.addIceCandidate(candidate);
    const [ada, ben] = [one, two].map((side) =>
      lanes.map((lane, id) => {
        const channel = side.createDataChannel('raw', { ...lane, negotiated: true, id });
        channel.binaryType = 'arraybuffer';
        channel.bufferedAmountLowThreshold = HIGH / 4;
        return channel;
      }),
    );
    const open = Promise.all([...ada, ...ben].map((channel) => new Promise((opened) => (channel.onopen = opened))));
    await one.setLocalDescription();
    await two.setRemoteDescription(one.localDescription);
    await two.setLocalDescription();
    await one.setRemoteDescription(two.localDescription);
    await open;
    return { stream: stream(ada, ben), trips: trips(ada, ben) };
  }

  const stream = (ada, ben) => async (bulk, count, bytes) => {
    const [from, to] = [ada, ben].map((channels) => channels[bulk ? 2 : 0]);
    const message = new Uint8Array(bytes).fill(7);
    let received = 0;
    const done = new Promise((finished) => {
      to.onmessage = ({ data }) => {
        received += data.byteLength;
        if (received === count * bytes) finished();
      };
    });
    for (let sent = 0; sent < count; sent += 1) {
      if (from.bufferedAmount >= HIGH) await new Promise((low) => (from.onbufferedamountlow = low));
      from.send(message);
    }
    await done;
    return received;
  };

  const trips = (ada, ben) => async (count, bytes) => {
    const message = new Uint8Array(bytes).fill(7);
    ben[0].onmessage = ({ data }) => ben[0].send(data);
    for (let trip = 0; trip < count; trip += 1) {
      const back = new Promise((came) => (ada[0].onmessage = came));
      ada[0].send(message);
      await back;
    }
  };

  return { join };
}

// What is measured is a page of its own, which the server lets in only if it is told to.
const server = await serve('--allow-origin', '*');
const site = await linksSite();
const browser = await chromium.launch(launch);
try {
  const page = await browser.newPage();
  await page.goto(site.url);
  await page.evaluate(`globalThis.raw = (${raw})()`);
  await page.evaluate(async (server) => {
    const converge = await import('/links.js');
    await converge.default();
    globalThis.pairs = { converge: await converge.Pair.join('bench', server), raw: await globalThis.raw.join() };
  }, server.url);

  /** How many milliseconds a call takes, by the page's clock. */
  const time = (side, method, ...args) =>
    page.evaluate(
      async ([side, method, args]) => {
        const started = performance.now();
        const received = await globalThis.pairs[side][method](...args);
        const took = performance.now() - started;
        if (method === 'stream' && received !== args[1] * args[2]) throw new Error(`${received} bytes arrived`);
        return took;
      },
      [side, method, args],
    );

  /** Both sides in turn; the median of each. The first round, the browser's and the compiler's own first time, is none. */
  async function compare(rounds, method, ...args) {
    const times = { raw: [], converge: [] };
    for (let round = 0; round <= rounds; round += 1) {
      const order = round % 2 ? ['raw', 'converge'] : ['converge', 'raw'];
      for (const side of order) {
        const took = await time(side, method, ...args);
        if (round) times[side].push(took);
      }
    }
    return { ours: median(times.converge), theirs: median(times.raw) };
  }

  const bulk = await compare(ROUNDS, 'stream', true, PIECES, PIECE);
  const megabytes = (millis) => (PIECES * PIECE) / 1000 / millis;
  result('bulk_ratio', bulk.theirs / bulk.ours, 2, 'x');
  result('bulk_mb_s', megabytes(bulk.ours), 1, 'MB/s');
  result('raw_bulk_mb_s', megabytes(bulk.theirs), 1, 'MB/s');

  const small = await compare(ROUNDS, 'stream', false, MESSAGES, SMALL);
  result('small_messages_ratio', small.theirs / small.ours, 2, 'x');
  result('small_messages_s', (MESSAGES / small.ours) * 1000, 0, 'messages/s');
  result('raw_small_messages_s', (MESSAGES / small.theirs) * 1000, 0, 'messages/s');

  const trips = await compare(TRIP_ROUNDS, 'trips', TRIPS, SMALL);
  result('rtt_ratio', trips.ours / trips.theirs, 2, 'x');
  result('rtt_us', (trips.ours / TRIPS) * 1000, 0, 'µs');
  result('raw_rtt_us', (trips.theirs / TRIPS) * 1000, 0, 'µs');
} finally {
  await browser.close();
  site.stop();
  server.stop();
}
