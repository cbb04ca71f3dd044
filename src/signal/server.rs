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
//!
//! To serve it on the internet, hand the application to [`listen::serve`] rather than to `axum::serve`, which waits for
//! a request's head for ever. It also tells the routes who connects, as
//! `into_make_service_with_connect_info::<SocketAddr>()` does; without either, nothing is limited by address.

mod address;
mod auth;
mod connection;
mod limiter;
pub mod listen;
mod metrics;
mod origin;
mod outbox;
mod requests;
mod settings;
mod slots;
mod tls;
mod transport;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use self::address::Source;
pub use self::auth::{Authorizer, Decision, Denied, Grant, JoinRequest, Open, RoomTokens, SecretError};
use self::connection::Arrival;
use self::limiter::Limiter;
pub use self::listen::Listen;
pub use self::origin::Origins;
use self::outbox::{Outbox, Pushed};
pub use self::requests::RequestBudget;
pub use self::settings::{Settings, SettingsError};
use self::slots::Held;
pub use self::tls::{Tls, TlsError};
use crate::hub::{ConnId, Counters, Hub, Input, Join, Occupancy, Output};
use crate::ids::{Nonce, PeerId, TopicHash};
use crate::protocol::{ErrorCode, PATH, VERSION, WELL_KNOWN_PATH};

/// How many sockets are told of the end at a time, so that others' frames get their turn in between.
const DRAIN_BATCH: usize = 500;

/// A route that serves signalling at [`PATH`], and one that describes it at [`WELL_KNOWN_PATH`], to merge into any axum
/// application.
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
    limiter: Limiter,
    state: Mutex<Connections>,
    /// The hub's time is the time since then.
    started: Instant,
    /// The hub wants to be woken sooner than was last known.
    sooner: Arc<Notify>,
    draining: AtomicBool,
}

