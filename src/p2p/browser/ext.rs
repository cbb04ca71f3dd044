//! What web-sys lacks, or keeps behind its unstable flag.

use js_sys::{Object, Promise};
use wasm_bindgen::prelude::*;
use web_sys::RtcPeerConnection;

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

    /// <https://developer.mozilla.org/docs/Web/API/RTCPeerConnection>
    #[wasm_bindgen(extends = RtcPeerConnection)]
    pub(super) type Connection;

    /// Makes the offer or answer that the connection's state calls for and sets it, all in one step.
    #[wasm_bindgen(method, js_name = setLocalDescription)]
    pub(super) fn set_local_description_by_state(this: &Connection) -> Promise;
}
