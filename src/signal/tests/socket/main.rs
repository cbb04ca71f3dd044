//! The server over real sockets on a free port.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod admission;
mod endings;
#[path = "../../examples/load/h2.rs"]
mod h2;
mod hostile;
mod life;
mod limits;
mod listening;
mod membership;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use converge_signal::protocol::{
    ClientMessage, ErrorCode, Hello, Member, ServerMessage, VERSION, Welcome, blind_topic, hello_bytes,
};
use converge_signal::server::{Origins, Settings, Signalling};
use converge_signal::{Incarnation, Nonce, PeerId, Signature};
use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use serde_json::value::RawValue;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

const ORIGIN: &str = "https://page.example";

/// A test that waits this long for an answer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than any test takes, however slow the machine is.
const HOUR: Duration = Duration::from_secs(3600);

/// A server on a free port of the loopback interface; ends with the test's runtime.
struct Server {
    addr: SocketAddr,
    signalling: Signalling,
}

impl Server {
    async fn start(settings: Settings) -> Self {
        let signalling = Signalling::new(settings).unwrap();
        let addr = serve(signalling.router()).await;
        Self { addr, signalling }
    }

    async fn with_defaults() -> Self {
        Self::start(prompt()).await
    }

    /// A socket that has read the challenge.
    async fn connect(&self, secret: u8) -> Tab {
        Tab::connect(self.addr, secret).await
    }

    /// A member of a topic.
    async fn join(&self, secret: u8, topic: &str) -> Tab {
        let mut tab = self.connect(secret).await;
        tab.hello(topic, 1).await;
        tab.welcome().await;
        tab
    }

    /// Waits until all that happened has been taken in.
    async fn until(&self, what: &str, done: impl Fn(&Signalling) -> bool) {
        let polled = async {
            while !done(&self.signalling) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, polled).await.unwrap_or_else(|_| panic!("never: {what}"));
    }
}

/// The defaults, for the page that these tests come from, but no deadline passes by itself. Tests of a deadline move the
/// clock with [`pass`], or set a short one that nothing else in the test has to meet.
fn settings() -> Settings {
    let mut settings = Settings {
        origins: Origins::and([ORIGIN]).unwrap(),
        ping_every: 24 * HOUR,
        pong_within: HOUR,
        write_within: HOUR,
        ..Settings::default()
    };
    settings.hub.limits.hello_within_ms = 3_600_000;
    settings.hub.grace = HOUR;
    settings
}

/// The same, but who is lost is said to be so at once, and each thing is told by itself.
fn prompt() -> Settings {
    let mut settings = settings();
    let hub = &mut settings.hub;
    (hub.grace, hub.tick, hub.introduce) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    settings
}

/// Moves the clock of the server on by this much at once.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// A connection whose first bytes are there when the server accepts it, however slow the machine is: the only thread of
/// the test does not yield before they are sent.
fn sent(addr: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = std::net::TcpStream::connect(addr).unwrap();
    std::io::Write::write_all(&mut stream, bytes).unwrap();
    stream.set_nonblocking(true).unwrap();
    TcpStream::from_std(stream).unwrap()
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    addr
}

/// What a client does, well behaved or not.
struct Tab {
    key: SigningKey,
    nonce: Nonce,
    socket: WebSocketStream<TcpStream>,
}

/// What a socket got.
#[derive(Debug)]
enum Got {
    Frame(ServerMessage),
    /// The socket was closed, with this code if there was a close frame.
    Closed(Option<u16>),
}

impl Tab {
    async fn connect(addr: SocketAddr, secret: u8) -> Self {
        Self::connect_from(addr, "127.0.0.1", secret).await
    }

    /// A socket from this of the machine's own addresses, which has read the challenge.
    async fn connect_from(addr: SocketAddr, source: &str, secret: u8) -> Self {
        Self::knock(addr, source).await.challenged(secret).await
    }

    /// The same, with a request that is there when the server accepts the connection.
    async fn connect_at_once(addr: SocketAddr, secret: u8) -> Self {
        let lines = [
            "GET /signal HTTP/1.1".to_owned(),
            format!("host: {addr}"),
            format!("origin: {ORIGIN}"),
            "connection: Upgrade".to_owned(),
            "upgrade: websocket".to_owned(),
            "sec-websocket-version: 13".to_owned(),
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==".to_owned(),
        ];
        let mut stream = sent(addr, format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes());
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await.expect("the server says nothing").unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        Self::new(socket).challenged(secret).await
    }

    fn new(socket: WebSocketStream<TcpStream>) -> Self {
        Self { key: SigningKey::from_bytes(&[1; 32]), nonce: Nonce::from_bytes([0; 32]), socket }
    }

    async fn challenged(mut self, secret: u8) -> Self {
        self.key = SigningKey::from_bytes(&[secret; 32]);
        match self.frame().await {
            ServerMessage::Challenge { v: VERSION, nonce, .. } => self.nonce = nonce,
            other => panic!("expected a challenge, got {other:?}"),
        }
        self
    }

