// How long the pages of two members are busy at a time while a third, which speaks the wire by itself, attacks them: the
// longest task of their main threads. Prints `RESULT name=value unit`, and a line for each attack.
import { chromium } from '@playwright/test';
import launch from '../end2end/chromium.js';
import { attacks } from '../end2end/hostile/attacks.js';
import { intrude } from '../end2end/hostile/member.js';
import { result, serve } from './common.mjs';

/** A page that has not answered by then is frozen, and counts as busy for that long. */
const FROZEN_MS = 60_000;

/** What an attack has left to do may go on for a while after the last frame was sent. */
const AFTER_MS = 2000;

/** Starts to keep the longest task of a page. Runs in the page. */
function watchTasks() {
  globalThis.longest = 0;
  globalThis.tasks = new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (globalThis.longest = Math.max(globalThis.longest, duration))));
  globalThis.tasks.observe({ type: 'longtask' });
}

/** Reads it. Runs in the page. */
function longestTask() {
  for (const { duration } of globalThis.tasks.takeRecords()) globalThis.longest = Math.max(globalThis.longest, duration);
  return globalThis.longest;
}

/** Opens the page of a member who means well. */
async function person(browser, name) {
  const page = await (await browser.newContext({ viewport: { width: 1200, height: 800 } })).newPage();
  page.setDefaultTimeout(FROZEN_MS);
  await page.goto(`${server.url}/r/hostile`);
  await page.locator('main[data-status="connected"]').waitFor();
  await page.getByRole('textbox', { name: 'Your name', exact: true }).fill(name);
  return page;
}

/** Says a line on one page, and waits until the other shows it. */
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

/** Returns the longest task under an attack, in milliseconds: of either page, and while they go on talking. */
async function underAttack({ run, members = 1 }) {
  const browser = await chromium.launch(launch);
  try {
    const pages = [await person(browser, 'Ada'), await person(browser, 'Ben')];
    const [ada, ben] = pages;
    // The server's policy is for pages that keep it.
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
    // Once the pages are frozen nobody waits for this any more.
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
