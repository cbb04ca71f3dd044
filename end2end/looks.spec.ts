// Nothing looks like what it is not: names, links, room names, and texts from right to left.
import { writeFile } from 'node:fs/promises';
import type { Locator } from '@playwright/test';
import { expect, type Person, test } from './fixtures';

async function two(person: (room: string) => Promise<Person>): Promise<[Person, Person]> {
  const both: [Person, Person] = [await person('looks'), await person('looks')];
  for (const one of both) await one.sees(1);
  return both;
}

/** Reads a member's code: 40 bits, eight symbols of five. */
async function code(row: Locator): Promise<string> {
  const title = await row.locator('.person-text').getAttribute('title');
  return /^Code ([0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4})\./.exec(title ?? '')?.[1] ?? 'no code';
}

test('a name without anything to see is the key’s, and one that turns text around doesn’t', async ({ person }) => {
  const [ada, ben] = await two(person);
  const name = ada.row(await ben.id()).locator('.person-name');
  const own = (await name.textContent()) ?? '';
  expect(own).toMatch(/^[A-Z]\w+ \w+$/);
  for (const [typed, shown] of [['\u200b', own], ['\u202eEvil', 'Evil'], ['\u2066\u200f ', own], ['A\u00adda\ufeff', 'Ada'], ['👩\u200d🚀', '👩\u200d🚀']]) {
    await ben.rename(typed);
    await expect(name).toHaveText(shown);
  }
  await ben.rename('\u202eEvil');
  await expect(name).toHaveText('Evil');
  await ada.page.getByRole('combobox', { name: 'To', exact: true }).selectOption(await ben.id());
  await expect(ada.field).toHaveAttribute('placeholder', 'Only “Evil” will get this');
  // Wherever it stands, it is kept apart from what is around it, and left alone by translators.
  await ben.say('hello');
  await expect(ada.heard('hello')).toHaveCount(1);
  for (const place of ['.person-name', '.message-name', '.cursor-name']) {
    expect(await ada.page.locator(place).evaluateAll((all) => all.every((one) => one.matches('bdi[translate=no]')))).toBe(true);
  }
});

test('two of one name, and one with a name of the page’s own, can be told apart', async ({ person }) => {
  const [ada, ben] = await two(person);
  const cleo = await person('looks');
  await Promise.all([ada.sees(2), ben.sees(2)]);
  const options = () => ada.page.getByRole('combobox', { name: 'To', exact: true }).getByRole('option').allTextContents();
  await ben.rename('Dan');
  await cleo.rename(' d\u200bAN ');
  const [benId, cleoId] = [await ben.id(), await cleo.id()];
  const [benCode, cleoCode] = [await code(ben.people.first()), await code(cleo.people.first())];
  expect([await code(ada.row(benId)), await code(ada.row(cleoId))]).toEqual([benCode, cleoCode]);
  await expect.poll(options).toEqual(['Everyone', `Dan (${benCode})`, `dAN (${cleoCode})`]);
  await expect(ada.row(benId).locator('.person-code')).toHaveText(benCode);
  await expect(ben.people.first().locator('.person-code')).toHaveText(benCode);
  await cleo.rename('Everyone');
  await expect.poll(options).toEqual(['Everyone', 'Dan', `Everyone (${cleoCode})`]);
  // Another spelling, wide letters, and the very letters that tell another apart.
  await cleo.rename('Ｄan');
  await expect.poll(options).toEqual(['Everyone', `Dan (${benCode})`, `Ｄan (${cleoCode})`]);
  await cleo.rename(`Dan (${benCode})`);
  await expect.poll(options).toEqual(['Everyone', 'Dan', `Dan (${benCode}) (${cleoCode})`]);
  await cleo.rename('Everyone');
  // The name that this person has themself.
  await ada.rename('Dan');
  await expect.poll(options).toContain(`Dan (${benCode})`);
  await expect(ada.people.first()).toContainText('Dan');
  await expect(ada.people.first().locator('.person-code')).toHaveText(await code(ada.people.first()));
  await cleo.say('hello');
  await expect(ada.messages.locator('.message-name')).toHaveText(`Everyone (${cleoCode})`);
});

