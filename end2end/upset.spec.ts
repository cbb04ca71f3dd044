// Extensions, translators, policies and networks interfere with a page: it stays alive, or explains what keeps it from that.
import type { Page } from '@playwright/test';
import { expect, type Person, test } from './fixtures';
import { Server } from './server';

/** Holds the page's program back until the returned function is called. */
async function holdProgram(person: Person): Promise<() => void> {
  let arrive = () => {};
  const arrived = new Promise<void>((done) => (arrive = done));
  await person.page.route('**/*.wasm', async (route) => {
    await arrived;
    await route.continue();
  });
  return arrive;
}

/** Changes that extensions and translators make to a page before its program runs. */
const CHANGES: Record<string, () => void> = {
  'an element beside a field': () => document.querySelector('#name')?.after(document.createElement('div')),
  'an element at the beginning': () => document.querySelector('leptos-island')?.prepend(document.createElement('com-manager')),
  'a field put into another element': () => {
    const field = document.querySelector('#message');
    const box = document.createElement('grammarly-box');
    field?.replaceWith(box);
    if (field) box.append(field);
  },
  'a text replaced, as translators do': () => {
    const heading = document.querySelector('#people-heading');
    const font = document.createElement('font');
    font.append(heading?.firstChild ?? '');
    heading?.prepend(font);
  },
  'a button taken out': () => document.querySelector('.reactions li')?.remove(),
  'the island taken out': () => document.querySelector('leptos-island')?.remove(),
  'the island doubled': () => {
    const island = document.querySelector('leptos-island');
    island?.after(island.cloneNode(true));
  },
  'the island unwrapped': () => {
    const island = document.querySelector('leptos-island');
    island?.replaceWith(...island.childNodes);
  },
  'comments taken out': () => {
    const comments = document.createTreeWalker(document.body, NodeFilter.SHOW_COMMENT);
    const found: Node[] = [];
    while (comments.nextNode()) found.push(comments.currentNode);
    for (const comment of found) comment.parentNode?.removeChild(comment);
  },
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`a page that something else changes before it comes to life works: ${what}`, async ({ server, visitor, person }) => {
    const ben = await person('lobby');
    const ada = await visitor();
    const arrive = await holdProgram(ada);
    await ada.page.goto(`${server.url}/r/lobby`, { waitUntil: 'commit' });
    await ada.rename('Ada');
    await ada.field.fill('typed before');
    await ada.page.evaluate(change);
    arrive();
    await expect(ada.main).toHaveCount(1);
    await ada.connected();
    await Promise.all([ada.sees(1), ben.sees(1)]);
    // With the island its fields are gone, and what was typed.
    const isGone = what === 'the island taken out';
    if (isGone) await ada.rename('Ada');
    await expect(ben.row(await ada.id())).toContainText('Ada');
    // Moving a field takes the focus from it.
    if (!/put into|taken out|doubled|unwrapped/.test(what)) await expect(ada.field).toBeFocused();
    if (isGone) await ada.field.fill('typed before');
    await ada.button('Send').click();
    await expect(ben.heard('typed before')).toHaveCount(1);
    await ben.say('and back');
    await expect(ada.heard('and back')).toHaveCount(1);
    await ada.button('Leave room').click();
    await ben.sees(0);
  });
}

test('a start page that something else changes before it comes to life works', async ({ server, visitor }) => {
  const ada = await visitor();
  const arrive = await holdProgram(ada);
  await ada.page.goto(server.url, { waitUntil: 'commit' });
  const field = ada.page.getByRole('textbox', { name: 'Room', exact: true });
  await field.fill('typed before');
  await ada.page.evaluate(() => {
    for (const island of document.querySelectorAll('leptos-island')) island.prepend(document.createElement('x-manager'));
  });
  arrive();
  await expect(ada.button('See two browsers meet')).toBeEnabled();
  await expect(ada.button('Copy code')).toBeEnabled();
  await expect(field).toHaveValue('typed before');
  await ada.button('Theme').click();
  await expect(ada.page.locator('html')).toHaveAttribute('data-theme', 'light');
  await field.press('Enter');
  await ada.connected();
  await expect(ada.page.getByRole('heading', { level: 1 })).toHaveText('typed before');
});

