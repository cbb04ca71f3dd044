//! Lists that change.

use std::hash::Hash;
use std::sync::Arc;

use leptos::prelude::*;

/// A row for each key, which is made once and moved with it. One function for all lists: the compiler makes it once
/// per type of key, where it would make `<For>` anew for each use.
pub(crate) fn list<K>(keys: Signal<Vec<K>>, row: impl Fn(K) -> AnyView + Send + Sync + 'static) -> AnyView
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
{
    let row: Arc<dyn Fn(K) -> AnyView + Send + Sync> = Arc::new(row);
    view! { <For each=move || keys.get() key=|key| *key children=move |key| row(key)/> }.into_any()
}
