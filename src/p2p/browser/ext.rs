//! What web-sys lacks, keeps behind its unstable flag, or would have throw through Rust where a browser lacks it.

use js_sys::{AsyncIterator, JsString, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{
    Blob, EventTarget, MediaStreamTrack, RtcDataChannelInit, RtcIceCandidateInit, RtcPeerConnection, RtcRtpTransceiver,
    RtcRtpTransceiverInit, RtcSessionDescriptionInit,
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
    pub(super) fn set_local_description_by_state(this: &Connection) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setRemoteDescription)]
    pub(super) fn set_remote_description(
        this: &Connection,
        description: &RtcSessionDescriptionInit,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = addIceCandidate)]
    pub(super) fn add_ice_candidate(this: &Connection, candidate: &RtcIceCandidateInit) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = close)]
    fn try_close(this: &Connection) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = getStats)]
    pub(super) fn get_stats(this: &Connection) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = createOffer)]
    pub(super) fn create_offer(this: &Connection) -> Result<JsValue, JsValue>;

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
    ) -> Result<JsValue, JsValue>;

    /// <https://developer.mozilla.org/docs/Web/API/RTCRtpSender>
    pub(super) type Sender;

    #[wasm_bindgen(method, catch, js_name = getParameters)]
    pub(super) fn parameters(this: &Sender) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setParameters)]
    pub(super) fn set_parameters(this: &Sender, parameters: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = replaceTrack)]
    pub(super) fn replace_track(this: &Sender, track: Option<&MediaStreamTrack>) -> Result<JsValue, JsValue>;

    /// <https://developer.mozilla.org/docs/Web/API/MediaDevices>
    #[wasm_bindgen(extends = EventTarget)]
    pub(super) type MediaDevices;

    #[wasm_bindgen(method, catch, js_name = getUserMedia)]
    pub(super) fn get_user_media(this: &MediaDevices, constraints: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = getDisplayMedia)]
    pub(super) fn get_display_media(this: &MediaDevices, constraints: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = enumerateDevices)]
    pub(super) fn enumerate_devices(this: &MediaDevices) -> Result<JsValue, JsValue>;

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

/// Closes a connection. Where the browser refuses even that, there is nothing left to do.
pub(super) fn close(connection: &RtcPeerConnection) {
    let _ = connection.unchecked_ref::<Connection>().try_close();
}

/// The promise that a call returned, or one that is rejected with what the call threw. Extensions that forbid a call put
/// something in its place that throws, or that returns nothing.
pub(super) fn promise(returned: Result<JsValue, JsValue>) -> Promise {
    match returned {
        Ok(value) => Promise::resolve(&value),
        Err(error) => Promise::reject(&error),
    }
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
