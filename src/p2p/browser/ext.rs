//! What web-sys lacks, or keeps behind its unstable flag.

use js_sys::{Object, Promise};
use wasm_bindgen::prelude::*;

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
}
