import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

const system = '/usr/bin/chromium';

export default defineConfig({
  testDir: '.',
  outputDir: './test-results',
  // Needs the examples built: see examples.config.ts.
  testIgnore: 'examples/**',
  // Each test has a server of its own, so files can run side by side.
  workers: 2,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  forbidOnly: !!process.env.CI,
  reporter: 'list',
  use: {
    viewport: { width: 1200, height: 800 },
    // Undefined: Playwright's own.
    launchOptions: {
      executablePath: process.env.CHROMIUM || (existsSync(system) ? system : undefined),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        // A name that browsers don't trust as they trust localhost: what a phone on the LAN sees.
        '--host-resolver-rules=MAP lan.test 127.0.0.1',
      ],
    },
  },
});
