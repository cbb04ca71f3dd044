//! Asking the browser for cameras, microphones and screens.

use js_sys::{Array, JSON, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::MediaStream;

use super::ext::{MediaDevices, get, promise, reason};
use crate::media::{Device, MediaError, Source, StreamKind};

/// What is asked for, as `MediaStreamConstraints`. A picture that is larger than a viewer shows costs all of them.
const CAMERA: &str = r#"{"video":{"width":{"ideal":640},"height":{"ideal":480},"frameRate":{"ideal":24,"max":30}}}"#;
const MICROPHONE: &str = r#"{"audio":{"echoCancellation":true,"noiseSuppression":true,"autoGainControl":true}}"#;
/// Text that moves jerkily can be read; text that is blurred can't.
const SCREEN: &str = r#"{"video":{"frameRate":{"ideal":15,"max":30}},"audio":false}"#;

/// Where devices are asked for. Missing where the page came over plain http.
pub(super) fn devices() -> Result<MediaDevices, MediaError> {
    let window = web_sys::window().ok_or(MediaError::Insecure)?;
    get(&window.navigator(), "mediaDevices").map(JsCast::unchecked_into).ok_or_else(|| {
        let secure = get(&window, "isSecureContext").is_some_and(|secure| secure.is_truthy());
        if secure { MediaError::Unsupported { kind: StreamKind::Other } } else { MediaError::Insecure }
    })
}

/// Opens a device, which may ask the person. One that is preferred and gone gives way to another.
pub(super) async fn open(source: &Source) -> Result<MediaStream, MediaError> {
    match ask(source).await {
        Err(MediaError::NoDevice { .. }) if source.device.is_some() => {
            ask(&Source { device: None, ..source.clone() }).await
        }
        opened => opened,
    }
}

async fn ask(source: &Source) -> Result<MediaStream, MediaError> {
    let kind = source.kind();
    if let Some(media) = &source.media {
        return Ok(media.stream());
    }
    let devices = devices()?;
    let opened = match kind {
        StreamKind::Camera => devices.get_user_media(&constraints(CAMERA, "video", source)),
        StreamKind::Microphone => devices.get_user_media(&constraints(MICROPHONE, "audio", source)),
        // A phone's browser has no such function.
        _ => devices.get_display_media(&constraints(SCREEN, "video", source)),
    };
    let opened = opened.map_err(|_| MediaError::Unsupported { kind })?;
    let stream = JsFuture::from(promise(Ok(opened))).await.map_err(|error| refused(kind, &error))?;
    stream.dyn_into().map_err(|_| MediaError::Unsupported { kind })
}

fn constraints(text: &str, which: &str, source: &Source) -> JsValue {
    // These texts are JSON.
    let constraints = JSON::parse(text).unwrap_or_default();
    if let (Some(device), Some(track)) = (&source.device, get(&constraints, which)) {
        let exact = js_sys::Object::new();
        let set = |object: &JsValue, name: &str, value: &JsValue| {
            // Fails for what is no object, and these are.
            let _ = Reflect::set(object, &name.into(), value);
        };
        // As a wish, browsers overrule it by what was picked in their own dialog.
        set(&exact, "exact", &device.into());
        set(&track, "deviceId", &exact);
    }
    constraints
}

/// What the names of `getUserMedia`'s errors mean (Media Capture and Streams, section 10.2).
fn refused(kind: StreamKind, error: &JsValue) -> MediaError {
    let name = get(error, "name").and_then(|name| name.as_string()).unwrap_or_default();
    match name.as_str() {
        "NotAllowedError" | "SecurityError" => MediaError::Denied { kind },
        "NotFoundError" | "OverconstrainedError" => MediaError::NoDevice { kind },
        "NotReadableError" | "AbortError" => MediaError::InUse { kind },
        "NotSupportedError" | "TypeError" => MediaError::Unsupported { kind },
        _ => MediaError::Browser(reason(error)),
    }
}

/// The cameras and microphones there are.
pub(super) async fn list() -> Result<Vec<Device>, MediaError> {
    let unsupported = |_| MediaError::Unsupported { kind: StreamKind::Other };
    let listed = devices()?.enumerate_devices().map_err(unsupported)?;
    let listed = JsFuture::from(promise(Ok(listed))).await.map_err(|error| MediaError::Browser(reason(&error)))?;
    let text = |device: &JsValue, name| get(device, name).and_then(|text| text.as_string()).unwrap_or_default();
    let device = |device: JsValue| {
        let kind = match text(&device, "kind").as_str() {
            "videoinput" => StreamKind::Camera,
            "audioinput" => StreamKind::Microphone,
            _ => return None,
        };
        Some(Device { kind, id: text(&device, "deviceId"), label: text(&device, "label") })
    };
    Ok(Array::from(&listed).iter().filter_map(device).collect())
}
