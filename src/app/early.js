// Runs before the page is first painted.
try {
  // Else it would flash in the other theme.
  document.documentElement.dataset.theme = localStorage.getItem('converge:theme') || '';
} catch {}
// A program that can't be loaded can't say so itself.
addEventListener('unhandledrejection', () => {
  if (!performance.getEntriesByName('hydrated').length) document.documentElement.dataset.broken = '';
});
// What the pages are made of is kept for when there is no network: from the start page on, for in a room there is better to do.
// Missing over plain http.
if (location.pathname === '/') addEventListener('load', () => navigator.serviceWorker?.register('/sw.js').catch(() => {}));
