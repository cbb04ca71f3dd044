// Where the tests find Firefox, and the preferences they start it with.
const { existsSync } = require('node:fs');

const installed = ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find((path) => existsSync(path));

module.exports = {
  /** Undefined if Firefox is not installed. */
  executablePath: process.env.FIREFOX || installed,
  missing: 'Firefox is not installed: install firefox-esr (Debian) or firefox, or name its program in the variable FIREFOX',
  /** Synthetic devices without a permission prompt, and downloads without a dialog. */
  preferences: (downloads) => ({
    'media.navigator.streams.fake': true,
    'media.navigator.permission.disabled': true,
    'browser.download.folderList': 2,
    'browser.download.dir': downloads,
    'browser.download.useDownloadDir': true,
    'browser.download.always_ask_before_handling_new_types': false,
  }),
};
