//! The files of transfers: those that are sent, read piece by piece, and those that are received.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, Url};

use super::ext::reason;
use super::store::{self, Store};
use crate::file::{LocalFile, harmless_mime};
use crate::map::SortedMap;
use crate::room::FileEvent;
use crate::transfer::{Transfer, TransferId};

/// The files that this room reads and keeps. All are let go of when it is dropped.
#[derive(Default)]
pub(super) struct Files {
    sources: SortedMap<TransferId, Rc<LocalFile>>,
    sinks: SortedMap<TransferId, Rc<Sink>>,
}

/// A file that is received.
#[derive(Default)]
struct Sink {
    mime: String,
    /// Taken out while something is being stored.
    store: RefCell<Store>,
    url: RefCell<Option<ObjectUrl>>,
}

/// Of the work on a file, what matters is done when the file may have been let go of: each piece of it holds the file
/// weakly, and tells nothing then.
impl Files {
    pub(super) fn send(&mut self, transfer: TransferId, file: Rc<LocalFile>) {
        self.sources.insert(transfer, file);
    }

    pub(super) fn read(
        &self,
        transfer: TransferId,
        offset: u64,
        bytes: usize,
        on_event: impl FnOnce(FileEvent) + 'static,
    ) {
        let Some(source) = self.sources.get(&transfer) else { return };
        let (weak, blob) = (Rc::downgrade(source), source.content().blob());
        spawn_local(async move {
            let read = match blob {
                Some(blob) => store::read(&blob, offset, bytes).await,
                None => Err("there was no memory for it".to_owned()),
            };
            if weak.strong_count() > 0 {
                on_event(read.map_or_else(FileEvent::Failed, FileEvent::Read));
            }
        });
    }

    pub(super) fn create(&mut self, transfer: &Transfer) {
        let sink = Sink { mime: harmless_mime(&transfer.mime).to_owned(), ..Sink::default() };
        self.sinks.insert(transfer.id, Rc::new(sink));
    }

    pub(super) fn write(&self, transfer: TransferId, bytes: Vec<u8>, on_event: impl FnOnce(FileEvent) + 'static) {
        let Some(sink) = self.sinks.get(&transfer) else { return };
        let (weak, mut store) = (Rc::downgrade(sink), sink.store.take());
        spawn_local(async move {
            // If the file is let go of meanwhile, the store is dropped at the end of this, and what it holds with it.
            let written = store.append(&bytes).await;
            let Some(sink) = weak.upgrade() else { return };
            sink.store.replace(store);
            on_event(written.map_or_else(FileEvent::Failed, |()| FileEvent::Written));
        });
    }

    pub(super) fn finish(&self, transfer: TransferId, on_event: impl FnOnce(FileEvent) + 'static) {
        let Some(sink) = self.sinks.get(&transfer) else { return };
        let (weak, mut store, mime) = (Rc::downgrade(sink), sink.store.take(), sink.mime.clone());
        spawn_local(async move {
            let whole = store.finish(&mime).await;
            let Some(sink) = weak.upgrade() else { return };
            on_event(match whole.and_then(|whole| ObjectUrl::new(&whole)) {
                Ok(url) => {
                    sink.store.replace(store);
                    sink.url.replace(Some(url));
                    FileEvent::Finished
                }
                Err(error) => FileEvent::Failed(error),
            });
        });
    }

    /// Where the file can be had, once it is whole.
    pub(super) fn saved(&self, transfer: TransferId) -> Option<String> {
        self.sinks.get(&transfer)?.url.borrow().as_ref().map(|url| url.0.clone())
    }

    pub(super) fn forget(&mut self, transfer: TransferId) {
        self.sources.remove(&transfer);
        self.sinks.remove(&transfer);
    }
}

/// A `blob:` URL, revoked when dropped.
struct ObjectUrl(String);

impl ObjectUrl {
    fn new(blob: &Blob) -> Result<Self, String> {
        Url::create_object_url_with_blob(blob).map(Self).map_err(|error| reason(&error))
    }
}

impl Drop for ObjectUrl {
    fn drop(&mut self) {
        let _ = Url::revoke_object_url(&self.0);
    }
}
