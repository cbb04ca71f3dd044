// What is said: whether it has arrived, what in it leads elsewhere, what nobody has seen yet, and pictures.
import { type Locator, type Page } from '@playwright/test';
import { expect, type Person, test } from './fixtures';

/** What is said of the delivery of one's own message. */
function delivery(person: Person, text: string): Locator {
  return person.messages.getByRole('article').filter({ hasText: text }).locator('.message-delivery');
}

/** Has a picture of one pixel pasted or dropped. */
async function bring(page: Page, how: 'paste' | 'drop'): Promise<void> {
  await page.getByRole('region', { name: 'Chat' }).evaluate((chat, how) => {
    const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
    const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], `${how}.png`, { type: 'image/png' }));
    const bubbles = { bubbles: true, cancelable: true };
    chat.dispatchEvent(how === 'paste' ? new ClipboardEvent('paste', { ...bubbles, clipboardData: data }) : new DragEvent('drop', { ...bubbles, dataTransfer: data }));
  }, how);
}

test('it is said whether a message has arrived, and with whom', async ({ person }) => {
  const ada = await person('delivery');
  await ada.say('Anybody?');
  await expect(delivery(ada, 'Anybody?')).toHaveText('Nobody else was here');
  const ben = await person('delivery');
  await ada.sees(1);
  await ada.say('Hello Ben');
  await expect(delivery(ada, 'Hello Ben')).toHaveText('Delivered');
  const cleo = await person('delivery');
  await Promise.all([ada.sees(2), ben.sees(2), cleo.sees(2)]);
  await ada.say('Hello both');
  await expect(delivery(ada, 'Hello both')).toHaveText('Delivered to everyone');
  await ada.say('For Ben alone', await ben.id());
  await expect(delivery(ada, 'For Ben alone')).toHaveText('Delivered');
  // The others' messages have nothing to say about that.
  await expect(ben.messages.locator('.message-delivery')).toHaveCount(0);
});

test('addresses are links that open beside the room, and nothing that runs is one', async ({ person }) => {
  const [ada, ben] = [await person('links'), await person('links')];
  await ada.sees(1);
  const text = 'See (https://a.example/b?c=d). Not javascript://a.example/%0aalert(1), not <a href="https://x.example">this</a>';
  await ada.say(text);
  await expect(ben.heard(text)).toBeVisible();
  const links = ben.messages.getByRole('link');
  await expect(links).toHaveText(['https://a.example/b?c=d', 'https://x.example']);
  for (const link of await links.all()) {
    await expect(link).toHaveAttribute('target', '_blank');
    await expect(link).toHaveAttribute('rel', /noopener noreferrer/);
  }
});

test('what comes unseen is counted, marked, and seen by jumping to it', async ({ person }) => {
  const [ada, ben] = [await person('unread'), await person('unread')];
  await ada.sees(1);
  for (let line = 0; line < 30; line += 1) await ada.say(`line ${line}`);
  await expect(ben.heard('line 29')).toBeInViewport();
  // At the end nothing is unread; scrolled up everything is.
  await ben.messages.evaluate((log) => log.scrollTo(0, 0));
  await expect(ben.heard('line 0')).toBeInViewport();
  await ada.say('one');
  await ada.say('two');
  await ben.button('2 new messages').click();
  await expect(ben.heard('two')).toBeInViewport();
  await expect(ben.page.getByRole('button', { name: /new message/ })).toHaveCount(0);
  await expect(ben.messages.getByText('New messages')).toBeVisible();
  await ada.say('three');
  await expect(ben.heard('three')).toBeInViewport();
  await expect(ben.messages.getByText('New messages')).toBeHidden();
});

test('a page out of view counts in its title', async ({ person }) => {
  const [ada, ben] = [await person('title'), await person('title')];
  await ada.sees(1);
  const title = await ben.page.title();
  const hide = (hidden: boolean) =>
    ben.page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (hidden ? 'hidden' : 'visible') });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, hidden);
  await hide(true);
  await ada.say('one');
  await ada.say('two');
  await expect(ben.page).toHaveTitle(`(2) ${title}`);
  await hide(false);
  await expect(ben.page).toHaveTitle(title);
});

test('on a phone the bar counts what comes while another part is shown', async ({ server, visitor, person }) => {
  const ada = await person('phone');
  const ben = await (await visitor({ viewport: { width: 360, height: 640 } })).enter(`${server.url}/r/phone`);
  await ada.sees(1);
  await ben.button('Stage').click();
  await ada.say('hello?');
  const chat = ben.page.getByRole('button', { name: 'Chat' });
  await expect(chat).toHaveAccessibleDescription('1 unread message');
  await chat.click();
  await expect(ben.heard('hello?')).toBeInViewport();
  await expect(chat).toHaveAccessibleDescription('');
});

for (const how of ['paste', 'drop'] as const) {
  test(`a picture comes by ${how}, and is shown when it has arrived`, async ({ person }) => {
    const [ada, ben] = [await person(how), await person(how)];
    await ada.sees(1);
    await bring(ada.page, how);
    await expect(ada.transfers).toHaveCount(1);
    await ben.button('Accept').click();
    const picture = ben.transfers.getByRole('img', { name: `${how}.png` });
    await expect(picture).toBeVisible();
    expect(await picture.evaluate((canvas: HTMLCanvasElement) => [canvas.width, canvas.height])).toEqual([1, 1]);
  });
}