struct Connections {
    hub: Hub,
    outboxes: HashMap<ConnId, Arc<Outbox>>,
    last: ConnId,
    /// When the task that wakes the hub will; none while it waits to be told, or there is no such task yet.
    alarm: Option<Duration>,
    has_alarm: bool,
    sent: Sent,
    /// Sockets turned away before the hub knew of them.
    turned_away: HashMap<ErrorCode, u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    frames: u64,
    bytes: u64,
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
        let state = Connections {
            hub: Hub::new(settings.hub.clone(), seed()),
            outboxes: HashMap::new(),
            last: 0,
            alarm: None,
            has_alarm: false,
            sent: Sent::default(),
            turned_away: HashMap::new(),
        };
        let limiter = Limiter::new(settings.hub.limits);
        Ok(Self {
            shared: Arc::new(Shared {
                settings,
                limiter,
                state: Mutex::new(state),
                started: Instant::now(),
                sooner: Arc::default(),
                draining: AtomicBool::new(false),
            }),
        })
    }

    /// Routes that serve this hub at [`PATH`] and describe it at [`WELL_KNOWN_PATH`].
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        Router::new().route(PATH, get(upgrade)).route(WELL_KNOWN_PATH, get(well_known)).with_state(self.clone())
    }

    /// Routes for whoever runs the server, to be served where strangers can't reach them: `/metrics` in Prometheus' text
    /// format, `/livez`, which answers as long as the process does, and `/readyz`, which says 503 while draining.
    pub fn operator_router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let metrics = |State(signalling): State<Self>| async move { metrics::render(&signalling) };
        let ready = |State(signalling): State<Self>| async move {
            if signalling.is_draining() {
                (StatusCode::SERVICE_UNAVAILABLE, "draining")
            } else {
                (StatusCode::OK, "ready")
            }
        };
        Router::new()
            .route("/metrics", get(metrics))
            .route("/livez", get(|| async { "alive" }))
            .route("/readyz", get(ready))
            .with_state(self.clone())
    }

    /// How busy it is.
    pub fn counts(&self) -> Counts {
        let state = self.shared.lock();
        Counts { connections: state.hub.connections(), topics: state.hub.topics(), members: state.hub.members() }
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.shared.lock().hub.counters().clone()
    }

    /// Whether it takes no new sockets any more.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Relaxed)
    }

    /// Ends every connection, telling each to come back after a time of its own choice, which is up to
    /// [`Settings::return_within`]; returns when all have gone, or after `within`. New ones are refused from now on.
    pub async fn drain(&self, within: Duration) {
        self.shared.draining.store(true, Ordering::Relaxed);
        let conns: Vec<ConnId> = self.shared.lock().outboxes.keys().copied().collect();
        tracing::info!(connections = conns.len(), "draining");
        let mut random = fastrand::Rng::with_seed(seed());
        for batch in conns.chunks(DRAIN_BATCH) {
            for conn in batch {
                let retry_after = self.shared.settings.return_within.mul_f64(random.f64());
                self.shared.handle(Input::Drain { conn: *conn, retry_after });
            }
            tokio::task::yield_now().await;
        }
        if timeout(within, self.shared.limiter.sockets.empty()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

/// A seed for what had better not be foretold, but is no secret.
fn seed() -> u64 {
    let mut seed = [0; 8];
    // Without randomness connections are refused for lack of a nonce, so that little comes of it here.
    let _ = getrandom::fill(&mut seed);
    u64::from_ne_bytes(seed)
}

async fn upgrade(
    State(signalling): State<Signalling>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    held: Option<Extension<Held>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Signalling { shared } = signalling;
    if shared.draining.load(Ordering::Relaxed) {
        let seconds = HeaderValue::from(shared.settings.return_within.as_secs().max(1));
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, seconds)], "restarting").into_response();
    }
    let mut nonce = [0; 32];
    if getrandom::fill(&mut nonce).is_err() {
        // Without randomness a recorded hello could be played back.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let proxies = &shared.settings.trusted_proxies;
    let source = peer.map(|Extension(ConnectInfo(peer))| Source::from(address::client(peer.ip(), &headers, proxies)));
    // An origin that is no text matches no signature, so it is as good as none.
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let allowed = shared.settings.origins.allow(&headers, &uri);
    let place = shared.limiter.sockets.take(source);
    let held = held.map(|Extension(held)| held);
    let arrival = Arrival { nonce: Nonce::from_bytes(nonce), origin, source, place, allowed, held };
    let limits = &shared.settings.hub.limits;
    let frame = limits.max_frame_bytes as usize;
    upgrade
        // What is read at once; tungstenite's default of 128 KiB would be kept for every idle connection.
        .read_buffer_size(shared.settings.read_buffer_bytes)
        .write_buffer_size(4096)
        .max_write_buffer_size((limits.max_queued_bytes as usize).max(frame * 2) + 4096)
        // Above the protocol's limit, so that what is a little over it gets an answer that says so.
        .max_message_size(frame * 2)
        .max_frame_size(frame * 2)
        .on_upgrade(move |socket| {
            // A task of its own, since the one this runs in keeps all it needed for the upgrade to its end.
            tokio::spawn(connection::serve(socket, shared, arrival));
            std::future::ready(())
        })
}