test('a member that takes the name of an author in the log is marked', async ({ person }, info) => {
  const [ada, ben] = await two(person);
  await ada.rename('Ada');
  await expect(ben.row(await ada.id())).toContainText('Ada');
  await ada.say('it is me');
  await expect(ben.heard('it is me')).toHaveCount(1);
  await ada.page.close();
  await ben.sees(0);
  const mallory = await person('looks');
  await ben.sees(1);
  await mallory.rename('Ada');
  const own = await code(mallory.people.first());
  await expect(ben.row(await mallory.id()).locator('.person-code')).toHaveText(own);
  const marked = `Ada (${own})`;
  await expect(ben.page.getByRole('combobox', { name: 'To', exact: true }).getByRole('option')).toHaveText(['Everyone', marked]);
  await mallory.say('and this is me too');
  await expect(ben.messages.locator('.message-name')).toHaveText(['Ada', marked]);
  await writeFile(info.outputPath('invoice.txt'), 'pay');
  await mallory.attach(info.outputPath('invoice.txt'));
  await expect(ben.transfers).toContainText(`from ${marked}`);
  // A name that would hide the code is cut.
  await mallory.rename('Everyone'.padEnd(40, '…'));
  await ben.rename('Everyone'.padEnd(40, '…'));
  const option = ben.page.getByRole('combobox', { name: 'To', exact: true }).getByRole('option').last();
  await expect(option).toHaveText(`Everyone${'…'.repeat(17)} (${own})`);
});

test('a name from right to left keeps to itself in a sentence', async ({ person }) => {
  const [ada, ben] = await two(person);
  await ben.rename('דנה');
  await ada.page.getByRole('combobox', { name: 'To', exact: true }).selectOption(await ben.id());
  await expect(ada.field).toHaveAttribute('placeholder', 'Only “\u2068דנה\u2069” will get this');
});

test('a link shows where it leads, whatever is put before or after it', async ({ person }) => {
  const [ada, ben] = await two(person);
  await ada.say('https://evil.example/\u202emoc.knab//:sptth');
  const links = ben.messages.getByRole('link');
  await expect(links).toHaveText(['https://evil.example/']);
  await ada.say('https://bank.example@evil.example/x and https://a:b@c.example');
  await expect(links).toHaveText(['https://evil.example/', 'evil.example/x', 'c.example']);
  await expect(links.nth(1)).toHaveAttribute('href', 'https://evil.example/x');
  await expect(links.nth(2)).toHaveAttribute('href', 'https://c.example');
});

test('a room has one address, and a name that can’t be one is refused in words', async ({ server, visitor, request }) => {
  const moved = async (path: string) => {
    const response = await request.get(server.url + path, { maxRedirects: 0 });
    return [response.status(), response.headers().location];
  };
  expect(await moved('/r/x/')).toEqual([308, '/r/x']);
  expect(await moved('/r/lobby%20')).toEqual([308, '/r/lobby']);
  expect(await moved('/r/a%0A%E2%80%AEb')).toEqual([308, '/r/ab']);
  expect(await moved('/r/cafe%CC%81')).toEqual([308, '/r/caf%C3%A9']);
  expect((await request.get(`${server.url}/r/x/`)).status()).toBe(200);

  const ada = await visitor();
  await ada.page.goto(server.url);
  const field = ada.page.getByRole('textbox', { name: 'Room', exact: true });
  // Before the page is alive the server refuses, and takes nothing back while somebody types.
  await expect(ada.button('See two browsers meet')).toBeEnabled();
  for (const name of ['..', '.', ' .\u200b. ']) {
    await field.fill(name);
    await ada.button('Open room').click();
    await expect(ada.page.getByText("This can't name a room:")).toBeVisible();
    expect(new URL(ada.page.url()).pathname).toBe('/');
    await field.fill('x');
    await expect(ada.page.getByText("This can't name a room:")).toHaveCount(0);
  }
  // A name that looks encoded is that name.
  await field.fill('%2e%2e');
  await ada.button('Open room').click();
  await ada.connected();
  await expect(ada.page.getByRole('heading', { level: 1 })).toHaveText('%2e%2e');
  await expect(ada.page).toHaveTitle('%2e%2e · converge');
  // Of an address that is no text, the start page says so.
  await ada.page.goto(`${server.url}/r/%ff`);
  await expect(ada.page.getByText('This address holds no name that can be read.')).toBeVisible();
});

test('a message from right to left is laid out so, and so is the field', async ({ person }) => {
  const [ada, ben] = await two(person);
  const direction = (element: Element) => getComputedStyle(element).direction;
  await ada.field.fill('שלום, מה שלומך?');
  expect(await ada.field.evaluate(direction)).toBe('rtl');
  await ada.say('שלום, מה שלומך?');
  await expect(ben.messages.locator('.message-text')).toHaveCount(1);
  expect(await ben.messages.locator('.message-text').evaluate(direction)).toBe('rtl');
  await ada.say('hello');
  await expect(ben.messages.locator('.message-text')).toHaveCount(2);
  expect(await ben.messages.locator('.message-text').last().evaluate(direction)).toBe('ltr');
  expect(await ada.field.evaluate(direction)).toBe('ltr');
});
