//! The hub behind an axum WebSocket route.
//!
//! ```
//! use axum::{Router, routing::get};
//! use converge_signal::server::{self, Settings};
//!
//! # fn run() -> Result<Router, server::SettingsError> {
//! let app: Router = Router::new().route("/", get(|| async { "hello" })).merge(server::router(Settings::default())?);
//! # Ok(app) }
//! # assert!(run().is_ok());
//! ```

mod connection;
mod settings;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use self::connection::Outbox;
pub use self::settings::{Settings, SettingsError};
use crate::hub::{ConnId, Hub, Input, Output};
use crate::ids::Nonce;
use crate::protocol::{ErrorCode, PATH};

/// A route that serves signalling at [`PATH`], to merge into any axum application.
///
/// # Errors
/// If the settings make no sense.
pub fn router<S: Clone + Send + Sync + 'static>(settings: Settings) -> Result<Router<S>, SettingsError> {
    Ok(Signalling::new(settings)?.router())
}

/// A running hub. Clones are handles to the same one.
#[derive(Clone)]
pub struct Signalling {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    state: Mutex<Connections>,
}

struct Connections {
    hub: Hub,
    outboxes: HashMap<ConnId, Arc<Outbox>>,
    last: ConnId,
}

/// How busy a hub is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Sockets, joined or not.
    pub connections: usize,
    /// Topics with members.
    pub topics: usize,
    /// Members of all topics together.
    pub members: usize,
}

impl Signalling {
    /// A hub without connections.
    ///
    /// # Errors
    /// If the settings make no sense.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.validate()?;
        let state = Connections { hub: Hub::new(settings.hub.clone()), outboxes: HashMap::new(), last: 0 };
        Ok(Self { shared: Arc::new(Shared { settings, state: Mutex::new(state) }) })
    }

    /// A route that serves this hub at [`PATH`].
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        Router::new().route(PATH, get(upgrade)).with_state(self.clone())
    }

    /// How busy it is.
    pub fn counts(&self) -> Counts {
        let state = self.shared.lock();
        Counts { connections: state.hub.connections(), topics: state.hub.topics(), members: state.hub.members() }
    }
}

async fn upgrade(State(signalling): State<Signalling>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let mut nonce = [0; 32];
    if getrandom::fill(&mut nonce).is_err() {
        // Without randomness a recorded hello could be played back.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    // An origin that is no text matches no signature, so it is as good as none.
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let frame = signalling.shared.settings.hub.max_frame_bytes;
    upgrade
        // tungstenite's default of 128 KiB for reading is kept for every idle connection.
        .read_buffer_size(4096)
        .write_buffer_size(4096)
        .max_write_buffer_size(frame * 4)
        // Above the protocol's limit, so that what is a little over it gets an answer that says so.
        .max_message_size(frame * 2)
        .max_frame_size(frame * 2)
        .on_upgrade(move |socket| connection::serve(socket, signalling.shared, Nonce::from_bytes(nonce), origin))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connections> {
        // A panic elsewhere must not end everybody's connection: the hub is valid between any two calls.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, nonce: Nonce, origin: &str) -> (ConnId, Arc<Outbox>) {
        let mut state = self.lock();
        state.last += 1;
        let conn = state.last;
        let outbox = Arc::new(Outbox::new(self.settings.max_outbox_bytes));
        state.outboxes.insert(conn, outbox.clone());
        state.handle(Input::Connected { conn, nonce, origin });
        (conn, outbox)
    }

    fn handle(&self, input: Input<'_>) {
        self.lock().handle(input);
    }

    fn disconnect(&self, conn: ConnId, clean: bool) {
        let mut state = self.lock();
        state.outboxes.remove(&conn);
        state.handle(Input::Disconnected { conn, clean });
    }
}

impl Connections {
    /// Has the hub take in something, and does what it says: puts frames into outboxes.
    fn handle(&mut self, input: Input<'_>) {
        self.hub.handle(input);
        let mut slow = self.deliver();
        // Dropping one that does not read tells others, whose outboxes may overflow in turn.
        while let Some(conn) = slow.pop() {
            self.hub.handle(Input::Violation { conn, code: ErrorCode::SlowReader });
            slow.extend(self.deliver());
        }
    }

    /// Empties the hub's outputs into the outboxes; returns whose are full.
    fn deliver(&mut self) -> Vec<ConnId> {
        let mut full = Vec::new();
        while let Some(output) = self.hub.poll() {
            match output {
                Output::Send { conn, frame } => {
                    if self.outboxes.get(&conn).is_some_and(|outbox| !outbox.push(frame)) {
                        full.push(conn);
                    }
                }
                Output::Close { conn, code, reason } => {
                    if let Some(outbox) = self.outboxes.remove(&conn) {
                        outbox.close(code, reason);
                    }
                }
            }
        }
        full
    }
}
