import { defineConfig } from '@playwright/test';
import chromium from './chromium.js';

export default defineConfig({
  testDir: '.',
  outputDir: './test-results',
  // They have configurations of their own: examples.config.ts, which needs the examples built, and firefox.config.ts.
  testIgnore: ['examples/**', 'firefox.spec.ts'],
  // Each test has a server of its own, so files can run side by side.
  workers: 2,
  // Ends a test that hangs. On a machine that builds beside it, every step takes many times as long.
  timeout: 240_000,
  expect: { timeout: 60_000 },
  forbidOnly: !!process.env.CI,
  reporter: 'list',
  use: {
    viewport: { width: 1200, height: 800 },
    launchOptions: {
      ...chromium,
      // A name that browsers don't trust as they trust localhost: what a phone on the LAN sees.
      args: [...chromium.args, '--host-resolver-rules=MAP lan.test 127.0.0.1'],
    },
  },
});
