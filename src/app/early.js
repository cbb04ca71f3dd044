// Runs before the page is first painted.
try {
  // Else it would flash in the other theme.
  document.documentElement.dataset.theme = localStorage.getItem('converge:theme') || '';
} catch {}
// A program that can't be loaded can't say so itself.
addEventListener('unhandledrejection', () => {
  if (!performance.getEntriesByName('converge:hydrated').length) document.documentElement.dataset.broken = '';
});
// What the page is made of is kept for when there is no network; missing over plain http. Last of all, so that it holds
// nothing up.
addEventListener('load', () => setTimeout(() => navigator.serviceWorker?.register('/sw.js').catch(() => {}), 2000));
