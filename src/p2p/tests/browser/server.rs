//! The hub inside the page, in place of a server: `WebSocket` is replaced by a class that talks to it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use converge_p2p::{Client, Identity, Options, PeerState};
use converge_signal::Nonce;
use converge_signal::hub::{ConnId, Hub, Input, Output, Session};
use converge_signal::protocol::Limits;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(inline_js = r#"
export class Socket extends EventTarget {
  readyState = 0;
  constructor() {
    super();
    queueMicrotask(() => {
      if (this.readyState !== 0) return;
      this.conn = Socket.connect(this);
      if (this.conn === undefined) return this.end(1006);
      this.readyState = 1;
      this.dispatchEvent(new Event('open'));
    });
  }
  send(text) { queueMicrotask(() => this.readyState === 1 && Socket.frame(this.conn, text)); }
  close(code) {
    if (this.readyState === 3) return;
    const joined = this.readyState === 1;
    this.end(code);
    if (joined) queueMicrotask(() => Socket.gone(this.conn, code));
  }
  take(text) {
    setTimeout(() => this.readyState === 1 && this.dispatchEvent(new MessageEvent('message', { data: text })));
  }
  end(code) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    setTimeout(() => this.dispatchEvent(new CloseEvent('close', { code })));
  }
}
const made = [];
const Native = RTCPeerConnection;
export function install(connect, frame, gone) {
  Object.assign(Socket, { connect, frame, gone });
  window.WebSocket = Socket;
  window.made_connections = () => made.filter((connection) => connection.connectionState === 'connected');
  window.RTCPeerConnection = class extends Native {
    constructor(configuration) { super(configuration); made.push(this); }
  };
}
// As if the browser had crashed in that one process: nobody is told by whom, or why. 0 is the newest one.
export function close_newest_connection(back) {
  const open = made.filter((connection) => connection.connectionState === 'connected');
  open.at(-1 - back).close();
}
export function open_connections() {
  return made.filter((connection) => connection.connectionState !== 'closed').length;
}
"#)]
extern "C" {
    #[derive(Clone)]
    type Socket;
    #[wasm_bindgen(method)]
    fn take(this: &Socket, text: &str);
    #[wasm_bindgen(method)]
    fn end(this: &Socket, code: u16);
    fn install(connect: &JsValue, frame: &JsValue, gone: &JsValue);
    /// How many RTCPeerConnections there are that nobody has closed.
    pub(crate) fn open_connections() -> u32;
    /// Closes one of the connections of the page, behind its owner's back.
    pub(crate) fn close_newest_connection(back: u32);
}

#[derive(Default)]
struct Server {
    hub: Hub,
    sockets: HashMap<ConnId, (Socket, Session)>,
    last: ConnId,
    /// Which of the hub's alarms is the one that counts.
    alarm: u32,
}

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(Server::default());
    static AWAY: Cell<bool> = const { Cell::new(false) };
    static HANDLERS: RefCell<Option<Handlers>> = const { RefCell::new(None) };
}

type Handlers = (Closure<dyn Fn(Socket) -> JsValue>, Closure<dyn Fn(u32, String)>, Closure<dyn Fn(u32, u16)>);

/// Sets the stage; safe to call again.
pub(crate) fn start() {
    HANDLERS.with_borrow_mut(|handlers| {
        let (connect, frame, gone) = handlers.get_or_insert_with(|| {
            let _ = any_spawner::Executor::init_wasm_bindgen();
            (Closure::new(connect), Closure::new(frame), Closure::new(gone))
        });
        install(connect.as_ref(), frame.as_ref(), gone.as_ref());
    });
}

/// The server goes away: every socket ends, and no new one opens until it is back.
pub(crate) fn go_away() {
    AWAY.set(true);
    let server = SERVER.take();
    for (socket, _) in server.sockets.values() {
        socket.end(1006);
    }
    SERVER.set(Server::default());
}

pub(crate) fn come_back() {
    AWAY.set(false);
}

