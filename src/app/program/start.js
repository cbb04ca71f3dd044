async (script, wasm, integrity, urgent) => {
  const { dataset } = document.documentElement;
  const islands = (root = document) => [...root.querySelectorAll('leptos-island')];
  const names = (root) => islands(root).map((island) => island.dataset.component).join();

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
  const isChanged = (island) => island.dataset.shape !== shape(island);
  const isPageChanged = () => dataset.islands !== undefined && (dataset.islands !== names() || islands().some(isChanged));

  // For the server's page only: its scripts don't run when parsed. The default policy refuses markup with scripts.
  const made = self.trustedTypes?.createPolicy('page', { createHTML: (html) => html }) ?? { createHTML: (html) => html };

  // Password managers, writing aids and translators put elements into pages; one that is parsed aside they leave alone.
  let page;
  const fetched = () =>
    (page ??= fetch(location.href, { signal: AbortSignal.timeout?.(10000) })
      .then((response) => (response.ok ? response.text() : Promise.reject(new Error(response.statusText))))
      .then((html) => new DOMParser().parseFromString(made.createHTML(html), 'text/html')));

  /** Puts fresh nodes in the place of old ones, with what was typed since. */
  const replace = (old, fresh, put) => {
    const { activeElement } = document;
    const fields = [...old.querySelectorAll('input[id]:not([type=file]), textarea[id]')];
    put();
    for (const before of fields) {
      const field = fresh.querySelector(`[id="${before.id}"]`);
      if (!field) continue;
      field.value = before.value;
      if (before !== activeElement) continue;
      field.focus();
      field.setSelectionRange(before.selectionStart, before.selectionEnd);
    }
  };

  /** Puts the page, or the islands that something has changed, back as the server made them. */
  const restore = ({ body }, all) => {
    if (dataset.islands !== names()) {
      const fresh = document.importNode(body, true);
      return replace(document.body, fresh, () => document.body.replaceWith(fresh));
    }
    const served = islands(body);
    islands().forEach((island, at) => {
      if (!all && !isChanged(island)) return;
      const fresh = document.importNode(served[at], true);
      replace(island, fresh, () => island.replaceWith(fresh));
    });
  };

  /** Brings the page to life. From the last look at the markup to the end of this, nothing else runs. */
  let changed = false;
  const start = async (source, isAgain) => {
    const program = await import(source);
    // If this differs from the preload's integrity, the browser fetches the program twice.
    await program.default({ module_or_path: fetch(wasm, { integrity }) });
    changed = isAgain || isPageChanged();
    const fresh = changed && (await fetched());
    program.hydrate();
    if (fresh) restore(fresh, isAgain);
    // No island stands in another.
    for (const island of islands()) program[island.dataset.component](island);
    program.begin();
    dataset.alive = '';
    performance.mark('hydrated');
  };

  /** Whether the program was missing because the server is of another build now, or was being restarted. */
  const isReplaced = async () => {
    for (const wait of [0, 1000, 3000, 6000]) {
      await new Promise((done) => setTimeout(done, wait));
      page = undefined;
      const found = await fetched().catch(() => {});
      if (found) return wait > 0 || !found.documentElement.innerHTML.includes(script);
    }
    return false;
  };

  if (!urgent) {
    // Two frames later the page has been painted. One that is out of view is not, and must not wait for it.
    const painted = new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
    await Promise.race([painted, new Promise((done) => setTimeout(done, 500))]);
  }
  try {
    await start(script);
  } catch (error) {
    if (dataset.alive === '') return;
    console.warn(error);
    const crashed = error instanceof WebAssembly.RuntimeError;
    // One that was loaded again would be so without end.
    const isNew = performance.getEntriesByType('navigation')[0]?.type === 'navigate';
    try {
      if (!crashed) throw error;
      // An instance that has crashed is of no more use. A script of another name is another instance of the program.
      await start(`${script}#again`, true);
    } catch {
      dataset.broken = changed ? 'changed' : '';
      if (!changed && isNew && (await isReplaced())) location.reload();
      return;
    }
  }
  // Whatever failed meanwhile was something else.
  delete dataset.broken;
};
