// The layout, the stage with its cursors and reactions, and the dialog that asks others in.
import type { Page } from '@playwright/test';
import { expect, type Person, test } from './fixtures';

const phone = { viewport: { width: 360, height: 640 }, hasTouch: true };

const stage = (one: Person) => one.page.getByRole('region', { name: 'Stage', exact: true });
const reaction = (one: Person, name: string) =>
  one.page.getByRole('list', { name: 'Reactions', exact: true }).getByRole('button', { name, exact: true });
const dialog = (one: Person) => one.page.getByRole('dialog', { name: 'Share room', exact: true });
const cursor = (one: Person, id: string) => one.page.locator(`[data-cursor="${id}"]`);

/** Two people in one room who have met and know each other's names. */
async function two(person: (room: string) => Promise<Person>): Promise<[Person, Person]> {
  const both: [Person, Person] = [await person('stage'), await person('stage')];
  for (const one of both) await one.sees(1);
  await both[0].rename('Ada');
  await both[1].rename('Ben');
  await expect(both[1].row(await both[0].id())).toContainText('Ada');
  await expect(both[0].row(await both[1].id())).toContainText('Ben');
  return both;
}

async function fits(page: Page): Promise<void> {
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(tooWide).toBeLessThanOrEqual(0);
}

/** Where an element's corner is on the stage, as shares of its width and height. */
async function placeOnStage(one: Person, id: string): Promise<{ x: number; y: number }> {
  const area = await stage(one).boundingBox();
  const box = await cursor(one, id).boundingBox();
  if (!area || !box) return { x: NaN, y: NaN };
  return { x: (box.x - area.x) / area.width, y: (box.y - area.y) / area.height };
}

test('a wide screen shows people, stage and messages side by side', async ({ server, visitor }) => {
  const ada = await (await visitor({ viewport: { width: 1440, height: 900 } })).enter(`${server.url}/r/stage`);
  const people = await ada.page.getByRole('list', { name: 'People', exact: true }).boundingBox();
  const middle = await stage(ada).boundingBox();
  const messages = await ada.messages.boundingBox();
  if (!people || !middle || !messages) throw new Error('a part is not shown');
  expect(people.x + people.width).toBeLessThanOrEqual(middle.x);
  expect(middle.x + middle.width).toBeLessThanOrEqual(messages.x);
  expect(middle.width).toBeGreaterThan(messages.width);
  await expect(ada.button('Stage')).toBeHidden();
  for (const width of [1440, 1100, 1000, 900, 760]) {
    await ada.page.setViewportSize({ width, height: 900 });
    for (const part of [ada.people.first(), stage(ada), ada.messages]) await expect(part).toBeVisible();
    await fits(ada.page);
  }
});

test('a phone shows one part at a time, and who is here in all of them', async ({ server, visitor, person }) => {
  const ada = await (await visitor(phone)).enter(`${server.url}/r/stage`);
  const ben = await person('stage');
  await ben.sees(1);
  const name = ada.page.getByRole('textbox', { name: 'Your name', exact: true });
  const pressed = async (which: string) => {
    for (const tab of ['People', 'Stage', 'Chat']) {
      await expect(ada.button(tab)).toHaveAttribute('aria-pressed', String(tab === which));
    }
    await ada.sees(1);
    await fits(ada.page);
  };
  await pressed('Chat');
  await expect(ada.field).toBeVisible();
  await ada.field.fill('half a thought');
  await expect(stage(ada)).toBeHidden();
  await expect(name).toBeHidden();

  await ada.button('Stage').click();
  await pressed('Stage');
  await expect(stage(ada)).toBeVisible();
  await expect(ada.field).toBeHidden();

  await ada.button('People').click();
  await pressed('People');
  await expect(stage(ada)).toBeHidden();
  await name.fill('Ada');
  await expect(ben.row(await ada.id())).toContainText('Ada');

  // What is not shown is not lost.
  await ada.button('Chat').click();
  await pressed('Chat');
  await expect(ada.field).toHaveValue('half a thought');
  for (const name of ['Share room', 'Copy invite link', 'Connection', 'Leave room']) {
    const box = await ada.button(name).boundingBox();
    expect(Math.min(box?.width ?? 0, box?.height ?? 0), name).toBeGreaterThanOrEqual(44);
  }

  // On its side, and with its keyboard open.
  for (const [width, height] of [[640, 360], [360, 380]]) {
    await ada.page.setViewportSize({ width, height });
    await expect(ada.field).toBeInViewport();
    await fits(ada.page);
  }
});

