// Four tabs that see each other and chat, for two minutes: no link may be lost, and memory must not grow. Prints
// `RESULT name=value unit`.
import { readFileSync } from 'node:fs';
import { chromium } from '@playwright/test';
import launch from '../end2end/chromium.js';
import { median, result, serve } from './common.mjs';

const TABS = 4;
const SECONDS = 120;

const server = await serve();
const browser = await chromium.launch({
  ...launch,
  args: [...launch.args, '--use-fake-device-for-media-stream=fps=10', '--use-fake-ui-for-media-stream'],
});
try {
  const pages = [];
  for (let tab = 0; tab < TABS; tab += 1) {
    const page = await (await browser.newContext({ viewport: { width: 800, height: 600 } })).newPage();
    await page.addInitScript(() => {
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = ({ video }) => ask({ video: { ...video, width: 320, height: 240, frameRate: 10 } });
    });
    await page.goto(`${server.url}/r/soak`);
    await page.locator('main[data-status="connected"]').waitFor();
    pages.push(page);
  }
  for (const page of pages) {
    await page.locator(`main[data-links="${TABS - 1}"]`).waitFor();
    await page.getByRole('button', { name: 'Camera', exact: true }).click();
  }
  for (const page of pages) {
    await page.waitForFunction((tabs) => [...document.querySelectorAll('figure video')].filter((video) => video.videoWidth > 0).length === tabs, TABS);
    await page.evaluate(() => {
      const main = document.querySelector('main');
      const all = main.dataset.links;
      globalThis.lost = 0;
      new MutationObserver(() => (globalThis.lost += Number(main.dataset.links < all))).observe(main, { attributes: true });
    });
  }

  // Of all the browser's processes, in kB, after what is garbage has gone.
  const session = await browser.newBrowserCDPSession();
  const collectors = await Promise.all(pages.map((page) => page.context().newCDPSession(page)));
  async function memory() {
    await Promise.all(collectors.map((page) => page.send('HeapProfiler.collectGarbage')));
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    const tabs = processInfo.filter(({ type }) => type === 'renderer');
    const rss = ({ id }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0);
    return tabs.reduce((sum, tab) => sum + rss(tab), 0);
  }

  const samples = [];
  const begin = performance.now();
  let said = 0;
  for (let second = 0; performance.now() - begin < SECONDS * 1000; second += 1) {
    const page = pages[second % TABS];
    await page.getByRole('textbox', { name: 'Message', exact: true }).fill(`line ${(said += 1)}`);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    if (second % 10 === 9) samples.push(await memory());
    await page.waitForTimeout(Math.max(0, begin + second * 1000 - performance.now()));
  }
  // The last line has come to everybody, and every picture still moves.
  for (const page of pages) {
    await page.getByRole('log', { name: 'Messages' }).getByText(`line ${said}`, { exact: true }).waitFor();
    const times = () => page.evaluate(() => [...document.querySelectorAll('figure video')].map((video) => video.currentTime));
    const before = await times();
    await page.waitForFunction((before) => [...document.querySelectorAll('figure video')].every((video, at) => video.currentTime > before[at]), before);
  }
  const lost = await Promise.all(pages.map((page) => page.evaluate(() => globalThis.lost)));
  // The first half minute fills caches and pools.
  const third = Math.floor(samples.length / 3);
  result('soak_links_lost', lost.reduce((sum, one) => sum + one, 0), 0, 'links');
  result('soak_messages', said, 0, 'messages');
  result('soak_tab_mb', samples.at(-1) / 1000 / TABS, 1, 'MB');
  result('soak_growth_pct', (median(samples.slice(-third)) / median(samples.slice(third, 2 * third)) - 1) * 100, 1, '%');
} finally {
  await browser.close();
  server.stop();
}
