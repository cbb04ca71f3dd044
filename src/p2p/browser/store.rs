//! Where the bytes of a file are kept while it is received, and until it is forgotten: in the origin private file
//! system where there is one, else in memory.

use std::cell::Cell;

use js_sys::{Array, ArrayBuffer, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, File};

use super::blob;
use super::ext::{Directory, FileHandle, Writable, get, reason};
use super::tab::random_bytes;

/// The folder in the private file system.
const FOLDER: &str = "converge";

/// A page that is closed while it receives leaves its file behind. One this old belongs to nobody.
const LEFT_BEHIND_MS: f64 = 24.0 * 60.0 * 60.0 * 1000.0;

/// In memory, pieces are put together when there are so many bytes of them: browsers write large blobs to disk.
const BLOB_BYTES: usize = 4 * 1024 * 1024;

thread_local! {
    /// What was left behind has been removed.
    static TIDIED: Cell<bool> = const { Cell::new(false) };
}

/// A file that is being received, or was.
pub(super) enum Store {
    Disk(OnDisk),
    Memory(InMemory),
}

impl Store {
    /// A file that begins with these bytes.
    pub(super) async fn begin(bytes: &[u8]) -> Result<Self, String> {
        // Private windows, older browsers and full disks have no place for it; memory may do.
        if let Ok(mut file) = OnDisk::create().await
            && file.append(bytes).await.is_ok()
        {
            return Ok(Self::Disk(file));
        }
        let mut file = InMemory::default();
        file.append(bytes)?;
        Ok(Self::Memory(file))
    }

    pub(super) async fn append(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::Disk(file) => file.append(bytes).await.map_err(|error| reason(&error)),
            Self::Memory(file) => file.append(bytes),
        }
    }

    /// The whole file, of this type. Nothing can be appended any more.
    pub(super) async fn finish(&mut self, mime: &str) -> Result<Blob, String> {
        match self {
            Self::Disk(file) => file.finish(mime).await.map_err(|error| reason(&error)),
            Self::Memory(file) => file.finish(mime),
        }
    }
}

/// An empty file, which needs no place.
pub(super) fn empty(mime: &str) -> Result<Blob, String> {
    InMemory::default().finish(mime)
}

/// A file in the origin private file system; removed when dropped.
pub(super) struct OnDisk {
    folder: Directory,
    name: String,
    handle: FileHandle,
    writable: Option<Writable>,
}

impl OnDisk {
    async fn create() -> Result<Self, JsValue> {
        let folder = folder().await?;
        if !TIDIED.replace(true) {
            let folder = folder.clone();
            spawn_local(async move {
                // What can't be removed now will be another day.
                let _ = tidy(&folder).await;
            });
        }
        let mut name = [0; 16];
        random_bytes(&mut name)?;
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let handle: FileHandle = resolved(folder.file(&name, &creating()?)).await?.unchecked_into();
        // From here on the file is there, and dropping this removes it.
        let mut file = Self { folder, name, handle, writable: None };
        file.writable = Some(resolved(file.handle.create_writable()).await?.unchecked_into());
        Ok(file)
    }

    async fn append(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        let writable = self.writable.as_ref().ok_or(JsValue::UNDEFINED)?;
        // A copy: the browser reads it later, when memory of Rust's may have moved.
        resolved(writable.write(&Uint8Array::from(bytes))).await.map(|_| ())
    }

    async fn finish(&mut self, mime: &str) -> Result<Blob, JsValue> {
        if let Some(writable) = self.writable.take() {
            resolved(writable.close()).await?;
        }
        let file: File = resolved(self.handle.content()).await?.unchecked_into();
        // The browser guesses the type by the name, which says nothing here.
        file.slice_with_f64_and_f64_and_content_type(0.0, file.size(), mime)
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let (folder, name, writable) = (self.folder.clone(), std::mem::take(&mut self.name), self.writable.take());
        spawn_local(async move {
            // A file that is being written to can't be removed.
            if let Some(writable) = writable {
                let _ = resolved(writable.abort()).await;
            }
            let _ = resolved(folder.remove(&name)).await;
        });
    }
}

/// Missing over plain http, where pages are no secure context, and in some browsers' private windows.
async fn folder() -> Result<Directory, JsValue> {
    let navigator = web_sys::window().ok_or(JsValue::UNDEFINED)?.navigator();
    let storage = get(&navigator, "storage").ok_or(JsValue::UNDEFINED)?;
    let open: js_sys::Function = get(&storage, "getDirectory").ok_or(JsValue::UNDEFINED)?.dyn_into()?;
    let root: Directory = resolved(open.call0(&storage).and_then(JsValue::dyn_into)).await?.unchecked_into();
    Ok(resolved(root.directory(FOLDER, &creating()?)).await?.unchecked_into())
}

fn creating() -> Result<JsValue, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"create".into(), &JsValue::TRUE)?;
    Ok(options.into())
}

/// Removes what pages have left behind.
async fn tidy(folder: &Directory) -> Result<(), JsValue> {
    let entries = folder.values()?;
    loop {
        let next = resolved(entries.next()).await?;
        let Some(entry) = get(&next, "value") else { return Ok(()) };
        if get(&entry, "kind").and_then(|kind| kind.as_string()).as_deref() != Some("file") {
            continue;
        }
        let entry: FileHandle = entry.unchecked_into();
        let Ok(content) = resolved(entry.content()).await else { continue };
        if js_sys::Date::now() - content.unchecked_into::<File>().last_modified() > LEFT_BEHIND_MS {
            let _ = resolved(folder.remove(&entry.name())).await;
        }
    }
}

async fn resolved(promise: Result<Promise, JsValue>) -> Result<JsValue, JsValue> {
    JsFuture::from(promise?).await
}

/// A file in the browser's memory, or wherever it puts blobs.
#[derive(Default)]
pub(super) struct InMemory {
    blobs: Array,
    pieces: Array,
    bytes: usize,
}

impl InMemory {
    fn append(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.pieces.push(&Uint8Array::from(bytes));
        self.bytes += bytes.len();
        if self.bytes >= BLOB_BYTES { self.put_together() } else { Ok(()) }
    }

    fn put_together(&mut self) -> Result<(), String> {
        let blob = blob::typed(&self.pieces, "").map_err(|error| reason(&error))?;
        self.blobs.push(&blob);
        self.pieces.set_length(0);
        self.bytes = 0;
        Ok(())
    }

    fn finish(&mut self, mime: &str) -> Result<Blob, String> {
        self.put_together()?;
        blob::typed(&self.blobs, mime).map_err(|error| reason(&error))
    }
}

/// A piece of a blob, which is never read as a whole.
pub(super) async fn read(blob: &Blob, offset: u64, bytes: usize) -> Result<Vec<u8>, String> {
    // Exact up to eight petabytes.
    let (from, to) = (offset as f64, offset.saturating_add(bytes as u64) as f64);
    let piece = blob.slice_with_f64_and_f64(from, to).map_err(|error| reason(&error))?;
    let buffer = JsFuture::from(piece.array_buffer()).await.map_err(|error| reason(&error))?;
    let read = Uint8Array::new(&buffer.unchecked_into::<ArrayBuffer>()).to_vec();
    if read.len() == bytes { Ok(read) } else { Err("it has become shorter".to_owned()) }
}
