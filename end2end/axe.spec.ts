// Every page, panel and dialog by the rules of WCAG 2.2 AA, light and dark.
import { expectAccessible } from './accessible';
import { expect, made_up, test, turn } from './call';
import type { Person } from './fixtures';

test.use({ launchOptions: { ...made_up, args: [...made_up.args, '--use-fake-ui-for-media-stream'] }, mayComplain: [/404 \(Not Found\)/] });

for (const colorScheme of ['light', 'dark'] as const) {
  test(`the landing page and what is not there, ${colorScheme}`, async ({ server, visitor }) => {
    const ada = await visitor({ colorScheme });
    await ada.page.goto(server.url);
    await expectAccessible(ada.page);
    await ada.button('See two browsers meet').click();
    await expect(ada.page.getByRole('group', { name: 'Ben' })).toContainText('Direct');
    await expectAccessible(ada.page);
    await ada.page.goto(`${server.url}/nowhere`);
    await expectAccessible(ada.page);
  });

  // Elements that fade in while axe runs are half-transparent, and fail its contrast check.
  const still = { colorScheme, reducedMotion: 'reduce' } as const;
  const wide = { ...still, viewport: { width: 1440, height: 900 } };
  const phone = { ...still, viewport: { width: 360, height: 640 } };

  /** Has one of two write to the other, and turn camera and microphone on. */
  const call = async (ada: Person, ben: Person) => {
    await ada.sees(1);
    await ada.say('See https://example.org', await ben.id());
    await turn(ada, 'Camera', true);
    await turn(ada, 'Microphone', true);
    await expect(ben.messages).toContainText('direct, to you');
  };

  test(`the room with its parts, ${colorScheme}`, async ({ server, join }) => {
    const url = `${server.url}/r/axe`;
    const ada = await join(url, wide);
    await expectAccessible(ada.page);
    const ben = await join(url, phone);
    await call(ada, ben);
    for (const person of [ada, ben]) await expectAccessible(person.page);
    for (const part of ['People', 'Stage']) {
      await ben.button(part).click();
      await expectAccessible(ben.page);
    }
  });

  test(`the room with a waiting newcomer, ${colorScheme}`, async ({ server, join }) => {
    for (const [room, size] of Object.entries({ wide, phone })) {
      const url = `${server.url}/r/axe-${room}`;
      const ada = await join(url, size);
      if (size === phone) await ada.button('Stage').click();
      await turn(ada, 'Camera', true);
      await join(url);
      await expect(ada.page.getByRole('group', { name: 'Newcomers' })).toContainText('A newcomer');
      await expectAccessible(ada.page);
      await ada.button('Devices').click();
      await expect(ada.page.getByRole('dialog', { name: 'Devices' })).toBeVisible();
      await expectAccessible(ada.page);
      await ada.page.keyboard.press('Escape');
      if (size === phone) {
        for (const part of ['People', 'Chat']) {
          await ada.button(part).click();
          await expectAccessible(ada.page);
        }
      }
    }
  });

  test(`the room with its panels and dialogs, ${colorScheme}`, async ({ server, join }) => {
    const url = `${server.url}/r/axe`;
    const [ada, ben] = [await join(url, wide), await join(url, phone)];
    await call(ada, ben);
    for (const name of ['Share room', 'Devices', 'Keyboard shortcuts']) {
      await ada.button(name).click();
      await expect(ada.page.getByRole('dialog', { name })).toBeVisible();
      await expectAccessible(ada.page);
      await ada.page.keyboard.press('Escape');
    }
    await ada.button('Connection').click();
    await expect(ada.page.getByRole('table', { name: 'Links' })).toContainText('Direct');
    await expectAccessible(ada.page);
    await ada.page.keyboard.press('Escape');
    await ada.button('Leave room').click();
    await expect(ada.button('Join again')).toBeVisible();
    await expectAccessible(ada.page);
  });
}
