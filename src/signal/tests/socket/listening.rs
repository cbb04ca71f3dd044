//! The accept loop: connections that do nothing, TLS, and the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use converge_signal::protocol::ErrorCode;
use converge_signal::server::listen::{self, Listen};
use converge_signal::server::{Signalling, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::{HOUR, PATIENCE, Tab, prompt, sent};

/// Deadlines that don't pass within a test.
fn patient() -> Listen {
    Listen { first_byte_within: HOUR, headers_within: HOUR, handshake_within: HOUR, ..Listen::default() }
}

struct Running {
    addr: SocketAddr,
    signalling: Signalling,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

async fn start(listen: Listen) -> Running {
    let mut settings = prompt();
    settings.hub.limits.max_connections_per_ip = 2;
    let signalling = Signalling::new(settings).unwrap();
    let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let app = signalling.router();
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

async fn greet(addr: SocketAddr, trusted: &str) -> Result<String, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(addr).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(b"GET /.well-known/converge HTTP/1.0\r\n\r\n").await?;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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
