// How the tests and the benchmarks start Chromium.
const { existsSync } = require('node:fs');

const system = '/usr/bin/chromium';

module.exports = {
  // Undefined: Playwright's own.
  executablePath: process.env.CHROMIUM || (existsSync(system) ? system : undefined),
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};