    /// A socket that has read nothing yet, for where it is not certain to be let in.
    async fn knock(addr: SocketAddr, source: &str) -> Self {
        Self::open(addr, source, &[("origin", ORIGIN)]).await
    }

    /// The same, through a proxy that says whom it is for.
    async fn forwarded(addr: SocketAddr, client: &str) -> Self {
        Self::open(addr, "127.0.0.1", &[("origin", ORIGIN), ("x-forwarded-for", client)]).await
    }

    async fn open(addr: SocketAddr, source: &str, headers: &[(&'static str, &str)]) -> Self {
        Self::try_open(addr, source, headers).await.unwrap_or_else(|status| panic!("refused with {status}"))
    }

    /// A socket with these headers, or the status of the refusal.
    async fn try_open(addr: SocketAddr, source: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{addr}/signal").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let local = TcpSocket::new_v4().unwrap();
        local.bind(SocketAddr::new(source.parse().unwrap(), 0)).unwrap();
        let stream = local.connect(addr).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self::new(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    fn id(&self) -> PeerId {
        PeerId::from_bytes(self.key.verifying_key().to_bytes())
    }

    /// A hello that is right in every way; hostile tests change it.
    fn signed(&self, topic: &str, incarnation: Incarnation) -> Hello {
        self.signed_for(ORIGIN, topic, incarnation)
    }

    fn signed_for(&self, origin: &str, topic: &str, incarnation: Incarnation) -> Hello {
        let topic = blind_topic(topic);
        let sig = self.key.sign(&hello_bytes(&self.nonce, origin, &topic, incarnation));
        Hello { v: VERSION, topic, id: self.id(), incarnation, sig: Signature::from_bytes(sig.to_bytes()), token: None }
    }

    async fn hello(&mut self, topic: &str, incarnation: Incarnation) {
        let hello = self.signed(topic, incarnation);
        self.say(&ClientMessage::Hello(hello)).await;
    }

    async fn hello_with(&mut self, topic: &str, token: Option<String>) {
        let hello = Hello { token, ..self.signed(topic, 1) };
        self.say(&ClientMessage::Hello(hello)).await;
    }

    async fn signal(&mut self, to: PeerId, data: &str) {
        let data = RawValue::from_string(serde_json::to_string(data).unwrap()).unwrap();
        self.say(&ClientMessage::Signal { to, data }).await;
    }

    async fn say(&mut self, message: &ClientMessage) {
        self.text(&serde_json::to_string(message).unwrap()).await;
    }

    async fn text(&mut self, text: &str) {
        self.message(Message::text(text)).await;
    }

    async fn message(&mut self, message: Message) {
        // A server that has closed already is seen when reading.
        let _ = self.socket.send(message).await;
    }

    async fn next(&mut self) -> Got {
        loop {
            let next = timeout(PATIENCE, self.socket.next()).await.expect("the server says nothing");
            return match next {
                Some(Ok(Message::Text(text))) => Got::Frame(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(frame))) => Got::Closed(frame.map(|frame| frame.code.into())),
                Some(Ok(other)) => panic!("a frame of no kind the protocol has: {other:?}"),
                Some(Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) | Error::Protocol(_)))
                | None => Got::Closed(None),
                Some(Err(error)) => panic!("{error}"),
            };
        }
    }

    async fn frame(&mut self) -> ServerMessage {
        match self.next().await {
            Got::Frame(frame) => frame,
            Got::Closed(code) => panic!("closed with {code:?}"),
        }
    }

    async fn welcome(&mut self) -> Welcome {
        match self.frame().await {
            ServerMessage::Welcome(welcome) => welcome,
            other => panic!("expected a welcome, got {other:?}"),
        }
    }

    async fn joined(&mut self) -> Vec<Member> {
        match self.frame().await {
            ServerMessage::Joined { members } => members,
            other => panic!("expected joined, got {other:?}"),
        }
    }

    async fn error(&mut self) -> ErrorCode {
        match self.frame().await {
            ServerMessage::Error { code, message, .. } => {
                assert!(!message.is_empty(), "{code:?} comes without words");
                code
            }
            other => panic!("expected an error, got {other:?}"),
        }
    }

    /// The end of the socket, if that is what comes next.
    async fn socket_ended(&mut self) -> Option<Option<u16>> {
        match self.next().await {
            Got::Closed(code) => Some(code),
            Got::Frame(_) => None,
        }
    }

    async fn closed(&mut self) -> Option<u16> {
        match self.next().await {
            Got::Closed(code) => code,
            Got::Frame(frame) => panic!("expected a close, got {frame:?}"),
        }
    }

    /// What came over the socket from another member: who sent it, and what.
    async fn signalled(&mut self) -> (PeerId, String) {
        match self.frame().await {
            ServerMessage::Signal { from, data, .. } => (from, data.get().to_owned()),
            other => panic!("expected a signal, got {other:?}"),
        }
    }
}
