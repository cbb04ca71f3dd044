// What a room's page has to do in each frame while twenty others move their pointers at 60 Hz: the time its main thread is
// busy, from a trace. Prints `RESULT name=value unit`.
import { chromium } from '@playwright/test';
import launch from '../end2end/chromium.js';
import { linksSite, median, result, serve } from './common.mjs';

const OTHERS = 20;
const FRAME_US = 1e6 / 60;
const SECONDS = 10;

const server = await serve('--allow-origin', '*', '--max-topic-members', '64');
const site = await linksSite();
// Browsers of their own: the trace is of one of them.
const [looking, moving] = [await chromium.launch(launch), await chromium.launch(launch)];
try {
  const page = await looking.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(`${server.url}/r/cursors`);
  const main = page.locator('main[data-status="connected"]');
  await main.waitFor();
  const id = await main.getAttribute('data-self-id');

  // The others are linked to this one alone: to each other they would be too much for one machine.
  const crowd = await moving.newPage();
  await crowd.goto(site.url);
  await crowd.evaluate(
    async ({ id, server, count }) => {
      const Native = WebSocket;
      const only = (members) => members.filter((member) => member.id === id);
      globalThis.WebSocket = class extends Native {
        addEventListener(name, listener, ...rest) {
          if (name !== 'message') return super.addEventListener(name, listener, ...rest);
          super.addEventListener(name, (event) => {
            const message = JSON.parse(event.data);
            if (message.members) message.members = only(message.members);
            if (message.type === 'joined' && message.members.length === 0) return;
            listener(new MessageEvent('message', { data: JSON.stringify(message) }));
          });
        }
      };
      const links = await import('/links.js');
      await links.default();
      globalThis.crowd = await links.Crowd.join('cursors', server, count);
    },
    { id, server: server.url, count: OTHERS },
  );
  await page.locator(`main[data-links="${OTHERS}"]`).waitFor();

  /** How long the main thread is busy in each frame's time, in milliseconds. */
  async function frames() {
    await looking.startTracing(page, { categories: ['toplevel', '__metadata', 'devtools.timeline'] });
    await page.waitForTimeout(SECONDS * 1000);
    const { traceEvents } = JSON.parse(String(await looking.stopTracing()));
    const threads = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
    const of = ({ pid, tid }) => traceEvents.filter((event) => event.pid === pid && event.tid === tid && event.ph === 'X' && event.name.endsWith('RunTask'));
    const tasks = threads.map(of).sort((a, b) => b.length - a.length)[0];
    const begin = Math.min(...tasks.map(({ ts }) => ts));
    const busy = new Array(Math.floor((SECONDS * 1e6) / FRAME_US)).fill(0);
    for (const { ts, dur = 0 } of tasks) {
      // A task may reach over the ends of frames.
      for (let at = ts - begin, rest = dur; rest > 0; ) {
        const frame = Math.floor(at / FRAME_US);
        const part = Math.min(rest, (frame + 1) * FRAME_US - at + 1e-3);
        if (frame < busy.length) busy[frame] += part / 1000;
        at += part;
        rest -= part;
      }
    }
    return busy.sort((a, b) => a - b);
  }

  const still = await frames();
  await crowd.evaluate(() => {
    let step = 0;
    setInterval(() => globalThis.crowd.step((step += 1)), 1000 / 60);
  });
  const cursors = page.locator('.cursor');
  await cursors.nth(OTHERS - 1).waitFor({ state: 'attached' });
  const where = () => cursors.first().evaluate((cursor) => cursor.style.transform);
  const before = await where();
  const busy = await frames();
  if ((await where()) === before) throw new Error('the pointers do not move');
  const p95 = (sorted) => sorted[Math.floor(sorted.length * 0.95)];
  result('cursor_frame_ms_p95', p95(busy), 2, 'ms');
  result('cursor_frame_ms', median(busy), 2, 'ms');
  result('still_frame_ms_p95', p95(still), 2, 'ms');
} finally {
  await Promise.all([looking.close(), moving.close()]);
  site.stop();
  server.stop();
}
