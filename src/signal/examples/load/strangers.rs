//! How much strangers can slow the whole server, pages and files included. Starts the product's own program as a
//! process.
//!
//! Visitors load a room's page at a steady pace, each on a connection and from an address of its own: at rest and under
//! attack in turn. An attack may neither have a visitor refused nor make the waits much longer.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::steady;
use crate::process::Server;
use crate::report::{p95, result, samples};
use crate::{Result, h2};

/// A visit that takes longer fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time between visits.
const VISIT_EVERY: Duration = Duration::from_millis(25);

/// The time from an attack's start to its measurement.
const BEGUN: Duration = Duration::from_secs(1);

/// HTTP/2 connections that don't read, and requests for a large file on each.
const DEAF: usize = 8;
const STREAMS: u32 = 200;

/// The time from their requests until the memory that they still cost is measured.
const LEFT_AFTER: Duration = Duration::from_secs(30);

/// Addresses that request pages as fast as they can, and the connections of each.
const HASTY: u8 = 8;
const HASTY_CONNECTIONS: usize = 8;

/// Idle sockets, and the addresses that they come from.
const IDLE: usize = 1250;
const IDLE_ADDRESSES: usize = 10;

/// Descriptors that shells and service managers usually start a program with.
const USUAL_DESCRIPTORS: u32 = 1024;

const MB: f64 = 1024.0;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Strangers {
    /// The product's program, built with its site
    #[arg(long)]
    pub(crate) server: PathBuf,
    /// Visits of each measurement
    #[arg(long, default_value_t = 100)]
    pub(crate) visits: usize,
    /// Measurements of each kind, in turn
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
}

pub(crate) async fn run(strangers: &Strangers) -> Result<()> {
    let Strangers { server: program, visits, rounds } = strangers;
    println!("strangers: {visits} visits in each of {rounds} rounds");
    hold_memory(program).await?;
    let server = Server::program(program, &[], None)?;
    suffer("pages", &server, *visits, *rounds, ask_hastily).await?;
    let server = Server::program(program, &[], Some(USUAL_DESCRIPTORS))?;
    suffer("descriptors", &server, *visits, *rounds, stay_idle).await
}

/// Requests a large file again and again with the widest windows, and reads none of it.
async fn hold_memory(program: &Path) -> Result<()> {
    let certificate = Certificate::new()?;
    let server = Server::program(program, &certificate.arguments(), None)?;
    let page = visit_secure(&server, &certificate, "/r/lobby").await?;
    let file = page.split('"').find(|text| text.starts_with("/pkg/") && text.ends_with(".wasm"));
    let file = file.ok_or("the page names no program")?.to_owned();
    for _ in 0..DEAF {
        visit_secure(&server, &certificate, &file).await?;
    }
    let idle = server.rss_kb()?;
    let begun = Instant::now();
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        let mut stream = certificate.connect(&server, b"h2").await?;
        let mut requests = h2::opening(h2::WIDEST);
        requests.extend((0..STREAMS).flat_map(|stream| h2::get(1 + 2 * stream, "localhost", &file)));
        stream.write_all(&requests).await?;
        stream.flush().await?;
        deaf.push(stream);
    }
    let mut most = idle;
    while begun.elapsed() < LEFT_AFTER {
        most = most.max(server.rss_kb()?);
        sleep(Duration::from_millis(50)).await;
    }
    let left = server.rss_kb()?;
    drop(deaf);
    println!(
        "  {DEAF} connections of {STREAMS} requests that read nothing: {idle} kB before, {most} kB, {left} kB after"
    );
    result("h2_held_mb", most.saturating_sub(idle) as f64 / MB, 1, "MB");
    result("h2_left_mb", left.saturating_sub(idle) as f64 / MB, 1, "MB");
    Ok(())
}

/// Measures visits at rest and under an attack, in turn.
async fn suffer<F: Future<Output = ()> + Send + 'static>(
    name: &str,
    server: &Server,
    visits: usize,
    rounds: usize,
    attack: impl Fn(std::net::SocketAddr) -> F,
) -> Result<()> {
    let addr = server.target.addr;
    let mut visitors = Visitors::default();
    visitors.visit(addr, visits).await?;
    let (mut rest, mut attacked) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        rest.extend(visitors.visit(addr, visits).await?);
        let attacking = tokio::spawn(attack(addr));
        sleep(BEGUN).await;
        let suffered = visitors.visit(addr, visits).await;
        attacking.abort();
        let _ = attacking.await;
        attacked.extend(suffered?);
        sleep(BEGUN).await;
    }
    let (rest, attacked) = (p95(rest), p95(attacked));
    samples(
        &format!("{name}: the slowest visits but one in twenty, at rest and under attack"),
        &[rest, attacked],
        "ms",
    );
    result(&format!("bystander_p95_ratio_{name}"), attacked / rest, 2, "x");
    Ok(())
}