async fn well_known(State(signalling): State<Signalling>) -> Response {
    let settings = &signalling.shared.settings;
    let body =
        json!({ "versions": [VERSION], "path": PATH, "auth": settings.auth.kind(), "limits": settings.hub.limits });
    // Pages of any origin may ask: who may join is another question.
    ([(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::CACHE_CONTROL, "max-age=300")], Json(body)).into_response()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connections> {
        // A panic elsewhere must not end everybody's connection: the hub is valid between any two calls.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(self: &Arc<Self>, nonce: Nonce) -> (ConnId, Arc<Outbox>) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.has_alarm, true) {
            tokio::spawn(keep_waking(Arc::downgrade(self), self.sooner.clone()));
        }
        state.last += 1;
        let conn = state.last;
        let outbox = Arc::new(Outbox::new(self.settings.hub.limits.max_queued_bytes as usize));
        state.outboxes.insert(conn, outbox.clone());
        self.take(&mut state, Input::Connected { conn, nonce });
        drop(state);
        // It may have come while everybody was being told to go.
        if self.draining.load(Ordering::Relaxed) {
            self.handle(Input::Drain { conn, retry_after: self.settings.return_within });
        }
        (conn, outbox)
    }

    fn handle(&self, input: Input<'_>) {
        self.take(&mut self.lock(), input);
    }

    fn occupancy(&self, topic: &TopicHash, id: &PeerId) -> Occupancy {
        self.lock().hub.occupancy(topic, id)
    }

    /// Joins a peer. With `newcomer_from`, it is a newcomer from that source, whose joins of empty rooms are counted.
    ///
    /// # Errors
    /// Returns [`ErrorCode::TooManyJoins`] if the source is over that limit.
    fn join(&self, conn: ConnId, join: Join, newcomer_from: Option<Source>) -> Result<(), ErrorCode> {
        // Under one lock, or the room's occupancy could change before the join.
        let mut state = self.lock();
        if let Some(source) = newcomer_from {
            let empty = state.hub.occupancy(&join.topic(), &join.id()) == Occupancy::Empty;
            if !self.limiter.allow_newcomer(self.started.elapsed(), &source, empty) {
                return Err(ErrorCode::TooManyJoins);
            }
        }
        self.take(&mut state, Input::Join { conn, join });
        Ok(())
    }

    fn take(&self, state: &mut Connections, input: Input<'_>) {
        state.handle(self.started.elapsed(), input);
        let wake_at = state.hub.wake_at();
        if wake_at.is_some_and(|at| state.alarm.is_none_or(|alarm| at < alarm)) {
            state.alarm = wake_at;
            self.sooner.notify_one();
        }
    }

    fn disconnect(&self, conn: ConnId, clean: bool) {
        let mut state = self.lock();
        state.outboxes.remove(&conn);
        self.take(&mut state, Input::Disconnected { conn, clean });
    }

    fn count_refusal(&self, code: ErrorCode) {
        *self.lock().turned_away.entry(code).or_default() += 1;
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The task that wakes the hub waits for this, or for a time that may be far away.
        self.sooner.notify_one();
    }
}

/// Wakes the hub when it wants to be woken, until there is none.
async fn keep_waking(shared: Weak<Shared>, sooner: Arc<Notify>) {
    loop {
        let at = {
            let Some(shared) = shared.upgrade() else { return };
            let mut state = shared.lock();
            state.alarm = state.hub.wake_at();
            state.alarm.map(|at| shared.started + at)
        };
        let woken = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = woken => {
                let Some(shared) = shared.upgrade() else { return };
                shared.handle(Input::Woken);
            }
            () = sooner.notified() => {}
        }
    }
}

impl Connections {
    /// Has the hub take in something, and does what it says: puts frames into outboxes.
    fn handle(&mut self, now: Duration, input: Input<'_>) {
        self.hub.handle(now, input);
        let mut refused = self.deliver();
        // Closing a slow reader notifies others, whose outboxes may overflow in turn. A dropped signal causes one frame
        // to its sender, and no more signals.
        while let Some(input) = refused.pop() {
            self.hub.handle(now, input);
            refused.extend(self.deliver());
        }
    }

    /// Empties the hub's outputs into the outboxes. Returns the inputs that report full ones.
    fn deliver(&mut self) -> Vec<Input<'static>> {
        let mut refused = Vec::new();
        while let Some(output) = self.hub.poll() {
            match output {
                Output::Send { conn, frame, from } => {
                    let bytes = frame.len() as u64;
                    match (self.outboxes.get(&conn).map(|outbox| outbox.push(frame, from)), from) {
                        (Some(Pushed::Dropped), Some(sender)) => {
                            refused.push(Input::Congested { conn: sender, receiver: conn });
                            continue;
                        }
                        (Some(Pushed::Overflown), _) => {
                            refused.push(Input::Refuse { conn, code: ErrorCode::SlowReader });
                        }
                        _ => {}
                    }
                    self.sent.frames += 1;
                    self.sent.bytes += bytes;
                }
                Output::Close { conn, code, reason } => {
                    if let Some(outbox) = self.outboxes.remove(&conn) {
                        outbox.close((code, reason));
                    }
                }
            }
        }
        refused
    }
}
