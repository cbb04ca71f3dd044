//! A client of either server: connects, proves who it is, leaves.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fmt, io};

use converge_signal::protocol::{
    ClientMessage, ErrorCode, Hello, PATH, ServerMessage, VERSION, blind_topic, hello_bytes,
};
use converge_signal::{Nonce, PeerId, Signature, TopicHash};
use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use thiserror::Error;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::{InvalidHeaderValue, ORIGIN};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// No step of a connection takes this long, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections from one address: half of what the product allows.
const PER_ADDRESS: usize = 64;

/// Then it starts from the first again. That many times `PER_ADDRESS` are more than there are descriptors for.
const ADDRESSES: usize = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Product,
    Rig,
}

/// A server to connect to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) addr: SocketAddr,
}

#[derive(Debug, Error)]
pub(crate) enum ClientError {
    #[error("refused: {0:?}")]
    Refused(ErrorCode),
    #[error("the socket has ended")]
    Ended,
    #[error("unexpected: {0}")]
    Unexpected(String),
    #[error("the server says nothing")]
    Silence(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Socket(#[from] tungstenite::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Origin(#[from] InvalidHeaderValue),
}

/// Source addresses for connections, a new one for every few: a machine has too few ports to have many thousand
/// connections from one address, and servers limit what one address may do.
#[derive(Debug, Default)]
pub(crate) struct Sources(AtomicUsize);

impl Sources {
    pub(crate) fn next(&self) -> Ipv4Addr {
        Self::nth(self.0.fetch_add(1, Ordering::Relaxed) / PER_ADDRESS % ADDRESSES)
    }

    fn nth(n: usize) -> Ipv4Addr {
        let [high, low] = [n / 250, n % 250 + 1].map(|n| u8::try_from(n).unwrap_or_default());
        Ipv4Addr::new(127, 0, high + 1, low)
    }
}

/// Somebody with a key.
pub(crate) struct Peer {
    key: SigningKey,
    pub(crate) id: PeerId,
}

impl Peer {
    /// Another one for each number.
    pub(crate) fn new(number: u64) -> Self {
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&number.to_be_bytes());
        let key = SigningKey::from_bytes(&secret);
        let id = PeerId::from_bytes(key.verifying_key().to_bytes());
        Self { key, id }
    }

    pub(crate) fn hello(&self, nonce: &Nonce, origin: &str, topic: TopicHash) -> Hello {
        let incarnation = 1;
        let sig = self.key.sign(&hello_bytes(nonce, origin, &topic, incarnation));
        let sig = Signature::from_bytes(sig.to_bytes());
        Hello { v: VERSION, topic, id: self.id, incarnation, sig, token: None }
    }
}

/// A socket that has been sent its nonce.
pub(crate) struct Opened {
    pub(crate) socket: Socket,
    nonce: Nonce,
    origin: String,
    kind: Kind,
}

#[derive(Deserialize)]
struct RigChallenge {
    nonce: Nonce,
}

impl Target {
    pub(crate) async fn open(self, source: Ipv4Addr) -> Result<Opened, ClientError> {
        self.open_on(socket_from(source)?).await
    }

    /// As a browser does that has loaded a page from the same server.
    pub(crate) async fn open_on(self, socket: TcpSocket) -> Result<Opened, ClientError> {
        let Self { kind, addr } = self;
        let origin = format!("http://{addr}");
        let opened = async {
            let stream = socket.connect(addr).await?;
            stream.set_nodelay(true)?;
            let mut request = format!("ws://{addr}{PATH}").into_client_request()?;
            request.headers_mut().insert(ORIGIN, origin.parse()?);
            // Enough for what comes at once; tungstenite's default of 128 KiB each is more than there is memory for.
            let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(4096);
            let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await?;
            let text = next_text(&mut socket).await?;
            let nonce = match kind {
                Kind::Rig => serde_json::from_str::<RigChallenge>(&text)?.nonce,
                Kind::Product => match serde_json::from_str(&text)? {
                    ServerMessage::Challenge { nonce, .. } => nonce,
                    ServerMessage::Error { code, .. } => return Err(ClientError::Refused(code)),
                    _ => return Err(ClientError::Unexpected(text.to_string())),
                },
            };
            Ok((socket, nonce))
        };
        let (socket, nonce) = timeout(PATIENCE, opened).await??;
        Ok(Opened { socket, nonce, origin, kind })
    }

