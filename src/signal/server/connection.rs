//! One socket: reads frames into the hub, writes what its outbox holds, pings, and ends in bounded time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::Shared;
use crate::hub::{ConnId, Input};
use crate::ids::Nonce;
use crate::protocol::ErrorCode;

/// How long a closing socket may take to answer the close frame.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// What waits to be written to one socket, bounded in bytes.
pub(super) struct Outbox {
    state: Mutex<Waiting>,
    wake: Notify,
    limit: usize,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<Arc<str>>,
    bytes: usize,
    close: Option<(u16, &'static str)>,
    overflown: bool,
}

/// What to write next.
enum Batch {
    Frames(VecDeque<Arc<str>>),
    Close(VecDeque<Arc<str>>, u16, &'static str),
    /// The other side does not read: there is no use in writing more.
    Drop,
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), wake: Notify::new(), limit }
    }

    /// False if that is too much: the connection is beyond help.
    pub(super) fn push(&self, frame: Arc<str>) -> bool {
        let mut waiting = self.lock();
        if waiting.bytes + frame.len() > self.limit {
            waiting.overflown = true;
        } else {
            waiting.bytes += frame.len();
            waiting.frames.push_back(frame);
        }
        let fits = !waiting.overflown;
        drop(waiting);
        self.wake.notify_one();
        fits
    }

    pub(super) fn close(&self, code: u16, reason: &'static str) {
        self.lock().close = Some((code, reason));
        self.wake.notify_one();
    }

    async fn next(&self) -> Batch {
        loop {
            {
                let mut waiting = self.lock();
                if waiting.overflown {
                    return Batch::Drop;
                }
                let frames = std::mem::take(&mut waiting.frames);
                // What was taken no longer counts: it is written at once, and that has a time limit of its own.
                waiting.bytes = 0;
                if let Some((code, reason)) = waiting.close {
                    return Batch::Close(frames, code, reason);
                }
                if !frames.is_empty() {
                    return Batch::Frames(frames);
                }
            }
            self.wake.notified().await;
        }
    }

    /// Resolves when the outbox has overflown.
    async fn overflow(&self) {
        while !self.lock().overflown {
            self.wake.notified().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's registration with the hub; ends with its task, whatever ends that.
struct Registration {
    shared: Arc<Shared>,
    conn: ConnId,
    clean: bool,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.shared.disconnect(self.conn, self.clean);
        tracing::debug!(conn = self.conn, clean = self.clean, "disconnected");
    }
}

pub(super) async fn serve(socket: WebSocket, shared: Arc<Shared>, nonce: Nonce, origin: String) {
    let (mut sink, mut stream) = socket.split();
    let (conn, outbox) = shared.connect(nonce, &origin);
    drop(origin);
    tracing::debug!(conn, "connected");
    let mut registration = Registration { shared: shared.clone(), conn, clean: false };
    let settings = &shared.settings;
    // Not all at the same moment, after a restart has brought everybody back at once.
    let ping_every = settings.ping_every.mul_f64(0.9 + 0.1 * (conn % 16) as f64 / 16.0);
    let hello_by = Instant::now() + settings.hello_within;
    let mut joined = false;
    let mut reading = true;
    let mut pinged = false;
    let mut quiet_until = Instant::now() + ping_every;
    loop {
        tokio::select! {
            message = stream.next(), if reading => {
                pinged = false;
                quiet_until = Instant::now() + ping_every;
                match message {
                    Some(Ok(Message::Text(text))) => {
                        shared.handle(Input::Frame { conn, text: text.as_str() });
                        // Whether that was a hello is the hub's business; one that is none ends the connection.
                        joined = joined || shared.lock().hub.is_member(conn);
                    }
                    Some(Ok(Message::Binary(_))) => shared.handle(Input::Violation { conn, code: ErrorCode::NotText }),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(frame))) => {
                        registration.clean = frame.is_none_or(|frame| matches!(frame.code, 1000 | 1001 | 1005));
                        return;
                    }
                    // tungstenite's capacity error is not told apart by type through axum.
                    Some(Err(error)) if error.to_string().contains("too long") => {
                        shared.handle(Input::Violation { conn, code: ErrorCode::TooLarge });
                        // Nothing more can be read, but there is still to be said why.
                        reading = false;
                    }
                    Some(Err(_)) | None => return,
                }
            }
            batch = outbox.next() => {
                let (frames, close) = match batch {
                    Batch::Frames(frames) => (frames, None),
                    Batch::Close(frames, code, reason) => (frames, Some((code, reason))),
                    Batch::Drop => return,
                };
                let written = tokio::select! {
                    written = timeout(settings.write_within, write(&mut sink, frames)) => matches!(written, Ok(Ok(()))),
                    () = outbox.overflow() => false,
                };
                if let Some((code, reason)) = close {
                    if written {
                        // However the other side takes it, the socket ends here.
                        let _ = timeout(CLOSE_WITHIN, finish(&mut sink, &mut stream, code, reason)).await;
                    }
                    return;
                }
                if !written {
                    return;
                }
            }
            () = sleep_until(hello_by), if !joined => {
                joined = true;
                shared.handle(Input::Violation { conn, code: ErrorCode::Timeout });
            }
            () = sleep_until(quiet_until) => {
                if pinged {
                    return;
                }
                pinged = true;
                quiet_until = Instant::now() + settings.pong_within;
                let ping = sink.send(Message::Ping(Default::default()));
                if !matches!(timeout(settings.write_within, ping).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
}

/// Writes many frames with one flush: a system call each would cost more than everything else together.
async fn write(sink: &mut SplitSink<WebSocket, Message>, frames: VecDeque<Arc<str>>) -> Result<(), axum::Error> {
    for frame in frames {
        sink.feed(Message::Text(Utf8Bytes::from(&*frame))).await?;
    }
    sink.flush().await
}

async fn finish(
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    code: u16,
    reason: &'static str,
) -> Result<(), axum::Error> {
    sink.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
    // Read on until the other side has closed too, else what it still sends resets the connection under our answer.
    while let Some(Ok(_)) = stream.next().await {}
    Ok(())
}