test('while nobody else is here, the stage shows how to change that', async ({ server, visitor, person }) => {
  const ada = await (await visitor(phone)).enter(`${server.url}/r/stage`);
  await ada.button('Stage').click();
  await expect(stage(ada).getByText('Nobody else is here yet')).toBeVisible();
  await expect(stage(ada).getByText(`${server.url}/r/stage`, { exact: true })).toBeVisible();
  await expect(stage(ada).locator('svg.qr path')).toHaveAttribute('d', /^M0 0h7v1h-7z/);
  const ben = await person('stage');
  await expect(stage(ada).getByText('Nobody else is here yet')).toBeHidden();
  await ben.page.close({ runBeforeUnload: true });
  await expect(stage(ada).getByText('Nobody else is here yet')).toBeVisible();
});

test('a pointer on the stage is seen where it is, and gone when it leaves', async ({ person }) => {
  const [ada, ben] = await two(person);
  // Another size: the place is a share of the stage.
  await ben.page.setViewportSize({ width: 1440, height: 900 });
  const id = await ada.id();
  const area = await stage(ada).boundingBox();
  if (!area) throw new Error('no stage');
  for (const [x, y] of [[0.25, 0.5], [0.75, 0.125]]) {
    await ada.page.mouse.move(area.x + area.width * x, area.y + area.height * y);
    await expect(cursor(ben, id)).toBeVisible();
    await expect(cursor(ben, id)).toContainText('Ada');
    await expect.poll(async () => (await placeOnStage(ben, id)).x).toBeCloseTo(x, 2);
    await expect.poll(async () => (await placeOnStage(ben, id)).y).toBeCloseTo(y, 2);
  }
  // Nobody has to be shown where they point themselves.
  await expect(cursor(ada, id)).toHaveCount(0);
  await ada.page.mouse.move(area.x - 40, area.y + 10);
  await expect(cursor(ben, id)).toBeHidden();

  // Nor does it stay behind when its owner goes.
  await ada.page.mouse.move(area.x + 40, area.y + 40);
  await expect(cursor(ben, id)).toBeVisible();
  await ada.button('Leave room').press('Enter');
  await expect(cursor(ben, id)).toHaveCount(0);
});

test('a finger points while it is down', async ({ server, visitor, person }) => {
  const ada = await (await visitor(phone)).enter(`${server.url}/r/stage`);
  const ben = await person('stage');
  await ada.sees(1);
  await ben.sees(1);
  const id = await ada.id();
  await ada.button('Stage').click();
  const area = await stage(ada).boundingBox();
  if (!area) throw new Error('no stage');
  const devtools = await ada.context.newCDPSession(ada.page);
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', x = 0, y = 0) =>
    devtools.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: type === 'touchEnd' ? [] : [{ x: area.x + area.width * x, y: area.y + area.height * y }],
    });
  await touch('touchStart', 0.5, 0.25);
  await expect(cursor(ben, id)).toBeVisible();
  // Up and down too: the stage doesn't scroll away below the finger.
  await touch('touchMove', 0.5, 0.3);
  await touch('touchMove', 0.5, 0.5);
  await expect.poll(async () => (await placeOnStage(ben, id)).y).toBeCloseTo(0.5, 1);
  await touch('touchEnd');
  await expect(cursor(ben, id)).toBeHidden();
});

/** What a page has shown and said of reactions. */
type Seen = {
  /** What each showed, and the animation that it was shown with. */
  flights: { text: string; animation: string }[];
  /** The most at a time. */
  most: number;
  said: string[];
};

