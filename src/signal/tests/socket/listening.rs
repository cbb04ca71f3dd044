//! The accept loop: connections that do nothing, TLS, and the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use converge_signal::protocol::{ErrorCode, ServerMessage};
use converge_signal::server::listen::{self, Listen};
use converge_signal::server::{Signalling, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use futures_util::stream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::{Got, HOUR, PATIENCE, Tab, h2, prompt, sent};

/// Deadlines that don't pass within a test.
fn patient() -> Listen {
    let headers_within = HOUR;
    Listen { first_byte_within: HOUR, headers_within, handshake_within: HOUR, send_within: HOUR, ..Listen::default() }
}

struct Running {
    addr: SocketAddr,
    signalling: Signalling,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

async fn start(listen: Listen) -> Running {
    start_with(listen, Router::new()).await
}

async fn start_with(listen: Listen, routes: Router) -> Running {
    let mut settings = prompt();
    let limits = &mut settings.hub.limits;
    limits.max_connections_per_ip = 2;
    (limits.byte_burst, limits.bytes_per_second) = (65_536, 1);
    let signalling = Signalling::new(settings).unwrap();
    let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let app = signalling.router().merge(routes);
    let served = tokio::spawn(listen::serve(listener, app, listen, async {
        let _ = stopped.await;
    }));
    Running { addr, signalling, stop, served }
}

/// Reads until the other side closes; what it said.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection may also end with a reset.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it is kept for ever");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn who_sends_nothing_or_half_a_head_is_let_go() {
    let short = Duration::from_millis(500);
    let server = start(Listen { first_byte_within: short, headers_within: short, ..patient() }).await;
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    assert_eq!(answer(&mut silent).await, "");
    let mut slow = sent(server.addr, b"GET /signal HTTP/1.1\r\nhost: x\r\nx-slow: ");
    let said = answer(&mut slow).await;
    assert!(said.is_empty() || said.contains("408"), "{said}");
    // Others are served, and a socket is not held to the time that a head may take: that has passed when a connection
    // that came later has ended.
    let mut tab = Tab::connect_at_once(server.addr, 1).await;
    let mut idle = TcpStream::connect(server.addr).await.unwrap();
    answer(&mut idle).await;
    tab.hello("room", 1).await;
    tab.welcome().await;
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = start(patient()).await;
    let mut greedy = TcpStream::connect(server.addr).await.unwrap();
    let _ = greedy.write_all(format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}", "x".repeat(100_000)).as_bytes()).await;
    assert!(answer(&mut greedy).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn so_many_connections_are_taken_from_one_address() {
    let server = start(Listen { max_connections_per_ip: 3, ..patient() }).await;
    let mut first = Tab::connect(server.addr, 1).await;
    let _second = Tab::connect(server.addr, 2).await;
    // The signalling route says why; the listener itself has no words for it.
    let mut third = Tab::knock(server.addr, "127.0.0.1").await;
    assert_eq!(third.error().await, ErrorCode::TooManyConnections);
    assert_eq!(third.closed().await, Some(1013));
    // Once its connection has ended, so has its place at the listener.
    assert_eq!(third.closed().await, None);
    let _held = TcpStream::connect(server.addr).await.unwrap();
    let mut fourth = TcpStream::connect(server.addr).await.unwrap();
    assert_eq!(answer(&mut fourth).await, "");
    let local = TcpSocket::new_v4().unwrap();
    local.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut elsewhere = local.connect(server.addr).await.unwrap();
    elsewhere.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert!(answer(&mut elsewhere).await.starts_with("HTTP/1.0 404"));
    first.hello("room", 1).await;
    first.welcome().await;
}

#[tokio::test]
async fn it_ends_when_told_and_takes_nobody_new() {
    let server = start(patient()).await;
    let mut idle = TcpStream::connect(server.addr).await.unwrap();
    idle.write_all(b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).await.unwrap();
    let mut tab = Tab::connect(server.addr, 1).await;
    server.stop.send(()).unwrap();
    server.served.await.unwrap();
    assert!(TcpStream::connect(server.addr).await.is_err());
    // Sockets are the drain's business.
    tab.hello("room", 1).await;
    tab.welcome().await;
    tokio::join!(server.signalling.drain(PATIENCE), async { while tab.socket_ended().await.is_none() {} });
}

/// Two certificates for `localhost`, each signed by itself.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A connection that speaks one of these protocols.
async fn secure(stream: TcpStream, trusted: &str, protocols: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn greet(addr: SocketAddr, trusted: &str) -> Result<String, std::io::Error> {
    let mut stream = secure(TcpStream::connect(addr).await?, trusted, &[]).await?;
    stream.write_all(b"GET /.well-known/converge HTTP/1.0\r\n\r\n").await?;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A large file. Counts the bytes that the server requested, and the responses in progress.
#[derive(Clone)]
struct Large {
    bytes: Arc<AtomicUsize>,
    begun: Arc<AtomicUsize>,
    sending: Arc<watch::Sender<usize>>,
}

/// A response in progress.
struct Sending(Arc<watch::Sender<usize>>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.send_modify(|sending| *sending -= 1);
    }
}

impl Large {
    const CHUNK: usize = 16 * 1024;

    fn new() -> Self {
        Self { bytes: Arc::default(), begun: Arc::default(), sending: Arc::new(watch::channel(0).0) }
    }

    fn routes(&self) -> Router {
        let large = self.clone();
        Router::new().route(
            "/large",
            get(move || {
                let Self { bytes, begun, sending } = large.clone();
                begun.fetch_add(1, Ordering::Relaxed);
                sending.send_modify(|sending| *sending += 1);
                let one = Sending(sending);
                let chunks = stream::repeat_with(move || {
                    let _ = &one;
                    bytes.fetch_add(Self::CHUNK, Ordering::Relaxed);
                    Ok::<_, std::io::Error>(Bytes::from(vec![0; Self::CHUNK]))
                });
                std::future::ready(Body::from_stream(chunks))
            }),
        )
    }

    /// Waits until this many responses are in progress, or more.
    async fn until_sent_to(&self, number: usize) {
        let mut sending = self.sending.subscribe();
        tokio::time::timeout(PATIENCE, sending.wait_for(|sending| *sending >= number)).await.unwrap().unwrap();
    }

    /// Waits until no response is in progress.
    async fn until_ended(&self) {
        let mut sending = self.sending.subscribe();
        tokio::time::timeout(PATIENCE, sending.wait_for(|sending| *sending == 0)).await.expect("it goes on").unwrap();
    }
}

/// A connection with a small receive buffer in the kernel.
async fn deaf(addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(addr).await.unwrap()
}

/// Reads until the response on a stream begins. Returns its status if HPACK has a number for it.
async fn status(stream: u32, client: &mut TlsStream<TcpStream>) -> Option<u16> {
    tokio::time::timeout(PATIENCE, response(stream, client)).await.expect("the server says nothing").unwrap()
}

async fn response(stream: u32, client: &mut TlsStream<TcpStream>) -> std::io::Result<Option<u16>> {
    loop {
        let mut head = [0; 9];
        client.read_exact(&mut head).await?;
        let [a, b, c, kind, _, number @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        client.read_exact(&mut payload).await?;
        if kind == h2::HEADERS && u32::from_be_bytes(number) == stream {
            let statuses = [200, 204, 206, 304, 400, 404, 500];
            return Ok(payload.first().and_then(|byte| statuses.get(usize::from(byte.checked_sub(0x88)?)).copied()));
        }
    }
}

/// A server that speaks HTTP/2, and the certificate to trust.
async fn start_h2(listen: Listen, routes: Router) -> (Running, String) {
    let (cert, key) = certificate();
    let dir = std::env::temp_dir().join(format!("converge-h2-{}-{:p}", std::process::id(), &listen));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("cert.pem"), &cert).unwrap();
    std::fs::write(dir.join("key.pem"), key).unwrap();
    let tls = Some(Arc::new(Tls::load(dir.join("cert.pem"), dir.join("key.pem")).unwrap()));
    std::fs::remove_dir_all(&dir).unwrap();
    (start_with(Listen { tls, ..listen }, routes).await, cert)
}

#[tokio::test]
async fn a_client_that_does_not_read_its_response_is_cut_off() {
    let large = Large::new();
    let server = start_with(Listen { send_within: Duration::from_millis(500), ..patient() }, large.routes()).await;
    let mut client = deaf(server.addr).await;
    client.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    large.until_sent_to(1).await;
    large.until_ended().await;
}

#[tokio::test]
async fn a_client_of_http_2_that_does_not_read_costs_little_memory_and_is_cut_off() {
    let large = Large::new();
    let listen = Listen { send_within: Duration::from_millis(500), ..patient() };
    let (server, cert) = start_h2(listen, large.routes()).await;
    let mut client = secure(deaf(server.addr).await, &cert, &[b"h2"]).await.unwrap();
    client.write_all(&h2::opening(h2::WIDEST)).await.unwrap();
    for request in 0..200 {
        client.write_all(&h2::get(1 + 2 * request, "localhost", "/large")).await.unwrap();
    }
    client.flush().await.unwrap();
    large.until_sent_to(1).await;
    large.until_ended().await;
    // The connection ends as a whole: with only its streams reset, it would go on now that it is read.
    let rest = tokio::time::timeout(PATIENCE, client.read_to_end(&mut Vec::new())).await;
    // A reset may end it too.
    let _ = rest.expect("the connection goes on");
    let (begun, bytes) = (large.begun.load(Ordering::Relaxed), large.bytes.load(Ordering::Relaxed));
    assert!(begun <= 32, "{begun} streams at a time");
    // The kernel takes some megabytes; with hyper's defaults it would be 80.
    assert!(bytes < 16 << 20, "{bytes} bytes wait for a reader");
}

#[tokio::test]
async fn a_stream_that_is_given_no_window_is_reset() {
    let large = Large::new();
    let listen = Listen { send_within: Duration::from_millis(200), ..patient() };
    let (server, cert) = start_h2(listen, large.routes()).await;
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let mut client = secure(stream, &cert, &[b"h2"]).await.unwrap();
    client.write_all(&[h2::opening(0), h2::get(1, "localhost", "/large")].concat()).await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(status(1, &mut client).await, Some(200));
    large.until_ended().await;
    // The connection goes on.
    client.write_all(&h2::get(3, "localhost", "/nowhere")).await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(status(3, &mut client).await, Some(404));
}

#[tokio::test]
async fn requests_in_progress_are_limited_per_address() {
    let waiting = Router::new().route("/wait", get(std::future::pending::<String>));
    let (server, cert) = start_h2(Listen { max_connections_per_ip: 3, ..patient() }, waiting).await;
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let mut client = secure(stream, &cert, &[b"h2"]).await.unwrap();
    client.write_all(&h2::opening(h2::WIDEST)).await.unwrap();
    for stream in [1, 3, 5, 7] {
        client.write_all(&h2::get(stream, "localhost", "/wait")).await.unwrap();
    }
    client.flush().await.unwrap();
    // 429 has no number in HPACK.
    assert_eq!(status(7, &mut client).await, None);
}

#[tokio::test]
async fn an_idle_connection_is_evicted_for_another() {
    let server = start(Listen { max_connections: 2, ..patient() }).await;
    let mut member = Tab::connect(server.addr, 1).await;
    let mut idle = TcpStream::connect(server.addr).await.unwrap();
    let mut newcomer = TcpStream::connect(server.addr).await.unwrap();
    newcomer.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert!(answer(&mut newcomer).await.starts_with("HTTP/1.0 404"));
    assert_eq!(answer(&mut idle).await, "");
    member.hello("room", 1).await;
    member.welcome().await;
}

#[tokio::test]
async fn frames_of_a_message_without_end_count_however_empty_they_are() {
    let server = start(patient()).await;
    let mut mallory = Tab::connect(server.addr, 66).await;
    let frame = |opcode, text: &'static str| Message::Frame(Frame::message(text, OpCode::Data(opcode), false));
    mallory.message(frame(Data::Text, "{")).await;
    // Each has six bytes. Bounded: the limit is some 11,000.
    for _ in 0..40_000 {
        if server.signalling.counts().connections == 0 {
            break;
        }
        mallory.message(frame(Data::Continue, "")).await;
    }
    // Unread bytes can reset the connection before the error is read.
    match mallory.next().await {
        Got::Frame(ServerMessage::Error { code, .. }) => assert_eq!(code, ErrorCode::RateLimited),
        Got::Closed(_) => {}
        Got::Frame(other) => panic!("{other:?}"),
    }
    assert_eq!(server.signalling.counts().connections, 0);
}

#[tokio::test]
async fn it_speaks_tls_and_takes_a_new_certificate_without_a_restart() {
    let dir = std::env::temp_dir().join(format!("converge-tls-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let (old, new) = (certificate(), certificate());
    std::fs::write(&cert, &old.0).unwrap();
    std::fs::write(&key, &old.1).unwrap();
    let tls = Arc::new(Tls::load(&cert, &key).unwrap());
    // The server reloads its own by itself too, every few seconds: whether the files have changed, only one that it
    // doesn't have can say for certain.
    let unserved = Tls::load(&cert, &key).unwrap();
    let server = start(Listen { tls: Some(tls.clone()), ..patient() }).await;
    assert!(greet(server.addr, &old.0).await.unwrap().contains("\"versions\":[1]"));
    assert!(!unserved.reload().unwrap(), "nothing has changed");

    // Half of a change: the certificate is new, the key not yet.
    std::fs::write(&cert, &new.0).unwrap();
    assert!(tls.reload().is_err());
    assert!(greet(server.addr, &old.0).await.is_ok(), "the old one stays in use");
    std::fs::write(&key, &new.1).unwrap();
    assert!(unserved.reload().unwrap());
    tls.reload().unwrap();
    assert!(greet(server.addr, &new.0).await.unwrap().contains("\"versions\":[1]"));
    assert!(greet(server.addr, &old.0).await.is_err());

    std::fs::write(&cert, "no certificate").unwrap();
    let error = Tls::load(&cert, &key).err().unwrap().to_string();
    assert!(error.contains("cert.pem has no certificate in PEM form"), "{error}");
    std::fs::remove_dir_all(&dir).unwrap();
    let error = Tls::load(&cert, &key).err().unwrap().to_string();
    assert!(error.contains("can't read"), "{error}");
}
