//! A file to send.

use crate::driver::Content;

/// A file or blob of this page, to be [sent](crate::Client::send_file).
///
/// In the browser it is made of a `File` (as an `<input type="file">` or a drop gives them) or of a `Blob`, and is a
/// handle: its bytes are read from where they are, piece by piece, while they are sent. Where there is no browser it
/// can be made of bytes only, and goes nowhere.
///
/// ```
/// use converge_p2p::LocalFile;
///
/// let notes = LocalFile::from_bytes("notes.txt", "text/plain", b"Buy milk.");
/// assert_eq!((notes.name(), notes.mime(), notes.size()), ("notes.txt", "text/plain", 9));
/// ```
#[derive(Debug, Clone)]
pub struct LocalFile {
    name: String,
    mime: String,
    size: u64,
    content: Content,
}

impl LocalFile {
    pub(crate) fn new(name: String, mime: String, size: u64, content: Content) -> Self {
        Self { name, mime, size, content }
    }

    /// A file of these bytes.
    pub fn from_bytes(name: impl Into<String>, mime: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(name.into(), mime.into(), bytes.len() as u64, Content::from_bytes(bytes))
    }

    /// The same under another name. A `Blob` has none of its own.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What it is called. The other side sees this name without folders.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its media type, as the browser says; may be empty.
    pub fn mime(&self) -> &str {
        &self.mime
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    #[cfg_attr(not(target_family = "wasm"), expect(dead_code, reason = "only a browser reads files"))]
    pub(crate) fn content(&self) -> &Content {
        &self.content
    }
}

/// The media type that a received file is kept with.
///
/// The `blob:` URL of a file belongs to this page's origin. A document that a peer sent and somebody opens in a tab must
/// not run there with the page's own rights: what the browser could take for a document is kept as mere bytes.
#[cfg_attr(not(any(test, target_family = "wasm")), expect(dead_code, reason = "only a browser keeps files"))]
pub(crate) fn harmless_mime(mime: &str) -> &str {
    const BYTES: &str = "application/octet-stream";
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-_".contains(&byte))
    };
    let Some((kind, subtype)) = mime.split_once('/') else { return BYTES };
    let media = matches!(kind, "image" | "audio" | "video") && token(subtype) && !subtype.contains("xml");
    if media || mime == "text/plain" { mime } else { BYTES }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_received_document_is_kept_as_bytes() {
        for mime in ["image/png", "image/vnd.microsoft.icon", "audio/mpeg", "video/mp4", "text/plain"] {
            assert_eq!(harmless_mime(mime), mime);
        }
        let documents = [
            "",
            "text/html",
            "image/svg+xml",
            "image/",
            "image/svg+XML;charset=utf-8",
            "IMAGE/svg+xml",
            "application/xhtml+xml",
            "application/pdf",
            "image/png\r\ntext/html",
            "text/plain, text/html",
        ];
        for mime in documents {
            assert_eq!(harmless_mime(mime), "application/octet-stream", "{mime}");
        }
    }

    #[test]
    fn a_file_of_bytes_has_their_size() {
        let file = LocalFile::from_bytes("a", "", b"abc").named("b");
        assert_eq!((file.name(), file.mime(), file.size()), ("b", "", 3));
    }
}
