// Firefox with itself and with Chromium. One test at a time: each runs up to three pages in two browsers.
import { defineConfig } from '@playwright/test';
import base from './playwright.config';

export default defineConfig({
  ...base,
  testMatch: 'firefox.spec.ts',
  testIgnore: [],
  workers: 1,
});
