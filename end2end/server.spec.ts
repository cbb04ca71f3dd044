// What the server itself sees to: who may come in, its end, and what pages may do.
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { expect, test } from './fixtures';
import { token } from './server';

const secret = 'a-secret-of-thirty-two-bytes--ok';

test.describe('with tokens', () => {
  test.use({ serverArgs: ['--auth', 'token'], serverEnv: { CONVERGE_TOKEN_SECRET: secret } });

  test('a room is entered by its token, which the tab keeps', async ({ server, visitor }) => {
    const ada = await visitor();
    await ada.page.goto(`${server.url}/r/lobby`);
    await expect(ada.page.getByRole('heading', { name: 'This room needs an invitation' })).toBeVisible();
    await expect(ada.main).toHaveAttribute('data-reason', 'denied');
    await expect(ada.button('Join again')).toBeHidden();

    const field = ada.page.getByLabel('Token', { exact: true });
    await field.fill(token('attic', secret));
    await ada.button('Join').click();
    await expect(field).toHaveValue('');
    await expect(ada.main).toHaveAttribute('data-reason', 'denied');

    // With the spaces and line ends that come along when it is copied.
    await field.fill(` ${token('lobby', secret)}  `);
    await ada.button('Join').click();
    await ada.connected();
    await ada.page.reload();
    await ada.connected();
    expect(ada.page.url(), 'it never stands in an address').toBe(`${server.url}/r/lobby`);

    const ben = await visitor();
    await ben.page.goto(`${server.url}/r/lobby`);
    await ben.page.getByLabel('Token', { exact: true }).fill(token('lobby', secret));
    await ben.button('Join').click();
    await ben.connected();
    await Promise.all([ada.sees(1), ben.sees(1)]);
  });
});

test.describe('a server that ends in order', () => {
  // A page may try to reconnect before the server has restarted.
  test.use({ mayComplain: [/WebSocket connection to .* failed/] });

  test('is reconnected to, and no member has left', async ({ server, person }) => {
    const [ada, ben] = [await person('lobby'), await person('lobby')];
    await Promise.all([ada.sees(1), ben.sees(1)]);
    await server.stop('SIGTERM');
    await expect(ada.main).toHaveAttribute('data-status', 'reconnecting');
    await ada.say('still here');
    await expect(ben.heard('still here')).toBeVisible();
    await server.start();
    await Promise.all([ada.connected(), ben.connected()]);
    await Promise.all([ada.sees(1), ben.sees(1)]);
  });
});

test.describe('watched from elsewhere', () => {
  // The page tries to reconnect to the stopped server.
  test.use({ serverArgs: ['--metrics-addr', '127.0.0.1:0', '--log-format', 'json'], mayComplain: [/WebSocket connection to .* failed/] });

  test('a server counts, and is not ready once it has been told to end', async ({ server, person }) => {
    await person('lobby');
    const line = () => server.lines.find((text) => text.startsWith('metrics on '));
    await expect.poll(line).toBeDefined();
    const metrics = line()!.replace('metrics on ', '');
    expect(await (await fetch(metrics)).text()).toContain('\nconverge_members 1\n');
    expect((await fetch(new URL('/readyz', metrics))).status).toBe(200);
    expect((await fetch(new URL('/metrics', server.url))).status, 'not where strangers are').toBe(404);
    const ended = server.stop('SIGTERM');
    await expect.poll(async () => (await fetch(new URL('/readyz', metrics)).catch(() => ({ status: 0 }))).status).not.toBe(200);
    await ended;
  });
});

test.describe('a page of another origin', () => {
  test.use({ mayComplain: [/WebSocket/] });

  test('is not let in', async ({ server, visitor }) => {
    const elsewhere = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<title>evil</title>'));
    await new Promise<void>((listening) => elsewhere.listen(0, '127.0.0.1', listening));
    const { page } = await visitor();
    await page.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`);
    const said = await page.evaluate(
      (url) =>
        new Promise<string[]>((done) => {
          const heard: string[] = [];
          const socket = new WebSocket(url);
          socket.onmessage = ({ data }) => heard.push(Object.keys(JSON.parse(data))[0]!, JSON.parse(data).error?.code);
          socket.onclose = ({ code }) => done([...heard, String(code)]);
        }),
      `${server.url.replace('http', 'ws')}/signal`,
    );
    expect(said).toEqual(['error', 'origin', '1008']);
    elsewhere.close();
  });
});

test.describe('scripts', () => {
  test.use({ mayComplain: [/Content Security Policy|'Trusted(Script|HTML|ScriptURL)'/] });

  test('that the page did not bring are not run', async ({ server, visitor }) => {
    const ada = await (await visitor()).enter(`${server.url}/r/lobby`);
    const ran = await ada.page.evaluate(async () => {
      const blocked = new Promise<string>((done) =>
        document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective), { once: true }),
      );
      const button = document.createElement('button');
      try {
        button.setAttribute('onclick', 'window.injected = true');
      } catch {}
      button.click();
      return { blocked: await blocked, injected: 'injected' in window };
    });
    expect(ran.injected).toBe(false);
    // Browsers with Trusted Types check these first.
    expect(ran.blocked).toMatch(/^(script-src-attr|require-trusted-types-for)$/);
  });

  test('are not created from text or markup', async ({ server, visitor }) => {
    const ada = await (await visitor()).enter(`${server.url}/r/lobby`);
    const refused = await ada.page.evaluate(() => {
      const refuses = (attempt: () => void) => {
        try {
          attempt();
          return false;
        } catch (error) {
          return error instanceof TypeError;
        }
      };
      const element = document.createElement('div');
      const script = document.createElement('script');
      return [
        refuses(() => (element.innerHTML = '<img src=x onerror="alert(1)">')),
        refuses(() => (element.innerHTML = '<iframe srcdoc="x"></iframe>')),
        refuses(() => (script.src = 'data:text/javascript,alert(1)')),
        refuses(() => (script.text = 'alert(1)')),
        refuses(() => (element.innerHTML = '<p class="fine">text</p>')),
      ];
    });
    expect(refused).toEqual([true, true, true, true, false]);
  });
});

test.describe('a program modified in transit', () => {
  test.use({ mayComplain: [/integrity|Failed to fetch|Failed to load|net::ERR_FAILED/i] });

  for (const kind of ['js', 'wasm']) {
    test(`is not run: ${kind}`, async ({ server, visitor }) => {
      const ada = await visitor({ serviceWorkers: 'block' });
      await ada.page.route(`**/pkg/*.${kind}`, async (route) => {
        const response = await route.fetch();
        // Still valid: an appended comment, and an empty custom section.
        const added = kind === 'js' ? Buffer.from('//') : Buffer.from([0, 2, 1, 120]);
        await route.fulfill({ response, body: Buffer.concat([await response.body(), added]) });
      });
      await ada.page.goto(`${server.url}/r/lobby`);
      await expect(ada.page.getByRole('alert').filter({ hasText: 'could not be loaded' })).toBeVisible();
      await expect(ada.page.locator('html')).not.toHaveAttribute('data-alive');
    });
  }
});

test('the landing page counts who is here', async ({ server, visitor, person }) => {
  const guest = await visitor();
  await guest.page.goto(server.url);
  await expect(guest.page.getByText('Nobody is here yet: be the first.')).toBeVisible();
  const ada = await person('lobby');
  await guest.page.reload();
  await expect(guest.page.getByText('1 person is here now, in 1 room.')).toBeVisible();
  // And goes on counting while it is open.
  await ada.page.close();
  await expect(guest.page.getByText('Nobody is here yet: be the first.')).toBeVisible();
});
