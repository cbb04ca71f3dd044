async (script, wasm, urgent) => {
  const { dataset } = document.documentElement;
  const islands = () => [...document.querySelectorAll('leptos-island')];

  /** The same as `shape` in shape.rs. */
  const shape = (island) => {
    let hash = 0x811c9dc5;
    const nodes = document.createTreeWalker(island, NodeFilter.SHOW_ALL, ({ parentNode }) =>
      parentNode.localName === 'noscript' ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
    );
    while (nodes.nextNode()) {
      const { nodeType, localName } = nodes.currentNode;
      const name = nodeType === 1 ? `<${localName}` : nodeType === 3 ? 't' : 'c';
      for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193) >>> 0;
    }
    return hash.toString(16);
  };
  const isNew = performance.getEntriesByType('navigation')[0]?.type !== 'reload';
  const isChanged = (island) => island.dataset.shape !== undefined && island.dataset.shape !== shape(island);

  // Password managers, writing aids and translators put elements into pages; one that is parsed aside they leave alone.
  let page;
  const fetched = () =>
    (page ??= fetch(location.href)
      .then((response) => response.text())
      .then((html) => new DOMParser().parseFromString(html, 'text/html')));

  /** Puts an island back as the server made it, with what was typed in it since. */
  const restore = (island, { body }) => {
    const { component } = island.dataset;
    const fresh = document.importNode(body.querySelector(`leptos-island[data-component="${component}"]`), true);
    const { activeElement } = document;
    island.replaceWith(fresh);
    for (const old of island.querySelectorAll('input[id]:not([type=file]), textarea[id]')) {
      const field = fresh.querySelector(`#${old.id}`);
      if (!field) continue;
      field.value = old.value;
      if (old !== activeElement) continue;
      field.focus();
      field.setSelectionRange(old.selectionStart, old.selectionEnd);
    }
  };

  /** Brings the page to life. From the last look at the markup to the end of this, nothing else runs. */
  const start = async (source, isAgain) => {
    const program = await import(source);
    await program.default({ module_or_path: wasm });
    const fresh = (isAgain || islands().some(isChanged)) && (await fetched());
    program.hydrate();
    for (const island of islands()) if (isAgain || isChanged(island)) restore(island, fresh);
    // No island stands in another.
    for (const island of islands()) program[island.dataset.component]?.(island);
    program.begin();
    performance.mark('hydrated');
  };

  if (!urgent) {
    // Two frames later the page has been painted. One that is out of view is not, and must not wait for it.
    const painted = new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
    await Promise.race([painted, new Promise((done) => setTimeout(done, 500))]);
  }
  try {
    await start(script);
  } catch (error) {
    const crashed = error instanceof WebAssembly.RuntimeError;
    console.warn(error);
    try {
      // An instance that has crashed is of no more use. A script of another name is another instance of the program.
      if (crashed) await start(`${script}#again`, true);
      // A new build has taken the place of this page's program. A page that was loaded again would be so without end.
      else if (isNew && !(await fetched()).documentElement.innerHTML.includes(script)) return location.reload();
      else throw error;
    } catch {
      dataset.broken = crashed ? 'changed' : '';
      return;
    }
  }
  // Whatever failed meanwhile was something else.
  delete dataset.broken;
};
