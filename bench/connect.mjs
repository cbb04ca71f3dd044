// How long it takes the second tab of a room to have an open link, beside two RTCPeerConnections wired by hand in plain
// JavaScript on one page; and what a visitor downloads. Prints `RESULT name=value unit`.
import { get } from 'node:http';
import { chromium } from '@playwright/test';
import launch from '../end2end/chromium.js';
import { median, result, serve } from './common.mjs';

const PAIRS = 20;

const { url, stop } = await serve();
const browser = await chromium.launch(launch);

// One browser with tabs, as people have it. Tabs say themselves how far they are: asking them would run the asker's
// script in the middle of what is measured.
const context = await browser.newContext();
await context.addInitScript(() => {
  new PerformanceObserver((list) => {
    for (const { name } of list.getEntries()) if (name.startsWith('converge:')) console.debug(name);
  }).observe({ type: 'mark', buffered: true });
});

/** A new tab; `until` is the mark to wait for, else the page's load. */
async function tab(path, until) {
  const page = await context.newPage();
  const marked = until && page.waitForEvent('console', (message) => message.text() === until);
  await page.goto(url + path);
  await marked;
  return page;
}

/** Lets what the last tab left to do pass: nobody opens two in the same breath. */
const quiet = () => new Promise((passed) => setTimeout(passed, 500));

/** The second tab's time from the start of joining to the first open link, and from navigation to that. */
async function converge(pair) {
  const first = await tab(`/r/bench-${pair}`, 'converge:welcome');
  await quiet();
  const second = await tab(`/r/bench-${pair}`, 'converge:link-open');
  const marks = await second.evaluate(() =>
    Object.fromEntries(performance.getEntriesByType('mark').map((mark) => [mark.name, mark.startTime])),
  );
  // The same once more from a page that has come to rest: out of the room, and in again.
  await second.getByRole('button', { name: 'Leave room' }).click();
  await quiet();
  await second.evaluate(() => performance.clearMarks());
  const again = second.waitForEvent('console', (message) => message.text() === 'converge:link-open');
  await second.getByRole('button', { name: 'Join again' }).click();
  await again;
  const [joins, links] = await second.evaluate(() =>
    ['converge:join', 'converge:link-open'].map((name) => performance.getEntriesByName(name)[0].startTime),
  );
  await first.close();
  await second.close();
  const joined = marks['converge:join'];
  return {
    calm: links - joins,
    link: marks['converge:link-open'] - joined,
    welcome: marks['converge:welcome'] - joined,
    navigation: marks['converge:link-open'],
  };
}

/**
 * The floor: the same two connections in plain JavaScript, with nothing between them. On a page of the same site, as it
 * loads: a browser that is busy with a new page takes longer for everything.
 */
async function raw(wait = 0) {
  await quiet();
  const page = await context.newPage();
  await page.addInitScript((wait) => {
    addEventListener('load', async () => {
      await new Promise((passed) => setTimeout(passed, wait));
      const started = performance.now();
      const [one, two] = [new RTCPeerConnection(), new RTCPeerConnection()];
      one.onicecandidate = ({ candidate }) => candidate && two.addIceCandidate(candidate);
      two.onicecandidate = ({ candidate }) => candidate && one.addIceCandidate(candidate);
      const channels = [one, two].map((side) => side.createDataChannel('raw', { negotiated: true, id: 0 }));
      const open = Promise.all(channels.map((channel) => new Promise((opened) => (channel.onopen = opened))));
      await one.setLocalDescription();
      await two.setRemoteDescription(one.localDescription);
      await two.setLocalDescription();
      await one.setRemoteDescription(two.localDescription);
      await open;
      console.debug(`raw ${performance.now() - started}`);
    });
  }, wait);
  const said = page.waitForEvent('console', (message) => message.text().startsWith('raw '));
  await page.goto(url);
  const took = Number((await said).text().slice(4));
  await page.close();
  return took;
}

/** How many bytes of a file travel to a browser that takes brotli. */
function download(path) {
  return new Promise((done, failed) => {
    get(url + path, { headers: { 'accept-encoding': 'br' } }, (response) => {
      if (response.statusCode !== 200 || response.headers['content-encoding'] !== 'br') {
        return failed(new Error(`${path}: ${response.statusCode} ${response.headers['content-encoding']}`));
      }
      let bytes = 0;
      response.on('data', (chunk) => (bytes += chunk.length)).on('end', () => done(bytes));
    }).on('error', failed);
  });
}

try {
  // Once of each, unmeasured: the browser's own first time.
  await converge('warm-up');
  await raw();
  const [ours, theirs, calm] = [[], [], []];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    // In turn, so that neither always runs on the warmer machine.
    if (pair % 2) theirs.push(await raw());
    ours.push(await converge(pair));
    if (!(pair % 2)) theirs.push(await raw());
    calm.push(await raw(700));
  }
  const link = median(ours.map((times) => times.link));
  const floor = median(theirs);
  result('connect_ratio', link / floor, 2, 'x');
  result('connect_ms', link, 1, 'ms');
  result('connect_welcome_ms', median(ours.map((times) => times.welcome)), 1, 'ms');
  result('raw_connect_ms', floor, 1, 'ms');
  const rejoin = median(ours.map((times) => times.calm));
  result('connect_calm_ratio', rejoin / median(calm), 2, 'x');
  result('connect_calm_ms', rejoin, 1, 'ms');
  result('raw_connect_calm_ms', median(calm), 1, 'ms');
  result('navigation_to_link_ms', median(ours.map((times) => times.navigation)), 1, 'ms');

  // What the page asks for: its script, and whatever that imports, and the program.
  const page = await tab('/r/size', 'converge:welcome');
  const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map((entry) => entry.name));
  const code = [...new Set(loaded.map((name) => new URL(name).pathname))].filter((path) => /\.(js|wasm)$/.test(path));
  let bytes = 0;
  for (const path of code) bytes += await download(path);
  result('bundle_brotli_kb', bytes / 1000, 1, 'kB');
} finally {
  await browser.close();
  stop();
}