/// Visitors, each from an address of its own.
#[derive(Default)]
struct Visitors(u16);

impl Visitors {
    /// Measures how long each visit takes, in milliseconds.
    async fn visit(&mut self, addr: std::net::SocketAddr, visits: usize) -> Result<Vec<f64>> {
        let mut ticks = steady(VISIT_EVERY);
        let mut tasks = JoinSet::new();
        for _ in 0..visits {
            ticks.tick().await;
            self.0 = (self.0 + 1) % 2000;
            let [high, low] = (self.0 + 0x0500).to_be_bytes();
            tasks.spawn(async move {
                let begun = Instant::now();
                let visit = async {
                    let stream = connect(addr, Ipv4Addr::new(127, 1, high, low)).await?;
                    ask(stream, &request("/r/lobby", "close")).await
                };
                let response = timeout(PATIENCE, visit).await.map_err(|_| "a visitor is not served")??;
                if !response.starts_with(b"HTTP/1.1 200") {
                    return Err(format!("a visitor is refused: {}", String::from_utf8_lossy(&response)).into());
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(begun.elapsed().as_secs_f64() * 1e3)
            });
        }
        tasks.join_all().await.into_iter().collect()
    }
}

async fn connect(addr: std::net::SocketAddr, source: Ipv4Addr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((source, 0).into())?;
    Ok(socket.connect(addr).await?)
}

fn request(path: &str, connection: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept-encoding: br\r\nconnection: {connection}\r\n\r\n")
}

/// Sends a request that ends the connection. Returns the whole response.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    Ok(response)
}

/// Requests one page after the other without waiting, some with the longest possible name.
async fn ask_hastily(addr: std::net::SocketAddr) {
    let requests = request("/r/hasty", "keep-alive") + &request(&format!("/r/{}", "x".repeat(30_000)), "keep-alive");
    let requests: Arc<str> = requests.into();
    let mut tasks = JoinSet::new();
    for number in 0..usize::from(HASTY) * HASTY_CONNECTIONS {
        let source = Ipv4Addr::new(127, 0, 220, u8::try_from(number / HASTY_CONNECTIONS).unwrap_or_default() + 1);
        let requests = requests.clone();
        tasks.spawn(async move {
            loop {
                let Ok(stream) = connect(addr, source).await else {
                    sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let (mut read, mut write) = stream.into_split();
                let ask = async { while write.write_all(requests.as_bytes()).await.is_ok() {} };
                let read = async { copy(&mut read, &mut sink()).await };
                // Until the server closes the connection.
                tokio::select! {
                    _ = read => {}
                    () = ask => {}
                }
            }
        });
    }
    tasks.join_all().await;
}

/// Opens sockets, replaces those that end, and sends nothing.
async fn stay_idle(addr: std::net::SocketAddr) {
    let mut tasks = JoinSet::new();
    for number in 0..IDLE {
        let source = Ipv4Addr::new(127, 0, 221, u8::try_from(number % IDLE_ADDRESSES).unwrap_or_default() + 1);
        tasks.spawn(async move {
            loop {
                let again = Instant::now() + Duration::from_secs(1);
                if let Ok(mut stream) = connect(addr, source).await {
                    let _ = stream.read(&mut [0]).await;
                }
                sleep_until(again).await;
            }
        });
    }
    tasks.join_all().await;
}

/// A self-signed certificate, in files that are deleted with it.
struct Certificate {
    folder: PathBuf,
    client: TlsConnector,
}

impl Certificate {
    fn new() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let folder = std::env::temp_dir().join(format!("converge-load-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        for (name, text) in [("cert.pem", made.cert.pem()), ("key.pem", made.signing_key.serialize_pem())] {
            fs::File::create(folder.join(name))?.write_all(text.as_bytes())?;
        }
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(made.cert.pem().as_bytes())?)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        Ok(Self { folder, client: TlsConnector::from(config) })
    }

    fn arguments(&self) -> Vec<String> {
        let file = |name: &str| self.folder.join(name).to_string_lossy().into_owned();
        vec!["--tls-cert".to_owned(), file("cert.pem"), "--tls-key".to_owned(), file("key.pem")]
    }

    async fn connect(&self, server: &Server, protocol: &[u8]) -> Result<TlsStream<TcpStream>> {
        let mut config = ClientConfig::clone(self.client.config());
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(server.target.addr).await?;
        Ok(TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost")?, stream).await?)
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        // The system cleans this folder if the removal fails.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Returns a page's text, over TLS.
async fn visit_secure(server: &Server, certificate: &Certificate, path: &str) -> Result<String> {
    let stream = certificate.connect(server, b"http/1.1").await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let response = ask(stream, &request).await?;
    if !response.starts_with(b"HTTP/1.1 200") {
        return Err(format!("{path} is not there").into());
    }
    Ok(String::from_utf8_lossy(&response).into_owned())
}
