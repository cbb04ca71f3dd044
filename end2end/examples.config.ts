// The applications in examples/, as `make test` has built them.
import { defineConfig } from '@playwright/test';
import base from './playwright.config';

export default defineConfig({ ...base, testDir: './examples', testIgnore: [] });
