// Takes the README's pictures anew, of the release build: node docs/pictures.mjs
import { chromium } from '@playwright/test';
import { serve } from '../bench/common.mjs';
import launch from '../end2end/chromium.js';

const DESKTOP = { viewport: { width: 1440, height: 900 } };
const PHONE = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };

/** Cameras that show somebody, and a screen that shows a plan, drawn on canvases. */
function pretend(colours) {
  const stream = (width, height, draw) => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const brush = canvas.getContext('2d');
    // A canvas gives a picture when it is drawn on.
    setInterval(() => draw(brush), 100);
    draw(brush);
    return canvas.captureStream(10);
  };
  const face = (brush) => {
    const light = brush.createLinearGradient(0, 240, 320, 0);
    light.addColorStop(0, colours[0]);
    light.addColorStop(1, colours[1]);
    brush.fillStyle = light;
    brush.fillRect(0, 0, 320, 240);
    brush.fillStyle = '#ffffffb8';
    for (const [x, y, across, down] of [[160, 100, 40, 40], [160, 240, 95, 80]]) {
      brush.beginPath();
      brush.ellipse(x, y, across, down, 0, 0, 7);
      brush.fill();
    }
  };
  const plan = (brush) => {
    brush.fillStyle = '#fbfcff';
    brush.fillRect(0, 0, 1280, 720);
    brush.fillStyle = '#5546d6';
    brush.font = 'bold 56px sans-serif';
    brush.fillText('Summer garden', 90, 130);
    brush.fillStyle = '#cbc9d6';
    [420, 360, 300, 420, 360].forEach((width, line) => brush.fillRect(90, 190 + line * 46, width, 20));
    [['#7cca9f', 240], ['#efb548', 330], ['#93b8ff', 180], ['#d5a0ff', 280]].forEach(([colour, height], bar) => {
      brush.fillStyle = colour;
      brush.fillRect(640 + bar * 140, 600 - height, 96, height);
    });
  };
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => (wanted.video ? stream(320, 240, face) : ask(wanted));
  navigator.mediaDevices.getDisplayMedia = async () => stream(1280, 720, plan);
}

const server = await serve();
const browser = await chromium.launch({
  ...launch,
  args: [...launch.args, '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
});
/** A reaction that has left the buttons behind. */
const flying = (page) =>
  page.waitForFunction(() => document.querySelector('.flight')?.getAnimations({ subtree: true }).some(({ currentTime }) => currentTime > 600));
/** What fades in is there. */
const settled = (page) => page.waitForFunction(() => document.querySelector('.panel').getAnimations().every(({ playState }) => playState === 'finished'));
const picture = (page, name) => page.screenshot({ path: `docs/${name}.png` });
const button = (page, name) => page.getByRole('button', { name, exact: true });

async function enter(name, options, colours) {
  const page = await (await browser.newContext(options)).newPage();
  await page.addInitScript(pretend, colours);
  await page.goto(`${server.url}/r/garden`);
  await page.locator('main[data-status="connected"]').waitFor();
  if (options.isMobile) await button(page, 'People').click();
  await page.getByRole('textbox', { name: 'Your name', exact: true }).fill(name);
  if (options.isMobile) await button(page, 'Stage').click();
  return page;
}

async function say(page, text) {
  if (await button(page, 'Chat').isVisible()) await button(page, 'Chat').click();
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill(text);
  await button(page, 'Send').click();
}

async function point(page, x, y) {
  const { x: left, y: top, width, height } = await page.getByRole('region', { name: 'Stage', exact: true }).boundingBox();
  await page.mouse.move(left + width * x, top + height * y);
}

try {
  const dark = { colorScheme: 'dark' };
  const ada = await enter('Ada', DESKTOP, ['#7b3f85', '#8078d0']);
  const ben = await enter('Ben', { ...DESKTOP, ...dark }, ['#8b8b3a', '#cc9070']);
  const cleo = await enter('Cleo', { ...PHONE, ...dark }, ['#3e7088', '#76d0ae']);
  const dora = await enter('Dora', DESKTOP, ['#444', '#888']);
  for (const page of [ada, ben, cleo, dora]) await page.locator('main[data-links="3"]').waitFor();
  for (const page of [ada, ben, cleo]) await button(page, 'Camera').click();
  await button(ben, 'Microphone').click();
  await button(ben, 'Share screen').click();
  await ada.getByRole('figure', { name: 'Ben’s screen' }).waitFor();
  for (const page of [ada, ben, cleo]) {
    await page.waitForFunction(() => [...document.querySelectorAll('figure video:not(.silent)')].filter((video) => video.videoWidth > 0).length === 4);
  }
  await say(ada, 'Shall we look at the plan? https://garden.example/plan');
  await say(ben, 'I share my screen.');
  await say(dora, 'Lovely. I am on the train, so only reading.');
  await ada.getByText('only reading').waitFor();
  for (const page of [ada, ben, cleo]) await page.getByRole('img', { name: /^Direct, / }).first().waitFor({ state: 'attached' });

  await button(ben, 'Connection').click();
  await ben.getByRole('img', { name: /Between the others: 3 direct/ }).waitFor();
  await ben.waitForFunction(() => !document.querySelector('.mesh-link.bars-0'));
  await point(cleo, 0.35, 0.8);
  await settled(ben);
  await picture(ben, 'connection');
  await button(ben, 'Close').click();

  await point(ben, 0.7, 0.8);
  await button(ben, 'Heart').click();
  await point(ben, 0.7, 0.8);
  await flying(ada);
  await picture(ada, 'room');
  await ada.locator('.flight').waitFor({ state: 'detached' });
  await point(ada, 0.3, 0.4);
  await button(ben, 'Heart').click();
  await point(ben, 0.75, 0.55);
  await flying(cleo);
  await picture(cleo, 'phone');

  const visitor = await (await browser.newContext(DESKTOP)).newPage();
  await visitor.goto(server.url);
  await button(visitor, 'See two browsers meet').click();
  for (const name of ['Ada', 'Ben']) {
    const side = visitor.getByRole('group', { name, exact: true });
    await side.getByText(/^Direct/).waitFor();
    await button(side, 'Send').click();
  }
  await visitor.getByText('Hello Ada').nth(1).waitFor();
  await picture(visitor, 'landing');
} finally {
  await browser.close();
  server.stop();
}
