// What the benchmarks share: the server, the browser's start, and how figures are made and said.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, extname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(import.meta.url), '../..');
export const target = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');

/** A measurement that waits for what never comes must not wait for ever. */
const AT_MOST_MS = 15 * 60_000;
setTimeout(() => {
  console.error('this takes too long: something never came');
  process.exit(1);
}, AT_MOST_MS).unref();

/** Starts the server; with where it listens. */
export async function serve(...args) {
  const binary = process.env.SERVER_BIN ?? join(target, 'release/converge');
  const server = spawn(binary, ['--addr', '127.0.0.1:0', ...args], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise((found, failed) => {
    createInterface(server.stdout).on('line', (line) => line.startsWith('listening on ') && found(line.slice(13)));
    server.once('exit', (code) => failed(new Error(`the server ended with ${code}`)));
    server.once('error', failed);
  });
  return { url, stop: () => server.kill() };
}

/**
 * Serves what bench/links is built to, and a page with nothing on it but that; from a site of its own, since Chromium lets a
 * page that Playwright makes up connect to no local address.
 */
export async function linksSite() {
  const types = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
  const site = createServer(async ({ url }, response) => {
    try {
      const type = types[extname(url)];
      const body = type ? await readFile(join(target, 'bench/links', basename(url))) : '<!doctype html><title>links</title>';
      response.writeHead(200, { 'content-type': type ?? 'text/html' }).end(body);
    } catch (error) {
      response.writeHead(404).end(String(error));
    }
  });
  await once(site.listen(0, '127.0.0.1'), 'listening');
  return { url: `http://127.0.0.1:${site.address().port}/`, stop: () => site.close() };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function result(name, value, digits, unit) {
  console.log(`RESULT ${name}=${value.toFixed(digits)} ${unit}`);
}
