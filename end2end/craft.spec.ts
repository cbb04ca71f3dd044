// What every page has: a theme, a way to be installed, words for what goes wrong.
import { expect, test } from './fixtures';

test.describe('without its program', () => {
  test.use({ mayComplain: [/Failed to (load resource|fetch)/] });

  test('a theme is chosen, and is there from the first moment on', async ({ server, person }) => {
    const ada = await person('theme');
    const background = () => ada.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    // What the browser's own bars are painted with: the first that applies.
    const bars = () =>
      ada.page.evaluate(() => {
        const metas = [...document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]')];
        const probe = document.body.appendChild(document.createElement('p'));
        probe.style.color = metas.find(({ media }) => matchMedia(media).matches)?.content ?? '';
        const { color } = getComputedStyle(probe);
        probe.remove();
        return color;
      });
    const light = await background();
    expect(await bars()).toBe(light);
    await ada.button('Theme').click();
    await ada.button('Theme').click();
    await expect(ada.page.locator('html')).toHaveAttribute('data-theme', 'dark');
    expect(await background()).not.toBe(light);
    await expect.poll(bars).toBe(await background());
    // Without the program too: what paints first is dark.
    await ada.page.route('**/*.wasm', (route) => route.abort());
    await ada.page.goto(server.url, { waitUntil: 'commit' });
    await expect(ada.page.getByRole('heading', { level: 1 })).toBeVisible();
    expect(await background()).not.toBe(light);
    await expect.poll(bars).toBe(await background());
  });
});

test('the page can be installed: its manifest names icons that are there', async ({ server, request }) => {
  const page = await request.get(server.url);
  expect(await page.text()).toContain('rel="manifest"');
  const manifest = await request.get(`${server.url}/manifest.webmanifest`);
  expect(manifest.headers()['content-type']).toContain('manifest+json');
  const { icons, start_url, display } = await manifest.json();
  expect([start_url, display]).toEqual(['/', 'standalone']);
  expect(icons.length).toBeGreaterThanOrEqual(3);
  for (const { src, type } of icons) {
    const icon = await request.get(server.url + src);
    expect(icon.status(), src).toBe(200);
    expect(icon.headers()['content-type'], src).toContain(type);
  }
});

test.describe('without a server', () => {
  test.use({ mayComplain: [/ERR_CONNECTION_REFUSED|status of 503|WebSocket connection to .* failed/] });

  test('the start is there all the same, and a room says in words that the server can’t be reached', async ({ server, visitor }) => {
    const ada = await visitor();
    await ada.page.goto(server.url);
    await ada.page.evaluate(async () => {
      await navigator.serviceWorker.ready;
      if (!navigator.serviceWorker.controller) await new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }));
    });
    // What the page is made of is fetched by way of the worker from the second time on.
    await ada.page.reload();
    await expect(ada.button('See two browsers meet')).toBeEnabled();
    await server.stop();
    await ada.page.reload();
    await expect(ada.page.getByRole('heading', { level: 1 })).toHaveText('Rooms where browsers talk directly.');
    // And it is alive.
    await expect(ada.button('See two browsers meet')).toBeEnabled();
    // With a query too, although this address was never fetched before.
    await ada.page.goto(`${server.url}/?topic=typed-here`);
    await expect(ada.page.getByRole('heading', { level: 1 })).toHaveText('Rooms where browsers talk directly.');
    await ada.page.goto(`${server.url}/r/lobby`);
    await expect(ada.page.getByRole('heading', { name: 'The server can’t be reached' })).toBeVisible();
    await server.start();
    await ada.page.getByRole('link', { name: 'Try again' }).click();
    await ada.connected();
    // Addresses with a query may hold typed text, and there is no end of them.
    await ada.page.goto(`${server.url}/?topic=https%3A%2F%2Ftyped-here.example%2F`);
    await ada.page.evaluate(async () => {
      const script = document.querySelector<HTMLLinkElement>('link[rel=stylesheet]')!.href;
      await Promise.all([fetch(`${script}?typed-here`), fetch('/icon.svg?typed-here'), fetch('/?typed-here')]);
    });
    // The cache holds none of these, nor the room.
    const texts = await ada.page.evaluate(async () => {
      const cache = await caches.open((await caches.keys())[0]!);
      const texts = (await cache.keys()).map(async (request) => request.url + (await (await cache.match(request, { ignoreVary: true }))!.text()));
      return (await Promise.all(texts)).filter((text) => text.includes('typed-here')).length;
    });
    expect(texts).toBe(0);
    const kept = await ada.page.evaluate(async () => {
      const names = await caches.keys();
      const caught = await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)));
      return caught.flat();
    });
    expect(kept).toContain('/');
    expect(kept.filter((path) => /^\/(r|signal|api|healthz)/.test(path))).toEqual([]);
  });
});

test.describe('a program that can’t be loaded', () => {
  test.use({ mayComplain: [/Failed to (load resource|fetch)|registration blocked/] });

  test('is said to be missing', async ({ server, visitor }) => {
    // Once a worker has taken the page over, it is the worker that fetches, past what is routed here.
    const ada = await visitor({ serviceWorkers: 'block' });
    await ada.page.route('**/*.wasm', (route) => route.abort());
    await ada.page.goto(server.url);
    await expect(ada.page.getByRole('alert').filter({ hasText: 'could not be loaded' })).toBeVisible();
  });
});
