// Keeps what the pages are made of, so that they open where the server can't be reached, and says so. What goes on in a
// room never passes through here: signalling is a WebSocket, and talk goes from browser to browser.
const KEPT = 'converge-1';
const SHELL = ['/', '/manifest.webmanifest', '/icon.svg', '/icon-192.png'];
/** The same content for ever: its hash is in the name. */
const HASHED = /^\/pkg\/[\w-]+\.[\w-]{16,}\.(js|wasm|css)$/;
/** Of several builds; the oldest are let go. */
const MOST_HASHED = 12;

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(KEPT).then((kept) => kept.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  const others = async () => (await caches.keys()).filter((name) => name !== KEPT);
  event.waitUntil(others().then((names) => Promise.all(names.map((name) => caches.delete(name)))).then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname, search } = new URL(request.url);
  if (request.method !== 'GET' || origin !== self.location.origin) return;
  // Cache no address with a query: it may hold typed text, and there is no end of them.
  if (search !== '' && request.mode !== 'navigate') return;
  if (HASHED.test(pathname)) event.respondWith(hashed(request));
  else if (request.mode === 'navigate' && (pathname === '/' || pathname.startsWith('/r/'))) event.respondWith(page(request, pathname + search));
  else if (SHELL.includes(pathname)) event.respondWith(fetch(request).catch(() => caches.match(request, { ignoreVary: true })));
});

async function hashed(request) {
  const kept = await caches.open(KEPT);
  const found = await kept.match(request, { ignoreVary: true });
  if (found) return found;
  const response = await fetch(request);
  if (response.ok) {
    await kept.put(request, response.clone());
    const old = (await kept.keys()).filter(({ url }) => HASHED.test(new URL(url).pathname)).slice(0, -MOST_HASHED);
    await Promise.all(old.map((request) => kept.delete(request)));
  }
  return response;
}

/** A page comes with a policy and a nonce of its own: one that is kept goes with those it came with. */
async function page(request, path) {
  try {
    const response = await fetch(request);
    if (response.ok && path === '/') await (await caches.open(KEPT)).put('/', response.clone());
    return response;
  } catch {
    const kept = /^\/(\?|$)/.test(path) && (await caches.match('/', { ignoreVary: true }));
    return kept || away();
  }
}

function away() {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>Not reached · converge</title>
<style>body{margin:15vh auto;max-width:26rem;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}</style>
<main><h1>The server can’t be reached</h1>
<p>It introduces those who come to this room to each other, so nobody can be met until it is back. Look at this device’s
network, then load the page again. Those who have met in another tab go on talking.</p>
<p><a href="">Try again</a></p></main></html>`;
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" };
  return new Response(html, { status: 503, headers });
}