test.describe('a page that something changes while the server is away', () => {
  test.use({ mayComplain: [/Failed to (load resource|fetch)|ERR_CONNECTION_REFUSED/] });

  test('says that something changed it', async ({ server, visitor }) => {
    const ada = await visitor();
    const arrive = await holdProgram(ada);
    await ada.page.goto(`${server.url}/r/lobby`, { waitUntil: 'commit' });
    await ada.page.route('**/r/lobby', (route) => route.abort());
    await ada.page.evaluate(() => document.querySelector('#name')?.after(document.createElement('div')));
    arrive();
    await expect(ada.page.getByRole('alert').filter({ hasText: 'Something has changed this page' })).toBeVisible();
  });
});

test.describe('an island whose properties were changed', () => {
  test.use({ mayComplain: [/panicked|unreachable|RuntimeError|props/] });

  const breakProps = () => {
    for (const island of document.querySelectorAll<HTMLElement>('leptos-island')) island.dataset.props = 'nothing';
  };

  test('is started once more, and works', async ({ server, visitor, person }) => {
    const ben = await person('lobby');
    const ada = await visitor();
    const arrive = await holdProgram(ada);
    await ada.page.goto(`${server.url}/r/lobby`, { waitUntil: 'commit' });
    await ada.field.fill('typed before');
    await ada.page.evaluate(breakProps);
    arrive();
    await ada.connected();
    await Promise.all([ada.sees(1), ben.sees(1)]);
    await ada.button('Send').click();
    await expect(ben.heard('typed before')).toHaveCount(1);
  });

  test('and is so again says that something changed the page, and joins nothing', async ({ server, visitor, person }) => {
    const ben = await person('lobby');
    const ada = await visitor();
    let sockets = 0;
    ada.page.on('websocket', (socket) => (sockets += socket.url().includes('/signal') ? 1 : 0));
    const arrive = await holdProgram(ada);
    await ada.page.goto(`${server.url}/r/lobby`, { waitUntil: 'commit' });
    await ada.page.route('**/r/lobby', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replace(/data-props="[^"]*"/g, 'data-props="nothing"') });
    });
    await ada.page.evaluate(breakProps);
    arrive();
    await expect(ada.page.getByRole('alert').filter({ hasText: 'Something has changed this page' })).toBeVisible();
    await expect(ada.page.locator('html')).toHaveAttribute('data-broken', 'changed');
    expect(sockets).toBe(0);
    await ben.sees(0);
  });
});

test('password managers and writing aids are told to leave the fields alone', async ({ server, request }) => {
  for (const [path, fields] of [['/', 2], ['/r/lobby', 3]] as const) {
    const page = await (await request.get(server.url + path)).text();
    for (const attribute of ['data-1p-ignore', 'data-lpignore', 'data-bwignore', 'data-form-type="other"', 'data-gramm="false"', 'data-lt-active="false"']) {
      expect(page.split(attribute).length - 1, `${path} ${attribute}`).toBe(fields);
    }
  }
});