    pub(crate) async fn join(self, peer: &Peer, topic: TopicHash, source: Ipv4Addr) -> Result<Socket, ClientError> {
        self.open(source).await?.join(peer, topic).await
    }

    /// A frame that asks this server to carry `data`, which is JSON, to a peer.
    pub(crate) fn signal(self, to: PeerId, data: impl fmt::Display) -> String {
        match self.kind {
            Kind::Product => format!(r#"{{"signal":{{"to":"{to}","data":{data}}}}}"#),
            Kind::Rig => format!(r#"{{"to":"{to}","data":{data}}}"#),
        }
    }

    /// Whether a text frame is one that was carried. After the hello, a rig sends nothing else.
    pub(crate) fn is_signal(self, text: &str) -> bool {
        self.kind == Kind::Rig || text.starts_with(r#"{"signal""#)
    }
}

impl Opened {
    pub(crate) async fn join(self, peer: &Peer, topic: TopicHash) -> Result<Socket, ClientError> {
        self.join_with(peer, topic, None).await
    }

    /// Joins with a token, or without.
    pub(crate) async fn join_with(
        mut self,
        peer: &Peer,
        topic: TopicHash,
        token: Option<String>,
    ) -> Result<Socket, ClientError> {
        let welcome = async {
            self.say_hello_with(peer, topic, token).await?;
            next_text(&mut self.socket).await
        };
        let text = timeout(PATIENCE, welcome).await??;
        let expected = match self.kind {
            Kind::Product => r#"{"welcome""#,
            Kind::Rig => r#"{"ok""#,
        };
        if text.starts_with(expected) {
            return Ok(self.socket);
        }
        match serde_json::from_str(&text) {
            Ok(ServerMessage::Error { code, .. }) => Err(ClientError::Refused(code)),
            _ => Err(ClientError::Unexpected(text.to_string())),
        }
    }

    pub(crate) async fn say_hello(&mut self, peer: &Peer, topic: TopicHash) -> Result<(), ClientError> {
        self.say_hello_with(peer, topic, None).await
    }

    async fn say_hello_with(
        &mut self,
        peer: &Peer,
        topic: TopicHash,
        token: Option<String>,
    ) -> Result<(), ClientError> {
        let hello = Hello { token, ..peer.hello(&self.nonce, &self.origin, topic) };
        let hello = ClientMessage::Hello(hello);
        Ok(self.socket.send(Message::text(serde_json::to_string(&hello)?)).await?)
    }
}

/// Binds a socket to an address of this machine.
pub(crate) fn socket_from(source: Ipv4Addr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    Ok(socket)
}

/// Ticks at a steady pace, without bursts to catch up.
pub(crate) fn steady(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Closes in order, which is a goodbye, and waits until the other side has closed too.
pub(crate) async fn close(mut socket: Socket) -> Result<(), ClientError> {
    let closed = async {
        socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() })).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok(())
    };
    timeout(PATIENCE, closed).await?
}

pub(crate) async fn next_text(socket: &mut Socket) -> Result<Utf8Bytes, ClientError> {
    loop {
        match socket.next().await.transpose()? {
            Some(Message::Text(text)) => return Ok(text),
            Some(Message::Ping(_) | Message::Pong(_)) => {}
            Some(_) | None => return Err(ClientError::Ended),
        }
    }
}

pub(crate) fn topic(name: &str, number: u64) -> TopicHash {
    blind_topic(&format!("{name} {number}"))
}
