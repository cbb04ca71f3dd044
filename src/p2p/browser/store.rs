//! Where the bytes of a file are kept while it is received, and until it is forgotten: in the origin private file
//! system as far as there is room, the rest in memory.

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

/// A page that is closed while it receives leaves its files behind. One this old belongs to nobody.
const LEFT_BEHIND_MS: f64 = 24.0 * 60.0 * 60.0 * 1000.0;

/// Bytes that are stored at a time. A browser that runs out of room loses what was written to a file that is still open:
/// each piece is a file of its own, written and closed at once, and stays in memory where that fails.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

thread_local! {
    /// What was left behind has been removed.
    static TIDIED: Cell<bool> = const { Cell::new(false) };
}

/// A file that is being received, or was.
#[derive(Default)]
pub(super) struct Store {
    /// The pieces that are complete, in order: files on disk, and blobs in memory.
    pieces: Array,
    on_disk: Vec<OnDisk>,
    /// The bytes that came after them, as byte arrays.
    rest: Array,
    rest_bytes: usize,
    /// The disk rejected a piece: it is full, or closed to this page.
    disk_refused: bool,
}

impl Store {
    /// # Errors
    /// In words, if the browser has no memory for it.
    pub(super) async fn append(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.rest.push(&Uint8Array::from(bytes));
        self.rest_bytes += bytes.len();
        if self.rest_bytes >= PIECE_BYTES { self.store_piece().await } else { Ok(()) }
    }

    /// The whole file, of this type. Nothing can be appended any more.
    ///
    /// # Errors
    /// In words, if the browser has no memory for it.
    pub(super) async fn finish(&mut self, mime: &str) -> Result<Blob, String> {
        if self.rest_bytes > 0 {
            self.store_piece().await?;
        }
        blob::typed(&self.pieces, mime).map_err(|error| reason(&error))
    }

    async fn store_piece(&mut self) -> Result<(), String> {
        let piece = blob::typed(&self.rest, "").map_err(|error| reason(&error))?;
        self.rest.set_length(0);
        self.rest_bytes = 0;
        if !self.disk_refused {
            match OnDisk::create(&piece).await {
                Ok((file, content)) => {
                    self.on_disk.push(file);
                    self.pieces.push(&content);
                    return Ok(());
                }
                Err(_) => self.disk_refused = true,
            }
        }
        self.pieces.push(&piece);
        Ok(())
    }
}

/// A file in the origin private file system; removed when dropped.
struct OnDisk {
    folder: Directory,
    name: String,
}

impl OnDisk {
    /// # Errors
    /// The browser's exception, if it has no place for the file.
    async fn create(content: &Blob) -> Result<(Self, File), JsValue> {
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
        let file = Self { folder, name };
        let writable: Writable = resolved(handle.create_writable()).await?.unchecked_into();
        if let Err(error) = resolved(writable.write(content)).await {
            // A file that is being written to can't be removed.
            let _ = resolved(writable.abort()).await;
            return Err(error);
        }
        resolved(writable.close()).await?;
        let content: File = resolved(handle.content()).await?.unchecked_into();
        Ok((file, content))
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let (folder, name) = (self.folder.clone(), std::mem::take(&mut self.name));
        spawn_local(async move {
            // Not there any more, or to be removed another day.
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

/// A piece of a blob, which is never read as a whole.
pub(super) async fn read(blob: &Blob, offset: u64, bytes: usize) -> Result<Vec<u8>, String> {
    // Exact up to eight petabytes.
    let (from, to) = (offset as f64, offset.saturating_add(bytes as u64) as f64);
    let piece = blob.slice_with_f64_and_f64(from, to).map_err(|error| reason(&error))?;
    let buffer = JsFuture::from(piece.array_buffer()).await.map_err(|error| reason(&error))?;
    let read = Uint8Array::new(&buffer.unchecked_into::<ArrayBuffer>()).to_vec();
    if read.len() == bytes { Ok(read) } else { Err("it has become shorter".to_owned()) }
}
