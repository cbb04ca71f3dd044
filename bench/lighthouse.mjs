// Lighthouse's scores of the landing page and of a room, on the phone that it simulates. Prints `RESULT name=value unit`.
import { existsSync } from 'node:fs';
import { launch } from 'chrome-launcher';
import lighthouse from 'lighthouse';
import { chromium } from '@playwright/test';
import settings from '../end2end/chromium.js';
import { median, result, serve } from './common.mjs';

/** The machine is noisy, and so are the scores. */
const RUNS = 3;
/** robots.txt keeps rooms out of search engines. */
const SKIPPED = { room: ['is-crawlable'] };
const CATEGORIES = ['performance', 'accessibility', 'best-practices', 'seo'];

const server = await serve();
const chromePath = settings.executablePath ?? chromium.executablePath();
if (!existsSync(chromePath)) throw new Error(`${chromePath} is missing`);
const browser = await launch({ chromePath, chromeFlags: ['--headless', ...settings.args] });
try {
  for (const [name, path] of [['landing', '/'], ['room', '/r/lighthouse']]) {
    const runs = [];
    for (let run = 0; run < RUNS; run += 1) {
      const { lhr } = await lighthouse(server.url + path, { port: browser.port, onlyCategories: CATEGORIES, skipAudits: SKIPPED[name] ?? null, logLevel: 'error' });
      runs.push(lhr);
    }
    for (const category of CATEGORIES) {
      result(`lighthouse_${name}_${category.replace('-', '_')}`, median(runs.map(({ categories }) => categories[category].score * 100)), 0, 'points');
    }
    const metrics = runs[0].audits;
    for (const id of ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time', 'cumulative-layout-shift', 'speed-index']) {
      console.log(`  ${name}: ${id} ${metrics[id].displayValue}`);
    }
    const failed = new Set(runs.flatMap(({ categories, audits }) =>
      CATEGORIES.slice(1).flatMap((category) => categories[category].auditRefs.filter(({ id, weight }) => weight > 0 && audits[id] && audits[id].score !== null && audits[id].score < 1).map(({ id }) => `${id}: ${audits[id].title}`)),
    ));
    for (const what of failed) console.log(`  ${name}: ${what}`);
  }
} finally {
  browser.kill();
  server.stop();
}
