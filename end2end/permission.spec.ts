// Cameras that a page may use, or not: the browser asks, and nobody answers.
import { expect, made_up, moves, pressed, small, test, tile, turn } from './call';

test.use({ launchOptions: made_up });

test('who may not use a camera is told so, and takes part', async ({ server, join }) => {
  const url = `${server.url}/r/denied`;
  const [ada, ben] = [await join(url, { permissions: ['camera', 'microphone'] }, small), await join(url)];
  await Promise.all([ada.rename('Ada'), ben.rename('Ben')]);
  await ada.sees(1);
  await ben.button('Camera').click();
  await expect(ben.page.getByRole('alert').filter({ hasText: 'The camera may not be used. Allow it for this page' })).toBeVisible();
  await pressed(ben, 'Camera', false);
  await turn(ada, 'Camera', true);
  await moves(tile(ben, 'Ada’s camera'));
  await ben.say('I see you');
  await expect(ada.heard('I see you')).toBeVisible();
});
