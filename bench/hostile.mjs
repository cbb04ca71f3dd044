// Measures the longest main-thread task of two members' pages while a third member, with its own wire code, attacks
// them. Prints `RESULT name=value unit`, and a line for each attack.
import { chromium } from '@playwright/test';
import launch from '../end2end/chromium.js';
import { attacks } from '../end2end/hostile/attacks.js';
import { intrude } from '../end2end/hostile/member.js';
import { result, serve } from './common.mjs';

/** A page that has not answered within this time counts as frozen, and as busy for that long. */
const FROZEN_MS = 60_000;

/** The time that pages get to handle an attack's last frames. */
const AFTER_MS = 2000;

/** Starts to record a page's longest task. Runs in the page. */
function watchTasks() {
  globalThis.longest = 0;
  globalThis.tasks = new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (globalThis.longest = Math.max(globalThis.longest, duration))));
  globalThis.tasks.observe({ type: 'longtask' });
}

/** Returns a page's longest task. Runs in the page. */
function longestTask() {
  for (const { duration } of globalThis.tasks.takeRecords()) globalThis.longest = Math.max(globalThis.longest, duration);
  return globalThis.longest;
}

/** Opens an honest member's page. */
async function person(browser, name) {
  const page = await (await browser.newContext({ viewport: { width: 1200, height: 800 } })).newPage();
  page.setDefaultTimeout(FROZEN_MS);
  await page.goto(`${server.url}/r/hostile`);
  await page.locator('main[data-status="connected"]').waitFor();
  await page.getByRole('textbox', { name: 'Your name', exact: true }).fill(name);
  return page;
}

/** Sends a chat line from one page, and waits until the other shows it. */
async function hears(speaker, listener, text) {
  const say = async () => {
    await speaker.getByRole('textbox', { name: 'Message', exact: true }).fill(text);
    await speaker.getByRole('button', { name: 'Send', exact: true }).click();
  };
  const shown = listener.evaluate(
    (text) =>
      new Promise((shown) => {
        const look = ({ addedNodes }) => addedNodes.forEach((node) => node.textContent.includes(text) && shown());
        new MutationObserver((changes) => changes.forEach(look)).observe(document.querySelector('[role="log"]'), { childList: true, subtree: true });
      }),
    text,
  );
  await Promise.all([shown, say()]);
}

/** Returns the longest task of either page under an attack, in milliseconds, while both keep chatting. */
async function underAttack({ run, members = 1 }) {
  const browser = await chromium.launch(launch);
  try {
    const pages = [await person(browser, 'Ada'), await person(browser, 'Ben')];
    const [ada, ben] = pages;
    // An attacker is not bound by the server's CSP.
    const context = await browser.newContext({ bypassCSP: true });
    const act = await intrude(await context.newPage(), server.url, 'hostile', ['Mallory', 'Trudy'].slice(0, members), 2);
    for (const page of pages) await page.locator(`main[data-links="${1 + members}"]`).waitFor();
    await ada.waitForTimeout(AFTER_MS);
    for (const page of pages) await page.evaluate(watchTasks);

    let timer;
    const frozen = new Promise((_, failed) => (timer = setTimeout(failed, FROZEN_MS)));
    const talk = async () => {
      await hears(ada, ben, 'during the attack');
      await hears(ben, ada, 'and back');
    };
    const attack = async () => {
      await Promise.all([act(run), talk()]);
      await hears(ada, ben, 'after the attack');
      await ada.waitForTimeout(AFTER_MS);
      return Math.max(...(await Promise.all(pages.map((page) => page.evaluate(longestTask)))));
    };
    const attacked = attack();
    // A freeze has already settled the race: ignore the late rejection.
    attacked.catch(() => {});
    return await Promise.race([attacked, frozen]).catch(() => FROZEN_MS).finally(() => clearTimeout(timer));
  } finally {
    await browser.close();
  }
}

const server = await serve();
try {
  let longest = 0;
  for (const attack of attacks) {
    const task = await underAttack(attack);
    longest = Math.max(longest, task);
    console.log(`${task.toFixed(0).padStart(6)} ms  ${attack.name}`);
  }
  result('hostile_longest_task_ms', longest, 0, 'ms');
} finally {
  server.stop();
}
