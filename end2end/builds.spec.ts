// A server that is restarted with another build of the same protocol.
import { createHash } from 'node:crypto';
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { TestInfo } from '@playwright/test';
import { expect, test as base } from './fixtures';
import { binary, Server } from './server';

const root = resolve(__dirname, '..');

/** A copy of the build, whose files can be replaced by those of another. */
class Build {
  private constructor(private readonly folder: string) {}

  static async copied(info: TestInfo): Promise<Build> {
    const build = new Build(info.outputPath('build'));
    await mkdir(build.folder, { recursive: true });
    await copyFile(binary(), build.binary);
    await copyFile(join(dirname(binary()), 'hash.txt'), join(build.folder, 'hash.txt'));
    await cp(join(root, 'target/site'), build.site, { recursive: true });
    return build;
  }

  get binary(): string {
    return join(this.folder, 'converge');
  }

  get site(): string {
    return join(this.folder, 'site');
  }

  /** Puts another build in the place of this one: each file of the program has other content, and so another name. */
  async replace(mark: string): Promise<void> {
    const hashes = join(this.folder, 'hash.txt');
    let text = await readFile(hashes, 'utf8');
    const pkg = join(this.site, 'pkg');
    for (const file of await readdir(pkg)) {
      const [, kind] = /^converge\.[\w-]+\.(js|wasm|css)$/.exec(file) ?? [];
      if (!kind) continue;
      const hash = createHash('md5').update(mark + kind).digest('base64url');
      const path = join(pkg, `converge.${hash}.${kind}`);
      await rename(join(pkg, file), path);
      if (kind !== 'wasm') await writeFile(path, `${await readFile(path, 'utf8')}\n/* build ${mark} */\n`);
      text = text.replace(new RegExp(`^(${kind}:\\s*).*$`, 'm'), `$1${hash}`);
    }
    await writeFile(hashes, text);
  }

  /** The names of the program's files. */
  async files(): Promise<string[]> {
    const files = await readdir(join(this.site, 'pkg'));
    return files.filter((file) => /^converge\.[\w-]+\.(js|wasm|css)$/.test(file)).sort();
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

const test = base.extend<{ build: Build }>({
  build: async ({}, use, info) => {
    const build = await Build.copied(info);
    await use(build);
    await build.remove();
  },
  server: async ({ build }, use) => {
    const server = await new Server([], { LEPTOS_SITE_ROOT: build.site }, '127.0.0.1', build.binary).start();
    await use(server);
    await server.stop();
  },
});

test.use({ mayComplain: [/WebSocket connection to .* failed|ERR_CONNECTION_REFUSED|status of (404|503)|Refused to apply style|integrity|[Ff]ailed to (load resource|fetch)/] });

test('pages that are open go on, and new ones are of the new build alone', async ({ build, server, person, visitor }) => {
  const [ada, ben] = [await person('lobby'), await person('lobby')];
  await Promise.all([ada.sees(1), ben.sees(1)]);
  await server.stop();
  await build.replace('two');
  await ada.say('while it is away');
  await expect(ben.heard('while it is away')).toHaveCount(1);
  await server.start();
  await Promise.all([ada.connected(), ben.connected()]);
  // One loads its page again, one comes new, and one of the old build stays.
  const fetched: string[] = [];
  const note = (url: string) => /\/pkg\/(converge\.[\w-]+\.(?:js|wasm|css))/.exec(url)?.[1];
  ben.page.on('request', (request) => fetched.push(note(request.url()) ?? ''));
  await ben.page.reload();
  await ben.connected();
  const cleo = await visitor();
  cleo.page.on('request', (request) => fetched.push(note(request.url()) ?? ''));
  await cleo.enter(`${server.url}/r/lobby`);
  await Promise.all([ada, ben, cleo].map((one) => one.sees(2)));
  await cleo.say('of the new build');
  for (const one of [ada, ben]) await expect(one.heard('of the new build')).toHaveCount(1);
  expect([...new Set(fetched.filter(Boolean))].sort()).toEqual(await build.files());
});

test('a server whose files were replaced before it is restarted names its own build alone', async ({ build, server, request }) => {
  const names = async () => [...new Set((await (await request.get(`${server.url}/r/lobby`)).text()).match(/converge\.[\w-]+\.(js|wasm|css)/g))].sort();
  const before = await build.files();
  expect(await names()).toEqual(before);
  await build.replace('two');
  expect(await names()).toEqual(before);
});

test('a page whose program is of a build that is gone loads the new one by itself', async ({ build, server, visitor }) => {
  const ada = await visitor();
  // The page comes from the old server, its program is asked for when that is gone.
  let asked = () => {};
  const replaced = new Promise<void>((done) => (asked = done));
  let first = true;
  await ada.page.route('**/*.wasm', async (route) => {
    if (first) {
      first = false;
      await server.stop();
      await build.replace('two');
      await server.start();
      asked();
    }
    await route.continue();
  });
  await ada.page.goto(`${server.url}/r/lobby`);
  await replaced;
  await ada.connected();
  await expect(ada.page.locator('html')).not.toHaveAttribute('data-broken', /.*/);
});

test('a page that is kept for when there is no network never mixes two builds', async ({ build, server, visitor }) => {
  const ada = await visitor();
  const controlled = () =>
    ada.page.evaluate(async () => {
      await navigator.serviceWorker.ready;
      if (!navigator.serviceWorker.controller) await new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }));
    });
  const demo = ada.button('See two browsers meet');
  await ada.page.goto(server.url);
  await controlled();
  await ada.page.reload();
  await expect(demo).toBeEnabled();
  for (const mark of ['two', 'three']) {
    const before = await build.files();
    await server.stop();
    // Of the kept build, all of it: it is alive.
    await ada.page.reload();
    await expect(demo).toBeEnabled();
    expect(await used(ada.page)).toEqual(before.filter((file) => !file.endsWith('.css')));
    await build.replace(mark);
    await server.start();
    await ada.page.reload();
    await expect(demo).toBeEnabled();
    expect(await used(ada.page)).toEqual((await build.files()).filter((file) => !file.endsWith('.css')));
  }
});

/** The files of the program that a page has loaded. */
async function used(page: import('@playwright/test').Page): Promise<string[]> {
  return page.evaluate(() => {
    const names = performance.getEntriesByType('resource').map(({ name }) => /\/pkg\/(converge\.[\w-]+\.(?:js|wasm))/.exec(name)?.[1]);
    return [...new Set(names.filter((name): name is string => !!name))].sort();
  });
}