/// How many members all topics have.
pub(crate) fn members() -> usize {
    SERVER.with_borrow(|server| server.hub.members())
}

fn connect(socket: Socket) -> JsValue {
    if AWAY.get() {
        return JsValue::UNDEFINED;
    }
    let origin = web_sys::window().unwrap().location().origin().unwrap();
    SERVER.with_borrow_mut(|server| {
        server.last += 1;
        let conn = server.last;
        let nonce = Nonce::from_bytes([conn as u8; 32]);
        server.sockets.insert(conn, (socket, Session::new(nonce, &origin, Limits::default().max_frame_bytes)));
        server.handle(Input::Connected { conn, nonce });
        JsValue::from_f64(conn as f64)
    })
}

fn frame(conn: u32, text: String) {
    SERVER.with_borrow_mut(|server| {
        let Some((_, session)) = server.sockets.get_mut(&conn.into()) else { return };
        let input = session.input(conn.into(), &text);
        server.handle(input);
    });
}

fn gone(conn: u32, code: u16) {
    SERVER.with_borrow_mut(|server| {
        server.sockets.remove(&conn.into());
        server.handle(Input::Disconnected { conn: conn.into(), clean: code == 1000 });
    });
}

impl Server {
    fn handle(&mut self, input: Input<'_>) {
        let now = Duration::from_secs_f64(web_sys::window().unwrap().performance().unwrap().now() / 1000.0);
        self.hub.handle(now, input);
        while let Some(output) = self.hub.poll() {
            match output {
                Output::Send { conn, frame, .. } => {
                    if let Some((socket, _)) = self.sockets.get(&conn) {
                        socket.take(&frame);
                    }
                }
                Output::Close { conn, code, .. } => {
                    if let Some((socket, _)) = self.sockets.remove(&conn) {
                        // After what was said before.
                        let end = Closure::once_into_js(move || socket.end(code));
                        let window = web_sys::window().unwrap();
                        window.set_timeout_with_callback(end.unchecked_ref()).unwrap();
                    }
                }
            }
        }
        self.alarm += 1;
        if let Some(at) = self.hub.wake_at() {
            let alarm = self.alarm;
            let ring = Closure::once_into_js(move || {
                SERVER.with_borrow_mut(|server| {
                    if server.alarm == alarm {
                        server.handle(Input::Woken);
                    }
                });
            });
            // Timers may be early by a part of a millisecond.
            let wait = at.saturating_sub(now).as_millis() as i32 + 1;
            let window = web_sys::window().unwrap();
            window.set_timeout_with_callback_and_timeout_and_arguments_0(ring.unchecked_ref(), wait).unwrap();
        }
    }
}

/// A peer of its own for each number: in one page the tab's identity would be the same for all.
pub(crate) fn options(topic: &str, peer: u8) -> Options {
    Options::new(topic).identity(identity(peer))
}

pub(crate) fn identity(peer: u8) -> Identity {
    Identity::from_secret(&[peer; 32], 1)
}

/// Lets the browser go on until something holds; the test's own time limit ends what never does.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        turn().await;
    }
}

/// One turn of the browser's event loop.
pub(crate) async fn turn() {
    let window = web_sys::window().unwrap();
    let turned = Promise::new(&mut |resolve: Function, _| {
        window.set_timeout_with_callback(&resolve).unwrap();
    });
    JsFuture::from(turned).await.unwrap();
}

/// Two linked clients.
pub(crate) async fn pair(topic: &str) -> (Client, Client) {
    start();
    let (ada, ben) = (Client::join(options(topic, 1)).unwrap(), Client::join(options(topic, 2)).unwrap());
    linked(&ada, &ben).await;
    (ada, ben)
}

pub(crate) async fn linked(ada: &Client, ben: &Client) {
    let connected = |client: &Client| client.peers().iter().any(|(_, state)| *state == PeerState::Connected);
    until(|| connected(ada) && connected(ben)).await;
}
