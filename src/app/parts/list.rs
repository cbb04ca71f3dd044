//! Lists that change.

use std::hash::Hash;
use std::sync::Arc;

use leptos::prelude::*;

use super::live;

/// A row for each key, which is made once and moved with it. One function for all lists: the compiler makes it once
/// per type of key, where it would make `<For>` anew for each use.
pub(crate) fn list<K>(keys: Signal<Vec<K>>, row: impl Fn(K) -> AnyView + Send + Sync + 'static) -> AnyView
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
{
    let row: Arc<dyn Fn(K) -> AnyView + Send + Sync> = Arc::new(row);
    view! { <For each=move || keys.get() key=|key| *key children=move |key| row(key)/> }.into_any()
}

/// The first or the last `limit` keys, until this person shows all. Rows cost rendering time, and other members decide
/// how many there are.
#[derive(Clone, Copy)]
pub(crate) struct Bounded<K: Send + Sync + 'static> {
    pub(crate) shown: Signal<Vec<K>>,
    /// The number of all keys, if not all are shown.
    pub(crate) more: Signal<Option<usize>>,
    pub(crate) all: RwSignal<bool>,
}

impl<K: Clone + Send + Sync + 'static> Bounded<K> {
    pub(crate) fn first(keys: Signal<Vec<K>>, limit: usize) -> Self {
        Self::new(keys, limit, |keys, limit| &keys[..limit])
    }

    pub(crate) fn last(keys: Signal<Vec<K>>, limit: usize) -> Self {
        Self::new(keys, limit, |keys, limit| &keys[keys.len() - limit..])
    }

    fn new(keys: Signal<Vec<K>>, limit: usize, part: fn(&[K], usize) -> &[K]) -> Self {
        let all = RwSignal::new(false);
        let cut = move |keys: &[K]| keys.len() > limit && !all.get();
        let shown =
            Signal::derive(move || keys.with(|keys| if cut(keys) { part(keys, limit).to_vec() } else { keys.clone() }));
        let more = Signal::derive(move || keys.with(|keys| cut(keys).then_some(keys.len())));
        Self { shown, more, all }
    }

    /// The button that shows all; hidden while all are shown.
    pub(crate) fn button(self, label: fn(usize) -> String) -> AnyView {
        let Self { more, all, .. } = self;
        show_all(more, all, label)
    }
}

fn show_all(more: Signal<Option<usize>>, all: RwSignal<bool>, label: fn(usize) -> String) -> AnyView {
    let label = Signal::derive(move || more.get().map(label).unwrap_or_default());
    let hidden = Signal::derive(move || more.get().is_none());
    view! {
        <button class="button show-all" type="button" hidden=hidden on:click=move |_| all.set(true) use:live=label></button>
    }
    .into_any()
}
