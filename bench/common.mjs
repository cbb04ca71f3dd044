// What the benchmarks share: the server, the browser's start, and how figures are made and said.
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(import.meta.url), '../..');
export const target = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');

/** Starts the server; with where it listens. */
export async function serve() {
  const binary = process.env.SERVER_BIN ?? join(target, 'release/converge');
  const server = spawn(binary, ['--addr', '127.0.0.1:0'], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise((found, failed) => {
    createInterface(server.stdout).on('line', (line) => line.startsWith('listening on ') && found(line.slice(13)));
    server.once('exit', (code) => failed(new Error(`the server ended with ${code}`)));
    server.once('error', failed);
  });
  return { url, stop: () => server.kill() };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function result(name, value, digits, unit) {
  console.log(`RESULT ${name}=${value.toFixed(digits)} ${unit}`);
}
