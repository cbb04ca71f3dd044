//! Files and blobs of the page.

use js_sys::{Array, Uint8Array};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, BlobPropertyBag, File};

use crate::file::LocalFile;

/// What a blob is called until it is [named](LocalFile::named).
const NAMELESS: &str = "file";

/// Where the bytes of a [`LocalFile`] are. None where the browser had no memory for them: then they can't be read.
#[derive(Debug, Clone)]
pub(crate) struct Content(Option<SendWrapper<Blob>>);

impl Content {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(typed(&Array::of1(&Uint8Array::from(bytes)), "").ok().map(SendWrapper::new))
    }

    pub(super) fn blob(&self) -> Option<Blob> {
        self.0.as_deref().cloned()
    }
}

impl From<File> for LocalFile {
    fn from(file: File) -> Self {
        let name = file.name();
        Self::from(file.unchecked_into::<Blob>()).named(name)
    }
}

impl From<Blob> for LocalFile {
    fn from(blob: Blob) -> Self {
        // A whole number, and exact up to eight petabytes.
        let size = blob.size() as u64;
        Self::new(NAMELESS.to_owned(), blob.type_(), size, Content(Some(SendWrapper::new(blob))))
    }
}

/// A blob of these parts: byte arrays or other blobs.
pub(super) fn typed(parts: &Array, mime: &str) -> Result<Blob, JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type(mime);
    Blob::new_with_blob_sequence_and_options(parts, &options)
}
