// A server, and people with a browser each.
import { type BrowserContext, type BrowserContextOptions, expect, type Locator, type Page, test as base } from '@playwright/test';
import { Server } from './server';

export { expect };

/** A page of somebody in a room, by the names that assistive technology knows. */
export class Person {
  readonly main: Locator;
  readonly people: Locator;
  readonly messages: Locator;

  constructor(readonly page: Page) {
    this.main = page.getByRole('main');
    this.people = page.getByRole('list', { name: 'People', exact: true }).getByRole('listitem');
    this.messages = page.getByRole('log', { name: 'Messages', exact: true });
  }

  get context(): BrowserContext {
    return this.page.context();
  }

  async enter(url: string): Promise<this> {
    await this.page.goto(url);
    return this.connected();
  }

  async connected(): Promise<this> {
    await expect(this.main).toHaveAttribute('data-status', 'connected');
    await expect(this.main).toHaveAttribute('data-self-id', /^[a-z2-7]{52}$/);
    return this;
  }

  async id(): Promise<string> {
    return (await this.main.getAttribute('data-self-id')) ?? '';
  }

  /** Has an open link to this many others, and lists them and itself. */
  async sees(others: number): Promise<void> {
    await expect(this.main).toHaveAttribute('data-links', String(others));
    await expect(this.people).toHaveCount(others + 1);
  }

  row(id: string): Locator {
    return this.page.locator(`[data-peer-id="${id}"]`);
  }

  async rename(name: string): Promise<void> {
    await this.page.getByRole('textbox', { name: 'Your name', exact: true }).fill(name);
  }

  get field(): Locator {
    return this.page.getByRole('textbox', { name: 'Message', exact: true });
  }

  async say(text: string, to = ''): Promise<void> {
    await this.page.getByRole('combobox', { name: 'To', exact: true }).selectOption(to);
    await this.field.fill(text);
    await this.button('Send').click();
    await expect(this.field).toHaveValue('');
  }

  /** Puts a text into the field at once, as pasting does: for a text of millions of letters, typing takes minutes. */
  async paste(text: string): Promise<void> {
    await this.field.evaluate((field: HTMLTextAreaElement, text) => {
      field.value = text;
      field.dispatchEvent(new InputEvent('input', { bubbles: true }));
    }, text);
  }

  /**
   * Watches from now on whether an element that this selector finds shows this text, be it for a moment only: what goes
   * away by itself may have come and gone between two looks of a test. Returns how to ask.
   */
  async watchFor(selector: string, text: RegExp): Promise<() => Promise<boolean>> {
    const watch = await this.page.evaluateHandle(
      ([selector, source]) => {
        const watch = { seen: false };
        const text = new RegExp(source);
        const look = () => {
          const shown = [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility());
          watch.seen ||= shown.some((element) => text.test(element.textContent ?? ''));
        };
        new MutationObserver(look).observe(document.body, { attributes: true, characterData: true, childList: true, subtree: true });
        look();
        return watch;
      },
      [selector, text.source] as const,
    );
    return () => watch.evaluate(({ seen }) => seen);
  }

  heard(text: string): Locator {
    return this.messages.getByText(text, { exact: true });
  }

  button(name: string): Locator {
    return this.page.getByRole('button', { name, exact: true });
  }

  /** The rows of the list of files. */
  get transfers(): Locator {
    return this.page.getByRole('list', { name: 'Transfers', exact: true }).getByRole('listitem');
  }

  /** Sends files to whoever has this id, or to everyone. */
  async attach(paths: string | string[], to = ''): Promise<void> {
    await this.page.getByRole('combobox', { name: 'To', exact: true }).selectOption(to);
    await this.page.getByLabel('File', { exact: true }).setInputFiles(paths);
  }

  /** Closes every open connection by force, behind the program's back. Needs `recordConnections`. */
  async cutConnections(): Promise<number> {
    return this.page.evaluate(() => {
      const open = window.connections.filter((connection) => connection.connectionState === 'connected');
      for (const connection of open) connection.close();
      return open.length;
    });
  }
}

declare global {
  interface Window {
    /** Every connection that the page has made. See `recordConnections`. */
    connections: RTCPeerConnection[];
  }
}

/** Has the pages of a context keep their connections where a test finds them. To be called before a page is opened. */
export async function recordConnections(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const Native = RTCPeerConnection;
    window.connections = [];
    window.RTCPeerConnection = class extends Native {
      constructor(configuration?: RTCConfiguration) {
        super(configuration);
        window.connections.push(this);
      }
    };
  });
}

/**
 * Chromium's complaint about a preload that is not used within a few seconds: a busy machine takes longer. Another test
 * checks that the page uses its preloads.
 */
const USED_LATE = /was preloaded using link preload but not used/;

type Fixtures = {
  /** What to add to the server's command line. */
  serverArgs: string[];
  /** What to add to its environment. */
  serverEnv: Record<string, string>;
  server: Server;
  /** What the browsers' consoles may say in this test besides nothing. */
  mayComplain: RegExp[];
  /** Somebody with a browser profile of their own, not in a room yet. */
  visitor: (options?: BrowserContextOptions) => Promise<Person>;
  /** The same, in a room. */
  person: (room: string) => Promise<Person>;
};

export const test = base.extend<Fixtures>({
  serverArgs: [[], { option: true }],
  serverEnv: [{}, { option: true }],
  mayComplain: [[], { option: true }],

  server: async ({ serverArgs, serverEnv }, use) => {
    const server = await new Server(serverArgs, serverEnv).start();
    await use(server);
    await server.stop();
  },

  visitor: async ({ browser, mayComplain }, use) => {
    const complaints: string[] = [];
    const contexts: BrowserContext[] = [];
    const watch = (page: Page) => {
      page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
      page.on('console', (message) => {
        if (['error', 'warning', 'assert'].includes(message.type())) {
          complaints.push(`${message.type()}: ${message.text()}`);
        }
      });
    };
    await use(async (options) => {
      const context = await browser.newContext(options);
      contexts.push(context);
      context.on('page', watch);
      return new Person(await context.newPage());
    });
    await Promise.all(contexts.map((context) => context.close()));
    const unexpected = complaints.filter((text) => ![USED_LATE, ...mayComplain].some((allowed) => allowed.test(text)));
    expect(unexpected, 'what the consoles said').toEqual([]);
  },

  person: async ({ server, visitor }, use) => {
    await use(async (room) => (await visitor()).enter(`${server.url}/r/${room}`));
  },
});
