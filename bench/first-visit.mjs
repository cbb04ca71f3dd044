// The first visit of somebody with a slow phone: a processor four times slower than this one, and fast 3G (as Chromium's tools
// simulate it). First paint, when buttons work, and what was downloaded. Prints `RESULT name=value unit`.
import { chromium } from '@playwright/test';
import launch from '../end2end/chromium.js';
import { median, result, serve } from './common.mjs';

const RUNS = 5;
const NETWORK = { offline: false, latency: 150, downloadThroughput: (1.6e6 / 8) * 0.9, uploadThroughput: (750e3 / 8) * 0.9 };

const server = await serve();
const browser = await chromium.launch(launch);

async function visit(path) {
  const context = await browser.newContext({ viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true, serviceWorkers: 'block' });
  const page = await context.newPage();
  const tools = await context.newCDPSession(page);
  await tools.send('Network.enable');
  await tools.send('Network.emulateNetworkConditions', NETWORK);
  await tools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  const kinds = {};
  const kindOf = new Map();
  tools.on('Network.responseReceived', ({ requestId, type }) => kindOf.set(requestId, type));
  tools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const kind = kindOf.get(requestId) ?? 'Other';
    kinds[kind] = (kinds[kind] ?? 0) + encodedDataLength;
  });
  await page.goto(server.url + path);
  await page.waitForFunction(() => performance.getEntriesByName('hydrated').length > 0);
  const times = await page.evaluate(() => ({
    paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    interactive: performance.getEntriesByName('hydrated')[0].startTime,
  }));
  await context.close();
  return { ...times, kinds, kb: Object.values(kinds).reduce((sum, bytes) => sum + bytes, 0) / 1000 };
}

try {
  for (const [prefix, path] of [['', '/r/first-visit'], ['landing_', '/']]) {
    const visits = [];
    for (let run = 0; run < RUNS; run += 1) visits.push(await visit(path));
    const of = (what) => median(visits.map((visit) => visit[what]));
    result(`${prefix}first_visit_kb`, of('kb'), 0, 'kB');
    result(`${prefix}first_paint_ms`, of('paint'), 0, 'ms');
    result(`${prefix}interactive_ms`, of('interactive'), 0, 'ms');
    console.log(`  ${Object.entries(visits[0].kinds).map(([kind, bytes]) => `${kind} ${(bytes / 1000).toFixed(1)} kB`).join(', ')}`);
  }
} finally {
  await browser.close();
  server.stop();
}
