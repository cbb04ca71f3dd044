//! One socket: reads frames into the hub, writes what its outbox holds, pings, and ends in bounded time.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::Shared;
use super::address::Source;
use super::auth::JoinRequest;
use super::limiter::{Place, Rates};
use super::outbox::{Batch, Close, Outbox};
use super::slots::Held;
use crate::hub::{self, ConnId, Frame, Input, Occupancy, Session};
use crate::ids::Nonce;
use crate::protocol::{ErrorCode, Hello};

/// How long a closing socket may take to answer the close frame.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// This many bytes may take the whole of `write_within`: as many as the largest frame has.
const WRITTEN_AT_ONCE: usize = 64 * 1024;

/// What is known of a socket before it has said anything.
pub(super) struct Arrival {
    pub(super) nonce: Nonce,
    pub(super) origin: String,
    /// None where the application doesn't tell its router who connects.
    pub(super) source: Option<Source>,
    /// Its place among all sockets; none if there was none left.
    pub(super) place: Option<Place>,
    /// Whether the page it comes from may use this server.
    pub(super) allowed: bool,
    /// Its place among the listener's sockets, where that counts them.
    pub(super) held: Option<Held>,
}

/// A socket that the hub knows. Ends with its task, whatever ends that.
struct Connection {
    socket: WebSocket,
    known: Known,
}

/// What belongs to a socket beside the socket.
struct Known {
    shared: Arc<Shared>,
    conn: ConnId,
    outbox: Arc<Outbox>,
    session: Session,
    rates: Rates,
    source: Option<Source>,
    /// Its connection at the listener, if any, and how many of the bytes read from it were counted.
    held: Option<Held>,
    counted: u64,
    _place: Place,
    /// It has said a hello that was good, so there is no more waiting for one.
    joined: bool,
    /// The other side has closed it in order.
    clean: bool,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.shared.disconnect(self.conn, self.clean);
        tracing::debug!(conn = self.conn, clean = self.clean, "disconnected");
    }
}

/// What the socket's task has to do next.
enum Event {
    Read(Option<Result<Message, axum::Error>>),
    /// More bytes than allowed arrived, without a message.
    Flood,
    Write(Batch),
    Time,
}

/// Serves a socket to its end.
///
/// What is idle most of its time had better be small: everything is moved into place here, before the future is made,
/// because a future keeps what it was given beside what it has moved that to. For the same reason nothing may be wrapped
/// around this future that awaits it.
pub(super) fn serve(mut socket: WebSocket, shared: Arc<Shared>, arrival: Arrival) -> impl Future<Output = ()> + Send {
    let Arrival { nonce, origin, source, place, allowed, held } = arrival;
    let refusal = if allowed { ErrorCode::TooManyConnections } else { ErrorCode::Origin };
    let mut served = match place.filter(|_| allowed) {
        None => Err(Box::pin(async move {
            let _held = held;
            turn_away(&mut socket, &shared, refusal, source).await;
        })),
        Some(place) => {
            let (conn, outbox) = shared.connect(nonce);
            tracing::debug!(conn, source = source.map(tracing::field::display), "connected");
            let session = Session::new(nonce, &origin, shared.settings.hub.limits.max_frame_bytes);
            let rates = shared.limiter.rates();
            let (joined, clean) = (false, false);
            let counted = held.as_ref().map_or(0, Held::read);
            let known =
                Known { shared, conn, outbox, session, rates, source, held, counted, _place: place, joined, clean };
            Ok(Connection { socket, known })
        }
    };
    async move {
        match &mut served {
            Ok(connection) => connection.run().await,
            Err(turning_away) => turning_away.await,
        }
    }
}

/// Says why a socket is not wanted, without troubling the hub with it.
async fn turn_away(socket: &mut WebSocket, shared: &Shared, code: ErrorCode, source: Option<Source>) {
    tracing::debug!(source = source.map(tracing::field::display), ?code, "turned away");
    shared.count_refusal(code);
    let said = async {
        socket.send(Message::text(hub::error_frame(code))).await?;
        finish(socket, (hub::close_code(code).unwrap_or(1008), hub::explain(code))).await
    };
    let _ = timeout(CLOSE_WITHIN, said).await;
}

