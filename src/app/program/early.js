// Runs before the page is first painted. Trusted Types: allow as markup only the program's views, which run no script,
// and as a script's address only the worker.
self.trustedTypes?.createPolicy('default', {
  createHTML: (html) => (/<(script|iframe|object|embed|base|link|meta)\b|\son\w+\s*=/i.test(html) ? null : html),
  createScriptURL: (url) => (url === '/sw.js' ? url : null),
});
{
  const { dataset } = document.documentElement;
  // The browser's own bars have the page's colour: that of the device's theme, or of the one that was chosen.
  const colour = () => {
    for (const meta of document.querySelectorAll('meta[name=theme-color]')) {
      const { of } = meta.dataset;
      meta.media = !dataset.theme ? `(prefers-color-scheme: ${of})` : dataset.theme === of ? 'all' : 'not all';
    }
  };
  new MutationObserver(colour).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  try {
    // Else it would flash in the other theme.
    dataset.theme = localStorage.getItem('converge:theme') || '';
  } catch {}
  // A program that can't be loaded, or has crashed, can't report it itself.
  const failed = (error) => {
    const alive = dataset.alive === '';
    // Too old a browser can't parse it.
    if (!alive && error instanceof SyntaxError) dataset.broken ??= '';
    if (alive && error instanceof WebAssembly.RuntimeError) dataset.broken = 'crashed';
  };
  addEventListener('error', ({ error }) => failed(error));
  addEventListener('unhandledrejection', ({ reason }) => failed(reason));
}
// What the pages are made of is kept for when there is no network: from the start page on, for in a room there is better to do.
// Missing over plain http.
if (location.pathname === '/') addEventListener('load', () => navigator.serviceWorker?.register('/sw.js').catch(() => {}));
