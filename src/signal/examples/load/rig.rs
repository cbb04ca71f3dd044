//! The floor to compare with: what a careful person would write by hand if all there was to do was to check who comes
//! and to carry texts between any two of them. An axum WebSocket server with the product's buffer sizes; no rooms, no
//! limits, no pings, no deadlines.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use converge_signal::Nonce;
use converge_signal::protocol::{ClientMessage, Hello, Limits, PATH, hello_bytes};
use converge_signal::server::Settings;
use ed25519_dalek::{Signature, VerifyingKey};
use futures_util::SinkExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::Result;
use crate::serve::{bind, on_one_worker};

/// How many texts may wait for one socket. Who lets them pile up loses its connection.
const QUEUE: usize = 256;

/// How many are written with one flush.
const BATCH: usize = 64;

#[derive(Default)]
struct Peers(Mutex<HashMap<String, Sender<Utf8Bytes>>>);

impl Peers {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Sender<Utf8Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct Incoming<'a> {
    to: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    from: &'a str,
    data: &'a RawValue,
}

pub(crate) fn run() -> Result<()> {
    on_one_worker(async {
        let app = Router::new().route(PATH, get(upgrade)).with_state(Arc::<Peers>::default());
        // As the product has it: frames are small and each is waited for.
        let listener = bind(0)?.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, app).await?)
    })
}

async fn upgrade(State(peers): State<Arc<Peers>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let limits = Limits::default();
    let frame = limits.max_frame_bytes as usize;
    upgrade
        .read_buffer_size(Settings::default().read_buffer_bytes)
        .write_buffer_size(4096)
        .max_write_buffer_size((limits.max_queued_bytes as usize).max(frame * 2) + 4096)
        .max_message_size(frame * 2)
        .max_frame_size(frame * 2)
        .on_upgrade(async move |socket| {
            // What ends a connection is the client's business.
            let _ = serve(socket, &peers, &origin).await;
        })
}

async fn serve(mut socket: WebSocket, peers: &Peers, origin: &str) -> Result<()> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce)?;
    let nonce = Nonce::from_bytes(nonce);
    socket.send(Message::text(format!(r#"{{"nonce":"{nonce}"}}"#))).await?;
    let Some(Message::Text(text)) = socket.recv().await.transpose()? else { return Ok(()) };
    let ClientMessage::Hello(hello) = serde_json::from_str(&text)? else { return Ok(()) };
    verify(&hello, &nonce, origin)?;
    let id = hello.id.to_string();
    let (sender, queue) = mpsc::channel(QUEUE);
    peers.lock().insert(id.clone(), sender);
    let served = carry(socket, peers, &id, queue).await;
    peers.lock().remove(&id);
    served
}

fn verify(hello: &Hello, nonce: &Nonce, origin: &str) -> Result<()> {
    let bytes = hello_bytes(nonce, origin, &hello.topic, hello.incarnation);
    let key = VerifyingKey::from_bytes(hello.id.as_bytes())?;
    Ok(key.verify_strict(&bytes, &Signature::from_bytes(hello.sig.as_bytes()))?)
}

/// One task reads and writes. A writer with a task of its own, and the socket split in two, was tried: it costs the same
/// or a little more.
async fn carry(mut socket: WebSocket, peers: &Peers, id: &str, mut queue: Receiver<Utf8Bytes>) -> Result<()> {
    socket.send(Message::text(r#"{"ok":{}}"#)).await?;
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            received = socket.recv() => match received.transpose()? {
                Some(Message::Text(text)) => relay(peers, id, &text)?,
                Some(Message::Close(_)) | None => return Ok(()),
                Some(_) => {}
            },
            count = queue.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    return Ok(());
                }
                for text in batch.drain(..) {
                    socket.feed(Message::Text(text)).await?;
                }
                socket.flush().await?;
            }
        }
    }
}

fn relay(peers: &Peers, id: &str, text: &str) -> Result<()> {
    let Incoming { to, data } = serde_json::from_str(text)?;
    let text = Utf8Bytes::from(serde_json::to_string(&Outgoing { from: id, data })?);
    let mut peers = peers.lock();
    if peers.get(to).is_some_and(|peer| peer.try_send(text).is_err()) {
        peers.remove(to);
    }
    Ok(())
}