impl Connection {
    async fn run(&mut self) {
        let Self { socket, known } = self;
        let shared = known.shared.clone();
        let settings = &shared.settings;
        // Not all at the same moment, after a restart has brought everybody back at once.
        let ping_every = settings.ping_every.mul_f64(0.9 + 0.1 * (known.conn % 16) as f64 / 16.0);
        let mut heard = Instant::now();
        let mut pinged = false;
        let mut reading = true;
        let hello_within = Duration::from_millis(settings.hub.limits.hello_within_ms.into());
        let mut alarm = pin!(sleep_until(heard + hello_within));
        loop {
            match known.next(socket, alarm.as_mut(), reading).await {
                Event::Read(message) => {
                    heard = Instant::now();
                    pinged = false;
                    match message {
                        Some(Ok(Message::Text(text))) => known.text(text.as_str()).await,
                        Some(Ok(Message::Binary(_))) => known.refuse(ErrorCode::NotText),
                        // What is no message counts too: pings are answered, and so not for nothing.
                        Some(Ok(Message::Ping(bytes) | Message::Pong(bytes))) => {
                            if !known.allow(bytes.len()) {
                                known.refuse(ErrorCode::RateLimited);
                            }
                        }
                        Some(Ok(Message::Close(frame))) => {
                            known.clean = frame.is_none_or(|frame| matches!(frame.code, 1000 | 1001 | 1005));
                            return;
                        }
                        // tungstenite's capacity error is not told apart by type through axum.
                        Some(Err(error)) if error.to_string().contains("too long") => {
                            known.refuse(ErrorCode::TooLarge);
                            // Nothing more can be read, but there is still to be said why.
                            reading = false;
                        }
                        Some(Err(_)) | None => return,
                    }
                }
                Event::Flood => {
                    known.refuse(ErrorCode::RateLimited);
                    reading = false;
                }
                Event::Write(batch) => {
                    let (frames, close) = match batch {
                        Batch::Frames(frames) => (frames, None),
                        Batch::Close(frames, close) => (frames, Some(close)),
                        Batch::Drop => return,
                    };
                    let within = settings.write_within;
                    // Boxed, as the rare futures below: a socket's task is as large as the largest of them.
                    let written = tokio::select! {
                        biased;
                        written = Box::pin(write(socket, frames, within)) => written,
                        () = poll_fn(|cx| known.outbox.poll_overflow(cx)) => Err(Unwritten::Slow),
                    };
                    match (written, close) {
                        (Ok(()), None) => {}
                        (Ok(()), Some(close)) => {
                            // The socket ends here, whatever the other side does.
                            let _ = Box::pin(timeout(CLOSE_WITHIN, finish(socket, close))).await;
                            return;
                        }
                        (Err(Unwritten::Slow), _) => {
                            // A full outbox has been counted already, and its connection removed.
                            known.refuse(ErrorCode::SlowReader);
                            return;
                        }
                        (Err(Unwritten::Ended), _) => return,
                    }
                }
                // One alarm for all: it is not set anew with each message, but asks how late it is when it goes off.
                Event::Time => {
                    let now = Instant::now();
                    if !known.joined {
                        known.joined = true;
                        known.refuse(ErrorCode::Timeout);
                    }
                    let due = heard + ping_every;
                    if now < due {
                        alarm.as_mut().reset(due);
                    } else if pinged {
                        return;
                    } else {
                        pinged = true;
                        alarm.as_mut().reset(now + settings.pong_within);
                        let ping = socket.send(Message::Ping(Default::default()));
                        if !matches!(Box::pin(timeout(settings.write_within, ping)).await, Ok(Ok(()))) {
                            return;
                        }
                    }
                }
            }
        }
    }
}

