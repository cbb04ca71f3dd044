//! Received pictures, drawn small.
//!
//! A picture of some kilobytes can decode to gigabytes of pixels. The page reads its dimensions from the header before
//! decoding it.

pub(crate) use imp::draw;

/// The result of drawing a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preview {
    /// Drawn.
    Drawn,
    /// Not decoded: that would take too much memory.
    #[cfg_attr(not(target_family = "wasm"), expect(dead_code, reason = "only a browser decodes"))]
    TooLarge,
    /// Not a picture of a known format, or the browser can't decode it.
    Unreadable,
}

/// The most pixels that are decoded: at four bytes each, 100 MB while it lasts.
const MAX_PIXELS: u64 = 25_000_000;

/// The longer side of a drawn preview, in pixels; more than any screen shows of one.
const SIDE: u32 = 720;

/// The largest ratio of the sides of a picture longer than [`SIDE`]: beyond it, the scaled picture would be a line.
const MAX_RATIO: u32 = 8;

/// The bytes that are read to find the dimensions; enough, except for pictures with long metadata before them.
#[cfg_attr(not(target_family = "wasm"), expect(dead_code, reason = "only a browser reads files"))]
const HEAD_BYTES: u32 = 512 * 1024;

/// Returns the width at which to decode a picture of these dimensions; `None` if it is too large.
///
/// If the picture is rotated (EXIF), the width applies to its height.
#[cfg_attr(not(any(test, target_family = "wasm")), expect(dead_code, reason = "only a browser decodes"))]
fn target_width((width, height): (u32, u32)) -> Option<u32> {
    let (long, short) = (width.max(height), width.min(height));
    if short == 0 || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return None;
    }
    match long {
        ..=SIDE => Some(width),
        _ if long / short > MAX_RATIO => None,
        _ => Some((u64::from(width) * u64::from(SIDE) / u64::from(long)).max(1) as u32),
    }
}

/// Reads the width and the height of a picture from its first bytes: PNG, JPEG, GIF or WebP, by its content and not by
/// its name. `None` if it has another format, or the dimensions come later.
#[cfg_attr(not(any(test, target_family = "wasm")), expect(dead_code, reason = "only a browser reads files"))]
fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes {
        // PNG, section 11.2.1: the first chunk holds the dimensions.
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', _, _, _, _, b'I', b'H', b'D', b'R', rest @ ..] => {
            Some((big(rest, 0, 4)?, big(rest, 4, 4)?))
        }
        [0xff, 0xd8, rest @ ..] => jpeg(rest),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', rest @ ..] => gif(rest),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', rest @ ..] => webp(rest),
        _ => None,
    }
}

