// Members of a room in Firefox and in Chromium, with the same methods for both.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator } from '@playwright/test';
import puppeteer, { type Browser, type BrowserContext, type ElementHandle, type Page } from 'puppeteer-core';
import { small, smallPictures } from './call';
import firefox from './firefox.js';
import { expect, Person, test as base } from './fixtures';

export { expect };

export type BrowserName = 'Firefox' | 'Chromium';

/** The part of Playwright's locator that puppeteer supports too. Reads don't wait: assert with `expect.poll`. */
type Found = Pick<Locator, 'allTextContents' | 'click' | 'count'>;

/** The methods of `Person`, and those in which the browsers' drivers differ. */
export interface Member {
  enter(url: string): Promise<this>;
  connected(): Promise<this>;
  /** Reads an attribute of the page's main element. */
  state(attribute: string): Promise<string | null>;
  id(): Promise<string>;
  sees(others: number): Promise<void>;
  row(id: string): Found;
  rename(name: string): Promise<void>;
  say(text: string, to?: string): Promise<void>;
  heard(text: string): Found;
  /** Reads the delivery state of a message that this member sent; empty if unset. */
  delivery(text: string): Promise<string>;
  button(name: string): Found;
  pressed(button: string): Promise<boolean>;
  readonly transfers: Found;
  attach(path: string, to?: string): Promise<void>;
  /** Saves a received file by its link, and expects this SHA-256 of the file on disk. */
  saves(name: string, hash: string): Promise<void>;
  /** Reads the playback position of a video in seconds; 0 before its first frame. */
  position(figure: string): Promise<number>;
  reload(): Promise<void>;
  /** Opens the same room in a tab that starts with a copy of this one's sessionStorage. */
  duplicate(): Promise<Member>;
}

/** Hashes a file. Returns an empty text if it does not exist. */
async function sha256(path: string): Promise<string> {
  const bytes = await readFile(path).catch(() => undefined);
  return bytes ? createHash('sha256').update(bytes).digest('hex') : '';
}

/** Runs in the page. */
function videoPosition(figures: Element[]): number {
  const video = figures[0]?.querySelector('video');
  return video && video.videoWidth > 0 ? video.currentTime : 0;
}

class ChromiumPerson extends Person implements Member {
  state(attribute: string): Promise<string | null> {
    return this.main.getAttribute(attribute);
  }

  async delivery(text: string): Promise<string> {
    const states = this.messages.getByRole('article').filter({ hasText: text }).locator('.message-delivery');
    return (await states.allTextContents()).join();
  }

  async pressed(button: string): Promise<boolean> {
    return (await this.button(button).getAttribute('aria-pressed')) === 'true';
  }

  async saves(name: string, hash: string): Promise<void> {
    const download = this.page.waitForEvent('download');
    await this.page.getByRole('link', { name: `Save ${name}`, exact: true }).click();
    expect(await sha256(await (await download).path())).toBe(hash);
  }

  position(figure: string): Promise<number> {
    return this.page.getByRole('figure', { name: figure, exact: true }).evaluateAll(videoPosition);
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.connected();
  }

  async duplicate(): Promise<ChromiumPerson> {
    const opened = this.context.waitForEvent('page');
    await this.page.evaluate(() => void window.open(location.href));
    return new ChromiumPerson(await opened).connected();
  }
}

/** Puppeteer's selector for an accessible role and name. */
function aria(role: string, name: string): string {
  return `::-p-aria([name="${name}"][role="${role}"])`;
}

/** Elements that a selector of puppeteer matches, where `keep` accepts their text. */
class FirefoxFound implements Found {
  constructor(
    private readonly page: Page,
    private readonly selector: string,
    private readonly keep: (text: string) => boolean = () => true,
  ) {}

  async allTextContents(): Promise<string[]> {
    const texts = await this.page.$$eval(this.selector, (elements) => elements.map((element) => element.textContent ?? ''));
    return texts.filter(this.keep);
  }

  async count(): Promise<number> {
    return (await this.allTextContents()).length;
  }

  async click(): Promise<void> {
    await this.page.locator(this.selector).click();
  }
}

/** `Person` in Firefox. */
export class FirefoxPerson implements Member {
  constructor(
    readonly page: Page,
    private readonly downloads: string,
  ) {}

  async enter(url: string): Promise<this> {
    await this.page.goto(url);
    return this.connected();
  }

  async connected(): Promise<this> {
    await expect.poll(() => this.state('data-status')).toBe('connected');
    await expect.poll(() => this.id()).toMatch(/^[a-z2-7]{52}$/);
    return this;
  }

  async state(attribute: string): Promise<string | null> {
    // Not `$eval`, which throws while the document is replaced.
    const values = await this.page.$$eval('main', (mains, attribute) => mains.map((main) => main.getAttribute(attribute)), attribute);
    return values[0] ?? null;
  }

  async id(): Promise<string> {
    return (await this.state('data-self-id')) ?? '';
  }

  async sees(others: number): Promise<void> {
    await expect.poll(() => this.state('data-links')).toBe(String(others));
    await expect.poll(() => this.found(`${aria('list', 'People')} li`).count()).toBe(others + 1);
  }

  row(id: string): Found {
    return this.found(`[data-peer-id="${id}"]`);
  }

  async rename(name: string): Promise<void> {
    await this.page.locator(aria('textbox', 'Your name')).fill(name);
  }