impl Known {
    /// Waits for the next thing to do. One future over the whole socket: splitting it would cost a lock per frame.
    async fn next(&mut self, socket: &mut WebSocket, mut alarm: Pin<&mut Sleep>, reading: bool) -> Event {
        poll_fn(|cx: &mut Context<'_>| {
            if reading {
                if let Poll::Ready(message) = socket.poll_next_unpin(cx) {
                    return Poll::Ready(Event::Read(message));
                }
                // A message may come in any number of frames, even empty ones, and none of them is visible here.
                if self.read().is_some_and(|bytes| !self.rates.allow_bytes(bytes)) {
                    return Poll::Ready(Event::Flood);
                }
            }
            if let Poll::Ready(batch) = self.outbox.poll(cx) {
                return Poll::Ready(Event::Write(batch));
            }
            alarm.as_mut().poll(cx).map(|()| Event::Time)
        })
        .await
    }

    /// Returns the bytes read from the connection since the last call, if its listener counts them.
    fn read(&mut self) -> Option<usize> {
        let read = self.held.as_ref()?.read();
        let bytes = read - std::mem::replace(&mut self.counted, read);
        Some(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Whether a message of this many bytes is allowed. Counts all bytes read, frame headers included, if known.
    fn allow(&mut self, bytes: usize) -> bool {
        let bytes = self.read().unwrap_or(bytes);
        self.rates.allow(bytes)
    }

    async fn text(&mut self, text: &str) {
        if !self.allow(text.len()) {
            return self.refuse(ErrorCode::RateLimited);
        }
        let conn = self.conn;
        match self.session.read(text) {
            Ok(Frame::Signal { to, data }) => self.shared.handle(Input::Signal { conn, to, data }),
            Ok(Frame::Hello(hello)) => {
                // In a box, which is there for this one time, and not in every socket's task.
                if let Err(code) = Box::pin(self.hello(*hello)).await {
                    self.refuse(code);
                }
            }
            Ok(Frame::Leave {}) => self.shared.handle(Input::Leave { conn }),
            Ok(Frame::Ping {}) => self.shared.handle(Input::Ping { conn }),
            Err(code) => self.refuse(code),
        }
    }

    async fn hello(&mut self, hello: Hello) -> Result<(), ErrorCode> {
        if self.joined {
            return Err(ErrorCode::AlreadyJoined);
        }
        let Shared { limiter, settings, started, .. } = &*self.shared;
        // Each budget comes before the work it pays for: the proof takes most of a join's time.
        let mut newcomer_from = self.source;
        if let Some(source) = &self.source {
            let has_seat = self.shared.occupancy(&hello.topic, &hello.id) == Occupancy::Returning;
            if has_seat && limiter.allow_return(source, &hello.id) {
                newcomer_from = None;
            } else if !limiter.allow_join_from(source) || !limiter.allow_newcomer(started.elapsed(), source, false) {
                return Err(ErrorCode::TooManyJoins);
            }
        }
        let returns = self.source.is_some() && newcomer_from.is_none();
        let count = |topic| match returns || limiter.allow_join_of(topic, self.source) {
            true => Ok(()),
            false => Err(ErrorCode::TooManyJoins),
        };
        let (topic, id, origin) = (hello.topic, hello.id, self.session.origin().to_owned());
        let request = JoinRequest { topic, id, origin, token: hello.token.clone() };
        let denied = |_| ErrorCode::Denied;
        let (join, grant) = match settings.auth.decide(&request) {
            Some(decision) => {
                let grant = decision.map_err(denied)?;
                count(&topic)?;
                (self.session.prove(&hello)?, grant)
            }
            None => {
                let join = self.session.prove(&hello)?;
                let within = Duration::from_millis(settings.hub.limits.hello_within_ms.into());
                let decision = timeout(within, settings.auth.authorize(request)).await;
                let grant = decision.map_err(|_| ErrorCode::Timeout)?.map_err(denied)?;
                count(&topic)?;
                (join, grant)
            }
        };
        self.joined = true;
        let join = join.allow_relay(grant.relay);
        self.shared.join(self.conn, join, newcomer_from.filter(|_| !settings.auth.vouches()))
    }

    fn refuse(&self, code: ErrorCode) {
        self.shared.handle(Input::Refuse { conn: self.conn, code });
    }
}

/// Why frames were not written.
enum Unwritten {
    /// The other side takes them too slowly.
    Slow,
    /// The socket has ended.
    Ended,
}

/// Writes many frames with one flush, because system calls would cost more than everything else. Each
/// [`WRITTEN_AT_ONCE`] bytes may take `within`: a reader has time however much others send to it.
async fn write(socket: &mut WebSocket, mut frames: VecDeque<Arc<str>>, within: Duration) -> Result<(), Unwritten> {
    while !frames.is_empty() {
        match timeout(within, write_some(socket, &mut frames)).await {
            Ok(written) => written.map_err(|_| Unwritten::Ended)?,
            Err(_) => return Err(Unwritten::Slow),
        }
    }
    Ok(())
}

async fn write_some(socket: &mut WebSocket, frames: &mut VecDeque<Arc<str>>) -> Result<(), axum::Error> {
    let mut bytes = 0;
    while bytes < WRITTEN_AT_ONCE
        && let Some(frame) = frames.pop_front()
    {
        bytes += frame.len();
        socket.feed(Message::Text(Utf8Bytes::from(&*frame))).await?;
    }
    if frames.is_empty() { socket.flush().await } else { Ok(()) }
}

async fn finish(socket: &mut WebSocket, (code, reason): Close) -> Result<(), axum::Error> {
    socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
    // Read on until the other side has closed too, else what it still sends resets the connection under our answer.
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}