/// Reads a big-endian number of `length` bytes.
fn big(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    Some(bytes.get(at..at + length)?.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

/// Reads a little-endian number of `length` bytes.
fn little(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    Some(bytes.get(at..at + length)?.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

/// ITU T.81, annex B: the first frame header holds the dimensions, after other segments.
fn jpeg(mut bytes: &[u8]) -> Option<(u32, u32)> {
    loop {
        match bytes {
            // Fill bytes.
            [0xff, 0xff, ..] => bytes = &bytes[1..],
            // Segments without a length.
            [0xff, 0x01 | 0xd0..=0xd7, rest @ ..] => bytes = rest,
            [0xff, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, rest @ ..] => {
                return Some((big(rest, 5, 2)?, big(rest, 3, 2)?));
            }
            // The picture data begins without a frame header.
            [0xff, 0xd9 | 0xda, ..] => return None,
            [0xff, _, rest @ ..] => bytes = rest.get((big(rest, 0, 2)? as usize).max(2)..)?,
            _ => return None,
        }
    }
}

/// GIF89a, sections 18 and 20: of the screen and of the first picture, to which browsers enlarge the screen.
fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, height, flags) = (little(bytes, 0, 2)?, little(bytes, 2, 2)?, *bytes.get(4)?);
    let colours = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut rest = bytes.get(7 + colours(flags)..)?;
    loop {
        match rest {
            [0x21, _, blocks @ ..] => {
                rest = blocks;
                // An empty block ends the list.
                while let Some((length, blocks)) = rest.split_first().filter(|(length, _)| **length > 0) {
                    rest = blocks.get(usize::from(*length)..)?;
                }
                rest = rest.get(1..)?;
            }
            [0x2c, picture @ ..] => {
                let side = |at: usize| Some(little(picture, at, 2)? + little(picture, at + 4, 2)?);
                return Some((width.max(side(0)?), height.max(side(2)?)));
            }
            _ => return None,
        }
    }
}

/// RFC 9649: of the first chunk, which states the format.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    let (kind, content) = (bytes.get(..4)?, bytes.get(8..)?);
    match kind {
        b"VP8X" => Some((little(content, 4, 3)? + 1, little(content, 7, 3)? + 1)),
        b"VP8L" => {
            let bits = little(content, 1, 4)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8 " => Some((little(content, 6, 2)? & 0x3fff, little(content, 8, 2)? & 0x3fff)),
        _ => None,
    }
}

#[cfg(target_family = "wasm")]
mod imp {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use js_sys::{ArrayBuffer, Function, Object, Promise, Reflect, Uint8Array};
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::{JsFuture, future_to_promise};
    use web_sys::{Blob, HtmlCanvasElement, ImageBitmap, ImageBitmapRenderingContext, Response, window};

    use super::{HEAD_BYTES, Preview, dimensions, target_width};

    thread_local! {
        /// Resolves when the queued pictures are drawn: one is decoded at a time.
        static LAST: RefCell<Promise> = RefCell::new(Promise::resolve(&JsValue::UNDEFINED));
    }

    /// Draws the picture at a `blob:` address into a canvas, and sets the canvas' dimensions to its proportions.
    pub(crate) async fn draw(url: String, canvas: HtmlCanvasElement) -> Preview {
        let drawn = async move {
            match draw_now(&url, &canvas).await {
                Ok(preview) => preview,
                Err(_) => Preview::Unreadable,
            }
        };
        let previous = LAST.with_borrow(Clone::clone);
        let own = Rc::new(Cell::new(Preview::Unreadable));
        let result = own.clone();
        let promise = future_to_promise(async move {
            // The queue's promise never rejects.
            let _ = JsFuture::from(previous).await;
            own.set(drawn.await);
            Ok(JsValue::UNDEFINED)
        });
        LAST.with_borrow_mut(|last| last.clone_from(&promise));
        let _ = JsFuture::from(promise).await;
        result.get()
    }

    async fn draw_now(url: &str, canvas: &HtmlCanvasElement) -> Result<Preview, JsValue> {
        let window = window().ok_or(JsValue::UNDEFINED)?;
        let response: Response = JsFuture::from(window.fetch_with_str(url)).await?.dyn_into()?;
        let blob: Blob = JsFuture::from(response.blob()?).await?.dyn_into()?;
        let head = blob.slice_with_i32_and_i32(0, HEAD_BYTES as i32)?;
        let head: ArrayBuffer = JsFuture::from(head.array_buffer()).await?.dyn_into()?;
        let Some(dimensions) = dimensions(&Uint8Array::new(&head).to_vec()) else { return Ok(Preview::Unreadable) };
        let Some(width) = target_width(dimensions) else { return Ok(Preview::TooLarge) };
        let options = Object::new();
        if width != dimensions.0 {
            Reflect::set(&options, &"resizeWidth".into(), &width.into())?;
            Reflect::set(&options, &"resizeQuality".into(), &"medium".into())?;
        }
        let decode: Function = Reflect::get(&window, &"createImageBitmap".into())?.dyn_into()?;
        let decoding: Promise = decode.call2(&window, &blob, &options)?.dyn_into()?;
        let bitmap: ImageBitmap = JsFuture::from(decoding).await?.dyn_into()?;
        canvas.set_width(bitmap.width());
        canvas.set_height(bitmap.height());
        let context = canvas.get_context("bitmaprenderer")?.ok_or(JsValue::UNDEFINED)?;
        context.dyn_into::<ImageBitmapRenderingContext>()?.transfer_from_image_bitmap(&bitmap);
        Ok(Preview::Drawn)
    }
}

#[cfg(not(target_family = "wasm"))]
mod imp {
    use leptos::web_sys::HtmlCanvasElement;

    use super::Preview;

    pub(crate) async fn draw(_url: String, _canvas: HtmlCanvasElement) -> Preview {
        Preview::Unreadable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let head = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";
        [&head[..], &width.to_be_bytes(), &height.to_be_bytes()].concat()
    }

    #[test]
    fn dimensions_are_read_before_anything_is_decoded() {
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc4\0\x03x\xff\xc2\0\x11\x08\x01\x02\x03\x04";
        let gif = b"GIF89a\x02\0\x03\0\x80\0\0abcdef\x21\xf9\x02xy\x01z\0\x2c\x01\0\0\0\x10\0\x01\0";
        let webp = |rest: &[u8]| [&b"RIFF\0\0\0\0WEBP"[..], rest].concat();
        let lossy = webp(b"VP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x10\x40\x20\x80");
        let lossless = webp(b"VP8L\0\0\0\0\x2f\xff\xc1\x0f\0");
        let extended = webp(b"VP8X\0\0\0\0\0\0\0\0\xff\xff\x00\x01\x00\x00");
        let huge = png(17_000, 16_000);
        type Case<'a> = (&'a [u8], Option<(u32, u32)>);
        let cases: &[Case<'_>] = &[
            (&huge, Some((17_000, 16_000))),
            (jpeg, Some((0x0304, 0x0102))),
            (gif, Some((17, 3))),
            (&lossy, Some((16, 32))),
            (&lossless, Some((512, 64))),
            (&extended, Some((65_536, 2))),
            (b"", None),
            (b"<svg width='1' height='1'>", None),
            (b"\xff\xd8\xff\xda\0\x02", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(dimensions(bytes), *expected, "{bytes:?}");
            // Truncated and corrupt files must not panic.
            for end in 0..bytes.len() {
                dimensions(&bytes[..end]);
                let mut other = bytes.to_vec();
                other[end] = 0xff;
                dimensions(&other);
            }
        }
    }

    #[test]
    fn a_picture_of_gigabytes_is_refused_and_a_photograph_is_made_small() {
        for huge in [(17_000, 17_000), (u32::MAX, u32::MAX), (0, 10), (25_000, 2), (1, 800)] {
            assert_eq!(target_width(huge), None, "{huge:?}");
        }
        assert_eq!(target_width((6000, 4000)), Some(SIDE));
        assert_eq!(target_width((4000, 6000)), Some(480));
        assert_eq!(target_width((1, 1)), Some(1));
        assert_eq!(target_width((SIDE, 1)), Some(SIDE));
    }
}
