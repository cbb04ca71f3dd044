//! The signalling socket.

use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, WebSocket};

use super::listen::Listener;
use crate::room::Input;

/// Close codes: the server takes "normal closure" for a goodbye, and the application's code for "back soon".
const GOODBYE: u16 = 1000;
const BACK_SOON: u16 = 4000;

pub(super) struct Socket {
    socket: WebSocket,
    goodbye: bool,
    _listeners: [Listener; 3],
}

impl Socket {
    pub(super) fn open(url: &str, on_input: impl Fn(Input) + Clone + 'static) -> Result<Self, JsValue> {
        let socket = WebSocket::new(url)?;
        let on_message = on_input.clone();
        let on_open = on_input.clone();
        let listeners = [
            Listener::new(&socket, "open", move |_| on_open(Input::SocketOpen)),
            Listener::new(&socket, "message", move |event| {
                // The protocol has no binary frames.
                if let Some(text) = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string()) {
                    on_message(Input::SocketFrame(text));
                }
            }),
            Listener::new(&socket, "close", move |_| on_input(Input::SocketClosed)),
        ];
        Ok(Self { socket, goodbye: false, _listeners: listeners })
    }

    /// False if the socket takes no more.
    pub(super) fn send(&self, text: &str) -> bool {
        self.socket.ready_state() == WebSocket::OPEN && self.socket.send_with_str(text).is_ok()
    }

    pub(super) fn close(mut self, goodbye: bool) {
        self.goodbye = goodbye;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = self.socket.close_with_code(if self.goodbye { GOODBYE } else { BACK_SOON });
    }
}
