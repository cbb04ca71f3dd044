// The server under test: on a free port, to be stopped and started again.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(__dirname, '..');

export function binary(): string {
  const built = join(resolve(root, process.env.CARGO_TARGET_DIR ?? 'target'), 'debug', 'converge');
  const found = process.env.SERVER_BIN ?? built;
  if (!existsSync(found)) {
    throw new Error(`${found} is missing: build it with 'cargo leptos build', or name another in SERVER_BIN`);
  }
  return found;
}

/** Mints a token for a room, signed with this secret. */
export function token(room: string, secret: string): string {
  const args = ['token', '--room', room, '--valid-for', '1h'];
  return execFileSync(binary(), args, { env: { ...process.env, CONVERGE_TOKEN_SECRET: secret }, encoding: 'utf8' }).trim();
}

export class Server {
  url = '';
  /** What it has written to standard output, line by line. */
  readonly lines: string[] = [];
  private process?: ChildProcess;
  private port = 0;
  private said = '';

  constructor(
    private readonly args: string[],
    private readonly env: Record<string, string> = {},
    private readonly host = '127.0.0.1',
    private readonly program = binary(),
  ) {}

  async start(): Promise<this> {
    // By hand and without any environment of ours, from the checkout: that must be enough.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(LEPTOS|CONVERGE)_/.test(name)));
    // `lan.test` stands for a LAN name: browsers don't trust it as they trust localhost.
    const names = ['--addr', `${this.host}:${this.port}`, '--host', 'lan.test'];
    const server = spawn(this.program, [...names, ...this.args], { cwd: root, env: { ...env, ...this.env } });
    this.process = server;
    server.stderr.on('data', (text) => (this.said += text));
    this.url = await new Promise<string>((found, failed) => {
      createInterface(server.stdout).on('line', (line) => {
        this.said += `${line}\n`;
        this.lines.push(line);
        const url = /^listening on (http:\S+)$/.exec(line)?.[1];
        if (url) found(url);
      });
      server.once('exit', () => failed(new Error(`the server ended:\n${this.said}`)));
      server.once('error', failed);
    });
    this.port = Number(new URL(this.url).port);
    return this;
  }

  /** Ends the server; its port stays this test's for the next start. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const server = this.process;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((done) => server.once('exit', done));
    server.kill(signal);
    await ended;
  }
}
