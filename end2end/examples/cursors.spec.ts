import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { expect, test } from '../fixtures';

const built = resolve(__dirname, '../..', process.env.CARGO_TARGET_DIR ?? 'target', 'examples/cursors-site');
const page = `<!DOCTYPE html><html lang="en"><head><title>cursors</title><link rel="icon" href="data:,"></head><body>
<script type="module">import start from '/cursors.js'; await start({ module_or_path: '/cursors_bg.wasm' });</script></body></html>`;
const types: Record<string, string> = { js: 'text/javascript', wasm: 'application/wasm' };

// A server lets in pages of its own origin only, unless it is told otherwise.
test.use({ serverArgs: ['--allow-origin', '*'] });

test('cursors of a page from elsewhere move on the others’ screens', async ({ server, visitor }) => {
  // A page of its own, not from converge's server: it names the server in its address.
  const files = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://files').pathname;
    try {
      const body = path === '/' ? page : await readFile(join(built, path));
      response.setHeader('content-type', types[path.split('.').pop() ?? ''] ?? 'text/html');
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((listening) => files.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(files.address() as AddressInfo).port}/?server=${server.url}#here`;
  try {
    const [ada, ben] = [await visitor(), await visitor()];
    for (const one of [ada, ben]) await one.page.goto(url);
    for (const one of [ada, ben]) await expect(one.page.getByText('connected, 1 others')).toBeVisible();
    const cursor = ben.page.locator('.cursor');
    await expect(cursor).toBeHidden();
    for (const [x, y] of [[300, 200], [600, 400]]) {
      await ada.page.mouse.move(x, y);
      await expect(cursor).toBeVisible();
      await expect.poll(async () => Math.round((await cursor.boundingBox())?.x ?? 0)).toBe(x);
      expect(Math.round((await cursor.boundingBox())?.y ?? 0)).toBe(y);
    }
    await ada.page.close({ runBeforeUnload: true });
    await expect(cursor).toHaveCount(0);
    await expect(ben.page.getByText('connected, 0 others')).toBeVisible();
  } finally {
    files.close();
  }
});