test('events that are not what their names say do nothing', async ({ person }) => {
  const [ada, ben] = [await person('events'), await person('events')];
  await ada.sees(1);
  await ada.button('Connection').click();
  await ada.page.evaluate(() => {
    const names = ['keydown', 'keyup', 'keypress', 'paste', 'copy', 'drop', 'dragenter', 'dragover', 'dragleave', 'dragstart', 'dragend', 'pointermove',
      'pointerdown', 'pointerleave', 'pointercancel', 'wheel', 'touchstart', 'input', 'change', 'scroll', 'blur', 'focus', 'compositionend',
      'resize', 'message', 'storage', 'online', 'pageshow', 'pagehide', 'visibilitychange', 'freeze', 'resume', 'devicechange'];
    const targets: EventTarget[] = [window, document, ...document.querySelectorAll('*')];
    for (const target of targets) for (const name of names) target.dispatchEvent(new Event(name, { bubbles: true, cancelable: true }));
  });
  await ada.button('Close').click();
  await ada.field.click();
  await ada.page.keyboard.type('still here');
  await ada.page.keyboard.press('Enter');
  await expect(ben.heard('still here')).toHaveCount(1);
  await ada.field.blur();
  await ada.page.keyboard.press('?');
  await expect(ada.page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
});

test.describe('a program that stops', () => {
  test.use({ mayComplain: [/unreachable/] });

  test('is said to have stopped', async ({ person }) => {
    const ada = await person('lobby');
    await ada.page.evaluate(() => void setTimeout(() => { throw new WebAssembly.RuntimeError('unreachable'); }));
    await expect(ada.page.getByRole('alert').filter({ hasText: "This page's program has stopped" })).toBeVisible();
  });
});

/** Puts every text into elements of its own, now and later, as the translators of browsers do. */
async function translate(page: Page): Promise<void> {
  await page.evaluate(() => {
    const wrap = (root: Node) => {
      const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
      const found: Text[] = root.nodeType === 3 ? [root as Text] : [];
      while (texts.nextNode()) found.push(texts.currentNode as Text);
      for (const text of found) {
        const parent = text.parentElement;
        if (!parent || !text.data.trim() || parent.closest('[translate=no], script, style, textarea, font, noscript')) continue;
        const [outer, inner] = [document.createElement('font'), document.createElement('font')];
        inner.textContent = text.data;
        outer.append(inner);
        text.replaceWith(outer);
      }
    };
    wrap(document.body);
    new MutationObserver((records) => {
      for (const { addedNodes } of records) for (const node of addedNodes) wrap(node);
    }).observe(document.body, { childList: true, subtree: true });
  });
}

test.describe('while the page is translated', () => {
  test.use({ mayComplain: [/WebSocket connection to .* failed/] });

  test('what changes goes on changing', async ({ server, person }, info) => {
    const ada = await person('translated');
    await translate(ada.page);
    const ben = await person('translated');
    await ada.sees(1);
    await expect(ada.page.locator('.pill')).toHaveText('1 direct link');
    await expect(ada.page.locator('.people .count')).toHaveText('2');
    await ben.rename('Ben');
    const row = ada.row(await ben.id());
    await expect(row.locator('.person-name')).toHaveText('Ben');
    await ben.field.pressSequentially('hel');
    await expect(row.locator('.person-state')).toHaveText('typing…');
    await ben.field.fill('');
    await expect(row.locator('.person-state')).toHaveText('');
    await ben.rename('Benjamin');
    await expect(row.locator('.person-name')).toHaveText('Benjamin');
    await ada.say('hello');
    await expect(ada.messages.locator('.message-delivery')).toHaveText('Delivered');
    const path = info.outputPath('note.txt');
    await (await import('node:fs/promises')).writeFile(path, 'a note');
    await ada.attach(path);
    await expect(ada.transfers.locator('.transfer-state')).toHaveText('offered');
    await ben.button('Accept').click();
    await expect(ada.transfers.locator('.transfer-state')).toHaveText('done');
    await server.stop('SIGKILL');
    await expect(ada.page.locator('.banner')).toContainText('The meeting server is unreachable.');
    await expect(ada.page.locator('.pill')).toHaveText('Reconnecting…');
    await server.start();
    await expect(ada.page.locator('.banner')).toHaveText('');
    await expect(ada.page.locator('.pill')).toHaveText('1 direct link');
    await ben.page.close();
    await expect(ada.page.locator('.people .count')).toHaveText('1');
  });
});

/** The ways in which browsers, extensions and policies keep WebRTC from a page. */
const REFUSALS: Record<string, () => void> = {
  'is null': () => Object.assign(window, { RTCPeerConnection: null }),
  'is missing': () => Reflect.deleteProperty(window, 'RTCPeerConnection'),
  'is no constructor': () => Object.assign(window, { RTCPeerConnection: {} }),
  'throws': () => Object.assign(window, { RTCPeerConnection: class { constructor() { throw new DOMException('no', 'NotAllowedError'); } } }),
  'makes no channels': () => { RTCPeerConnection.prototype.createDataChannel = () => { throw new Error('no'); }; },
  'makes no offers': () => { RTCPeerConnection.prototype.createOffer = () => { throw new Error('no'); }; },
  'refuses offers': () => { RTCPeerConnection.prototype.createOffer = () => Promise.reject(new Error('no')); },
  'makes no channel at all': () => { RTCPeerConnection.prototype.createDataChannel = () => null as unknown as RTCDataChannel; },
  'sets no descriptions': () => Reflect.deleteProperty(RTCPeerConnection.prototype, 'setLocalDescription'),
};

for (const [what, refuse] of Object.entries(REFUSALS)) {
  test.describe(() => {
    // A late refusal finds the socket already opening.
    test.use({ mayComplain: what === 'refuses offers' ? [/WebSocket is closed before/] : [] });

    test(`where RTCPeerConnection ${what}, the room says that the browser can’t take part`, async ({ server, visitor, person }) => {
      const ben = await person('lobby');
      const ada = await visitor();
      await ada.context.addInitScript(refuse);
      await ada.page.goto(`${server.url}/r/lobby`);
      await expect(ada.main).toHaveAttribute('data-status', 'closed');
      await expect(ada.main).toHaveAttribute('data-reason', 'unsupported');
      const notice = ada.page.getByRole('alert').filter({ hasText: "This browser can't take part" });
      await expect(notice).toContainText('A room takes direct connections (WebRTC)');
      await expect(ada.button('Join again')).toBeHidden();
      await ben.sees(0);
    });
  });
}

for (const method of ['setLocalDescription', 'setRemoteDescription', 'addIceCandidate', 'getStats', 'close', 'setConfiguration'] as const) {
  test(`a browser whose ${method} throws does not stop the page`, async ({ server, visitor, person }) => {
    const ben = await person('lobby');
    const ada = await visitor();
    await ada.context.addInitScript((method) => {
      Object.assign(RTCPeerConnection.prototype, { [method]: () => { throw new Error('no'); } });
    }, method);
    await ada.enter(`${server.url}/r/lobby`);
    await ada.button('Connection').click();
    const panel = ada.page.getByRole('region', { name: 'Connection', exact: true });
    const refused = method.endsWith('Description');
    await expect(panel).toContainText(refused ? 'this browser refuses the connection to' : /Connected to|Being connected/);
    await ada.button('Close').click();
    await ada.field.fill('a draft');
    await ada.button('Leave room').click();
    await ben.sees(0);
    await expect(ada.page.locator('html')).not.toHaveAttribute('data-broken', /.*/);
  });
}

test('where the browser may not use UDP, the panel says that, and not that a relay is missing', async ({ server, visitor, person }) => {
  await person('lobby');
  const ada = await visitor();
  // The effect of a policy that lets WebRTC use proxies only.
  await ada.context.addInitScript(() => {
    const Native = RTCPeerConnection;
    window.RTCPeerConnection = class extends Native {
      constructor(configuration?: RTCConfiguration) {
        super({ ...configuration, iceTransportPolicy: 'relay' });
      }
      setConfiguration(configuration?: RTCConfiguration) {
        super.setConfiguration({ ...configuration, iceTransportPolicy: 'relay' });
      }
    };
  });
  await ada.enter(`${server.url}/r/lobby`);
  await ada.button('Connection').click();
  const panel = ada.page.getByRole('region', { name: 'Connection', exact: true });
  await expect(panel).toContainText(/this browser gathers no address that “\w+ \w+” could connect to/);
  await expect(panel).toContainText('keeps it from using UDP');
});

/** The ways in which a WebSocket comes to nothing. */
const SOCKETS: Record<string, () => void> = {
  'never opens': () => {
    Object.assign(window, { WebSocket: class extends EventTarget { static OPEN = 1; readyState = 0; close() {} send() {} } });
  },
  'closes at once': () => {
    Object.assign(window, {
      WebSocket: class extends EventTarget {
        readyState = 3;
        constructor() {
          super();
          queueMicrotask(() => this.dispatchEvent(new CloseEvent('close')));
        }
        close() {}
        send() {}
      },
    });
  },
  'opens and stays silent': () => {
    Object.assign(window, {
      WebSocket: class extends EventTarget {
        readyState = 1;
        constructor() {
          super();
          queueMicrotask(() => this.dispatchEvent(new Event('open')));
        }
        close() {}
        send() {}
      },
    });
  },
  'can’t be made': () => Object.assign(window, { WebSocket: class { constructor() { throw new DOMException('no', 'SecurityError'); } } }),
};

for (const [what, spoil] of Object.entries(SOCKETS)) {
  test(`where the WebSocket ${what}, the page says what may be in the way`, async ({ server, visitor }) => {
    const ada = await visitor();
    await ada.context.addInitScript(spoil);
    await ada.page.goto(`${server.url}/r/lobby`);
    await expect(ada.button('Camera')).toHaveAttribute('title', 'Camera: waits until you are in the room');
    await expect(ada.page.getByRole('status').filter({ hasText: 'The meeting server has not been reached.' })).toBeVisible();
    await expect(ada.page.locator('.banner')).toContainText('may block WebSockets');
    await expect(ada.main).toHaveAttribute('data-status', 'connecting');
  });
}

test('a false report of no network changes nothing', async ({ person }) => {
  const [ada, ben] = [await person('vpn'), await person('vpn')];
  await ada.sees(1);
  await ada.page.evaluate(() => {
    const seen: string[] = [];
    Object.assign(window, { seen });
    const main = document.querySelector('main');
    if (main) new MutationObserver(() => seen.push(main.dataset.status ?? '')).observe(main, { attributeFilter: ['data-status'] });
    window.dispatchEvent(new Event('offline'));
  });
  await ben.say('do you hear me?');
  await expect(ada.heard('do you hear me?')).toHaveCount(1);
  // Newcomers are met: the socket is still there.
  const cleo = await person('vpn');
  await Promise.all([ada.sees(2), cleo.sees(2)]);
  expect(await ada.page.evaluate(() => (window as unknown as { seen: string[] }).seen)).toEqual([]);
  await expect(ada.page.locator('.banner')).toHaveText('');
});

test.describe('where cookies are blocked', () => {
  test('a page says nothing on the console, and joins', async ({ server, visitor, person }) => {
    const ben = await person('lobby');
    const ada = await visitor();
    await ada.context.addInitScript(() => {
      const forbidden = () => { throw new DOMException('Access is denied for this document.', 'SecurityError'); };
      for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get: forbidden });
      navigator.locks.request = () => Promise.reject(new DOMException('Access is denied.', 'SecurityError'));
    });
    await ada.enter(`${server.url}/r/lobby`);
    await ada.sees(1);
    await ada.say('hello');
    await expect(ben.heard('hello')).toHaveCount(1);
  });
});

