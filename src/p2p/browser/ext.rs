//! What web-sys lacks, keeps behind its unstable flag, or would have throw through Rust where a browser lacks it.

use js_sys::{AsyncIterator, JsString, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{
    Blob, EventTarget, MediaStreamTrack, RtcDataChannel, RtcDataChannelInit, RtcPeerConnection, RtcRtpTransceiver,
    RtcRtpTransceiverInit,
};

#[wasm_bindgen]
extern "C" {
    /// <https://developer.mozilla.org/docs/Web/API/LockManager>
    #[wasm_bindgen(extends = Object)]
    pub(super) type LockManager;

    #[wasm_bindgen(method, catch, js_name = request)]
    pub(super) fn request(
        this: &LockManager,
        name: &str,
        options: &JsValue,
        callback: &JsValue,
    ) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn query(this: &LockManager) -> Result<Promise, JsValue>;

    /// <https://developer.mozilla.org/docs/Web/API/RTCPeerConnection>
    #[wasm_bindgen(extends = RtcPeerConnection)]
    pub(super) type Connection;

    /// Makes the offer or answer that the connection's state calls for and sets it, all in one step.
    #[wasm_bindgen(method, catch, js_name = setLocalDescription)]
    pub(super) fn set_local_description_by_state(this: &Connection) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = createOffer)]
    pub(super) fn create_offer(this: &Connection) -> Result<Promise, JsValue>;

    /// Throws once the connection is closed.
    #[wasm_bindgen(method, catch, js_name = addTransceiver)]
    pub(super) fn add_transceiver(
        this: &Connection,
        track: &MediaStreamTrack,
        init: &RtcRtpTransceiverInit,
    ) -> Result<RtcRtpTransceiver, JsValue>;

    #[wasm_bindgen(method, catch, js_name = restartIce)]
    pub(super) fn restart_ice(this: &Connection) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = createDataChannel)]
    pub(super) fn create_data_channel(
        this: &Connection,
        label: &str,
        init: &RtcDataChannelInit,
    ) -> Result<RtcDataChannel, JsValue>;

    /// <https://developer.mozilla.org/docs/Web/API/RTCRtpSender>
    pub(super) type Sender;

    #[wasm_bindgen(method, js_name = getParameters)]
    pub(super) fn parameters(this: &Sender) -> JsValue;

    #[wasm_bindgen(method, js_name = setParameters)]
    pub(super) fn set_parameters(this: &Sender, parameters: &JsValue) -> Promise;

    /// <https://developer.mozilla.org/docs/Web/API/MediaDevices>
    #[wasm_bindgen(extends = EventTarget)]
    pub(super) type MediaDevices;

    #[wasm_bindgen(method, catch, js_name = getUserMedia)]
    pub(super) fn get_user_media(this: &MediaDevices, constraints: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = getDisplayMedia)]
    pub(super) fn get_display_media(this: &MediaDevices, constraints: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = enumerateDevices)]
    pub(super) fn enumerate_devices(this: &MediaDevices) -> Result<Promise, JsValue>;

    /// <https://developer.mozilla.org/docs/Web/API/NetworkInformation>
    #[wasm_bindgen(extends = EventTarget)]
    pub(super) type NetworkInformation;

    /// <https://developer.mozilla.org/docs/Web/API/FileSystemDirectoryHandle>
    #[wasm_bindgen(extends = Object)]
    #[derive(Clone)]
    pub(super) type Directory;

    #[wasm_bindgen(method, catch, js_name = getDirectoryHandle)]
    pub(super) fn directory(this: &Directory, name: &str, options: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = getFileHandle)]
    pub(super) fn file(this: &Directory, name: &str, options: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = removeEntry)]
    pub(super) fn remove(this: &Directory, name: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn values(this: &Directory) -> Result<AsyncIterator, JsValue>;

    /// <https://developer.mozilla.org/docs/Web/API/FileSystemFileHandle>
    #[wasm_bindgen(extends = Object)]
    pub(super) type FileHandle;

    #[wasm_bindgen(method, getter)]
    pub(super) fn name(this: &FileHandle) -> String;

    #[wasm_bindgen(method, catch, js_name = getFile)]
    pub(super) fn content(this: &FileHandle) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = createWritable)]
    pub(super) fn create_writable(this: &FileHandle) -> Result<Promise, JsValue>;

    /// <https://developer.mozilla.org/docs/Web/API/FileSystemWritableFileStream>
    #[wasm_bindgen(extends = Object)]
    pub(super) type Writable;

    #[wasm_bindgen(method, catch)]
    pub(super) fn write(this: &Writable, content: &Blob) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn close(this: &Writable) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn abort(this: &Writable) -> Result<Promise, JsValue>;
}

/// A property; none where it is missing, null or undefined.
pub(super) fn get(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &JsString::from(name)).ok().filter(|value| !value.is_null() && !value.is_undefined())
}

/// What an error says, in the browser's words.
pub(super) fn reason(error: &JsValue) -> String {
    let text = |name| get(error, name).and_then(|value| value.as_string()).filter(|text| !text.is_empty());
    text("message").or_else(|| text("name")).unwrap_or_else(|| "the browser does not say why".to_owned())
}