  async say(text: string, to = ''): Promise<void> {
    const field = aria('textbox', 'Message');
    await this.choose(to);
    await this.page.locator(field).fill(text);
    await this.button('Send').click();
    await expect.poll(() => this.page.$$eval(field, (fields) => fields.map((field) => (field as HTMLTextAreaElement).value))).toEqual(['']);
  }

  heard(text: string): Found {
    return this.found(`${aria('log', 'Messages')} .message-text`, (heard) => heard.trim() === text);
  }

  delivery(text: string): Promise<string> {
    const read = (messages: Element[], text: string) =>
      messages
        .filter((message) => message.textContent?.includes(text))
        .map((message) => message.querySelector('.message-delivery')?.textContent ?? '')
        .join();
    return this.page.$$eval(`${aria('log', 'Messages')} article`, read, text);
  }

  button(name: string): Found {
    return this.found(aria('button', name));
  }

  async pressed(button: string): Promise<boolean> {
    const values = await this.page.$$eval(aria('button', button), (buttons) => buttons.map((button) => button.ariaPressed));
    return values[0] === 'true';
  }

  get transfers(): Found {
    return this.found(`${aria('list', 'Transfers')} li`);
  }

  async attach(path: string, to = ''): Promise<void> {
    await this.choose(to);
    const field = await this.page.waitForSelector('input[type="file"]:enabled');
    await (field as ElementHandle<HTMLInputElement>).uploadFile(path);
  }

  async saves(name: string, hash: string): Promise<void> {
    await this.page.locator(aria('link', `Save ${name}`)).click();
    // The file grows under its name.
    await expect.poll(() => sha256(join(this.downloads, name))).toBe(hash);
  }

  position(figure: string): Promise<number> {
    return this.page.$$eval(aria('figure', figure), videoPosition);
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.connected();
  }

  async duplicate(): Promise<FirefoxPerson> {
    const opened = new Promise<Page | null>((resolve) => this.page.once('popup', resolve));
    // Opened blank: the driver can miss a page that loads while it attaches to the tab.
    await this.page.evaluate(() => void window.open());
    const page = await opened;
    if (!page) throw new Error('the tab was closed while it opened');
    expect(await page.evaluate(() => sessionStorage.length), 'the copy has the tab’s session storage').toBeGreaterThan(0);
    return new FirefoxPerson(page, this.downloads).enter(this.page.url());
  }

  /** Selects the receiver of the next message or file. */
  private async choose(to: string): Promise<void> {
    await this.page.locator(aria('combobox', 'To')).fill(to);
  }

  private found(selector: string, keep?: (text: string) => boolean): Found {
    return new FirefoxFound(this.page, selector, keep);
  }
}

type Fixtures = {
  /** Joins a room in a browser profile of its own. */
  member: (browser: BrowserName, room: string) => Promise<Member>;
  /** Opens a window of Firefox with cookies, storage and locks of its own. */
  window: () => Promise<FirefoxPerson>;
};

export const test = base.extend<Fixtures, { firefox: { browser: Browser; downloads: string } }>({
  firefox: [
    async ({}, use, { project, workerIndex }) => {
      // Inside the checkout: a Firefox from a snap can't read the system's temporary folder.
      const folder = join(project.outputDir, `firefox-${workerIndex}`);
      const [userDataDir, downloads] = [join(folder, 'profile'), join(folder, 'downloads')];
      for (const path of [userDataDir, downloads]) await mkdir(path, { recursive: true });
      const browser = await puppeteer.launch({
        browser: 'firefox',
        executablePath: firefox.executablePath,
        headless: true,
        timeout: 120_000,
        defaultViewport: null,
        userDataDir,
        extraPrefsFirefox: firefox.preferences(downloads),
      });
      await use({ browser, downloads });
      await browser.close();
      await rm(folder, { recursive: true, force: true });
    },
    { scope: 'worker', timeout: 150_000 },
  ],

  window: async ({ firefox: { browser, downloads }, mayComplain }, use) => {
    const complaints: string[] = [];
    const contexts: BrowserContext[] = [];
    const watch = (page: Page) => {
      page.setDefaultTimeout(60_000);
      page.on('pageerror', (error) => complaints.push(`uncaught: ${error instanceof Error ? error.message : error}`));
      page.on('console', (message) => {
        if (['error', 'warn', 'assert'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
      });
      page.on('popup', (popup) => popup && watch(popup));
    };
    await use(async () => {
      const context = await browser.createBrowserContext();
      contexts.push(context);
      // A window has one visible tab, and Firefox throttles hidden tabs.
      const page = await context.newPage({ type: 'window' });
      watch(page);
      await page.evaluateOnNewDocument(smallPictures);
      return new FirefoxPerson(page, downloads);
    });
    await Promise.all(contexts.map((context) => context.close()));
    const unexpected = complaints.filter((text) => !mayComplain.some((allowed) => allowed.test(text)));
    expect(unexpected, 'what the consoles of Firefox said').toEqual([]);
  },

  member: async ({ server, window, visitor }, use) => {
    const open = async (): Promise<ChromiumPerson> => {
      const { context, page } = await visitor();
      await small(context);
      return new ChromiumPerson(page);
    };
    await use(async (browser, room) => {
      const member: Member = browser === 'Firefox' ? await window() : await open();
      return member.enter(`${server.url}/r/${room}`);
    });
  },
});