test.describe('a server at an address of IPv6', () => {
  test('serves pages without complaints', async ({ visitor }, info) => {
    const server = await new Server([], {}, '[::1]').start().catch(() => undefined);
    info.skip(!server, 'this machine has no loopback address of IPv6');
    if (!server) return;
    const ada = await visitor();
    await ada.enter(`${server.url}/r/lobby`);
    await ada.page.goto(server.url);
    await expect(ada.button('See two browsers meet')).toBeEnabled();
    await server.stop();
  });
});

test('where the browser has no idle callbacks, the name is remembered all the same', async ({ person }) => {
  const ada = await person('idle');
  await ada.context.addInitScript(() => Reflect.deleteProperty(window, 'requestIdleCallback'));
  await ada.rename('Ada');
  await ada.page.reload();
  await ada.connected();
  await expect(ada.page.getByRole('textbox', { name: 'Your name', exact: true })).toHaveValue('Ada');
});

test('a reload whose lock comes late is the same person', async ({ person }) => {
  const ada = await person('lock');
  const id = await ada.id();
  await ada.context.addInitScript(() => {
    const request = navigator.locks.request.bind(navigator.locks) as (...all: unknown[]) => Promise<unknown>;
    // As on a machine that is busy.
    const late = (...all: unknown[]) => new Promise((done) => setTimeout(done, 1500)).then(() => request(...all));
    Object.assign(navigator.locks, { request: late });
  });
  await ada.page.reload();
  await ada.connected();
  expect(await ada.id()).toBe(id);
});

test('a room’s program is fetched with the page, the start page’s is not', async ({ server, request }) => {
  const links = async (path: string) => {
    const page = await (await request.get(server.url + path)).text();
    return [/<link[^>]*rel="modulepreload"[^>]*href="\/pkg\/[^"]+\.js"/.test(page), /<link[^>]*rel="preload"[^>]*href="\/pkg\/[^"]+\.wasm"/.test(page)];
  };
  expect(await links('/r/lobby')).toEqual([true, true]);
  expect(await links('/')).toEqual([false, false]);
});

test('what is preloaded is what is used', async ({ server, visitor }) => {
  const ada = await visitor();
  const fetched: string[] = [];
  ada.page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
  await ada.enter(`${server.url}/r/lobby`);
  for (const ending of ['.js', '.wasm']) expect(fetched.filter((path) => path.endsWith(ending) && path.startsWith('/pkg/'))).toHaveLength(1);
});
