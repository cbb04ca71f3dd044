async (script, wasm, urgent) => {
  if (!urgent) {
    // Two frames later the page has been painted. One that is out of view is not, and must not wait for it.
    const painted = new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
    await Promise.race([painted, new Promise((done) => setTimeout(done, 500))]);
  }
  const program = await import(script);
  await program.default({ module_or_path: wasm });
  program.hydrate();
  // No island stands in another.
  for (const island of document.querySelectorAll('leptos-island')) program[island.dataset.component]?.(island);
  performance.mark('hydrated');
  // Whatever failed meanwhile was something else.
  delete document.documentElement.dataset.broken;
};