/** Keeps everything that a page says and shows of reactions, for it is gone in a moment. Returns how to ask. */
async function recordReactions({ page }: Person): Promise<() => Promise<Seen>> {
  const record = await page.evaluateHandle(() => {
    const seen: Seen = { flights: [], most: 0, said: [] };
    new MutationObserver((records) => {
      for (const record of records) {
        for (const node of record.addedNodes) {
          if (!(node instanceof HTMLElement) || !node.matches('.flight')) continue;
          const body = node.querySelector('.flight-body');
          seen.flights.push({ text: node.textContent ?? '', animation: body ? getComputedStyle(body).animationName : '' });
        }
        const changed = record.target instanceof Element ? record.target : record.target.parentElement;
        const status = changed?.closest('.stage [role="status"]');
        if (status?.textContent) seen.said.push(status.textContent);
      }
      seen.most = Math.max(seen.most, document.querySelectorAll('.flight').length);
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
    return seen;
  });
  return () => record.jsonValue();
}

test('a reaction is seen and told, once for many in one go', async ({ person }) => {
  const [ada, ben] = await two(person);
  const seen = await recordReactions(ben);
  await reaction(ada, 'Heart').click();
  await expect.poll(async () => (await seen()).flights.map(({ text }) => text).join()).toContain('Ada');
  await expect(ada.page.locator('.flight')).toHaveCount(0);
  await expect(ben.page.locator('.flight')).toHaveCount(0);
  expect((await seen()).said).toEqual(['“Ada”: heart']);

  // The keyboard does it too.
  await reaction(ada, 'Star').focus();
  await ada.page.keyboard.press('Enter');
  await expect.poll(async () => (await seen()).flights.length).toBe(2);
  expect((await seen()).said).toEqual(['“Ada”: heart', '“Ada”: star']);
  await expect(ada.page.locator('.flight')).toHaveCount(0);
  await expect(ben.page.locator('.flight')).toHaveCount(0);

  // Nobody who leans on it fills the others' screens.
  const before = (await seen()).flights.length;
  await reaction(ada, 'Heart').evaluate((button: HTMLElement) => {
    for (let n = 0; n < 200; n += 1) button.click();
  });
  await expect.poll(async () => (await seen()).flights.length - before).toBeGreaterThan(10);
  await expect(ada.page.locator('.flight')).toHaveCount(0);
  await expect(ben.page.locator('.flight')).toHaveCount(0);
  expect((await seen()).most).toBeLessThanOrEqual(20);
  expect((await seen()).said).toEqual(['“Ada”: heart', '“Ada”: star', '“Ada”: heart']);
  await ada.say('still here');
  await expect(ben.heard('still here')).toHaveCount(1);
});

test('who wants less motion sees reactions all the same', async ({ server, visitor, person }) => {
  const ada = await person('stage');
  const ben = await (await visitor({ reducedMotion: 'reduce' })).enter(`${server.url}/r/stage`);
  await ben.sees(1);
  const seen = await recordReactions(ben);
  await reaction(ada, 'Heart').click();
  await expect.poll(async () => (await seen()).flights.map(({ animation }) => animation)).toEqual(['appear']);
  await expect(ben.page.locator('.flight')).toHaveCount(0);
});

test('the room can be shared by link and by code', async ({ person, server }) => {
  const ada = await person('stage');
  await ada.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await expect(dialog(ada)).toBeHidden();
  await ada.button('Share room').click();
  await expect(dialog(ada)).toBeVisible();
  await expect(dialog(ada).getByRole('heading', { name: 'Share room', exact: true })).toBeVisible();
  const link = dialog(ada).getByRole('textbox', { name: 'Link', exact: true });
  await expect(link).toHaveValue(`${server.url}/r/stage`);
  await expect(link).not.toBeEditable();
  const code = dialog(ada).getByRole('img', { name: "QR code of this room's link", exact: true });
  await expect(code).toBeVisible();
  const drawn = await code.locator('path').getAttribute('d');
  expect(drawn).toMatch(/^M0 0h7v1h-7z/);
  await expect(dialog(ada).getByRole('button', { name: 'Send link…', exact: true })).toHaveCount(0);
  await dialog(ada).getByRole('button', { name: 'Copy link', exact: true }).click();
  await expect(dialog(ada).getByText('Link copied')).toBeVisible();
  expect(await ada.page.evaluate(() => navigator.clipboard.readText())).toBe(`${server.url}/r/stage`);

  await dialog(ada).getByRole('button', { name: 'Close', exact: true }).click();
  await expect(dialog(ada)).toBeHidden();
  await expect(ada.button('Share room')).toBeFocused();
  // Beside it.
  await ada.button('Share room').click();
  await expect(dialog(ada)).toBeVisible();
  await ada.page.mouse.click(10, 400);
  await expect(dialog(ada)).toBeHidden();
  await expect(ada.button('Share room')).toBeFocused();

  // Another room has another code.
  await ada.enter(`${server.url}/r/stages`);
  await ada.button('Share room').click();
  await expect(code).toBeVisible();
  expect(await code.locator('path').getAttribute('d')).not.toBe(drawn);
});

test('by keyboard alone, the room is shared and the dialog left', async ({ person }) => {
  const ada = await person('stage');
  await ada.button('Share room').focus();
  await ada.page.keyboard.press('Enter');
  await expect(dialog(ada)).toBeVisible();
  // The focus is in the dialog and stays there, whichever way it goes.
  for (const key of ['Tab', 'Tab', 'Tab', 'Shift+Tab', 'Shift+Tab', 'Shift+Tab', 'Shift+Tab']) {
    const outside = await ada.page.evaluate(() => {
      const focused = document.activeElement;
      return focused !== document.body && focused?.closest('dialog') === null;
    });
    expect(outside).toBe(false);
    await ada.page.keyboard.press(key);
  }
  await ada.page.keyboard.press('Escape');
  await expect(dialog(ada)).toBeHidden();
  await expect(ada.button('Share room')).toBeFocused();
  await ada.page.keyboard.press('Space');
  await expect(dialog(ada)).toBeVisible();
});

test('a device that can hand links to other applications is asked to', async ({ server, visitor }) => {
  const ada = await visitor();
  await ada.context.addInitScript(() => {
    const shared: ShareData[] = [];
    Object.assign(window, { shared });
    // Thought better of, the second time.
    navigator.share = async (data) => {
      shared.push(data ?? {});
      if (shared.length > 1) throw new DOMException('cancelled', 'AbortError');
    };
  });
  await ada.enter(`${server.url}/r/stage`);
  await ada.button('Share room').click();
  const send = dialog(ada).getByRole('button', { name: 'Send link…', exact: true });
  await send.click();
  await send.click();
  const shared = () => ada.page.evaluate(() => (window as unknown as { shared: ShareData[] }).shared);
  await expect.poll(async () => (await shared()).length).toBe(2);
  expect((await shared())[0]).toEqual({ title: 'stage', url: `${server.url}/r/stage` });
  await expect(dialog(ada)).toBeVisible();
});

test('over plain http the link can be copied from the dialog too', async ({ server, visitor }) => {
  const url = `${server.url.replace('127.0.0.1', 'lan.test')}/r/stage`;
  const ada = await (await visitor(phone)).enter(url);
  await ada.button('Share room').click();
  const link = dialog(ada).getByRole('textbox', { name: 'Link', exact: true });
  await expect(link).toHaveValue(url);
  await ada.page.evaluate(() => {
    document.addEventListener('copy', () => Object.assign(window, { copied: String(document.getSelection()) }));
  });
  await dialog(ada).getByRole('button', { name: 'Copy link', exact: true }).click();
  await expect(dialog(ada).getByText('Link copied')).toBeVisible();

  // And where not even that is allowed, it is ready to be copied by hand.
  await ada.page.evaluate(() => {
    document.execCommand = () => false;
  });
  await dialog(ada).getByRole('button', { name: 'Copy link', exact: true }).click();
  await expect(dialog(ada).getByText(/copy it by hand/)).toBeVisible();
  expect(await link.evaluate((field: HTMLInputElement) => field.selectionEnd)).toBe(url.length);
  await fits(ada.page);
});

test('nonsense from another page moves nothing', async ({ server, visitor, person }) => {
  const ben = await person('stage');
  const ada = await visitor();
  // Whatever is sent over a channel passes here: what follows `after` is overwritten.
  await ada.context.addInitScript(() => {
    const { send } = RTCDataChannel.prototype;
    const change = { after: '', to: '', made: 0 };
    Object.assign(window, { change });
    RTCDataChannel.prototype.send = function (this: RTCDataChannel, data: never) {
      const bytes = data as unknown;
      if (change.after && bytes instanceof Uint8Array) {
        const at = new TextDecoder('latin1').decode(bytes).lastIndexOf(change.after);
        if (at >= 0) {
          bytes.set(new TextEncoder().encode(change.to), bytes.length - change.to.length);
          change.made += 1;
        }
      }
      send.call(this, data);
    } as typeof send;
  });
  await ada.enter(`${server.url}/r/stage`);
  await ada.sees(1);
  await ada.rename('Ada');
  const id = await ada.id();
  await expect(ben.row(id)).toContainText('Ada');
  const change = (after: string, to: string) =>
    ada.page.evaluate(([after, to]) => {
      Object.assign((window as unknown as { change: object }).change, { after, to, made: 0 });
    }, [after, to]);
  const made = () => ada.page.evaluate(() => (window as unknown as { change: { made: number } }).change.made);
  const area = await stage(ada).boundingBox();
  if (!area) throw new Error('no stage');

  await ada.page.mouse.move(area.x + 100, area.y + 100);
  await expect(cursor(ben, id)).toBeVisible();
  await change('{"x":', '?}');
  await ada.page.mouse.move(area.x + 200, area.y + 100);
  await expect(cursor(ben, id)).toBeHidden();
  await change('', '');
  await ada.page.mouse.move(area.x + 300, area.y + 100);
  await expect(cursor(ben, id)).toBeVisible();

  // There is no such reaction. The one that is known is the first of Ada's that is told.
  const seen = await recordReactions(ben);
  await change('reaction', '9');
  await reaction(ada, 'Heart').click();
  expect(await made()).toBe(1);
  await change('', '');
  await reaction(ada, 'Star').click();
  await expect.poll(async () => (await seen()).said).toEqual(['“Ada”: star']);
});
