//! An accept loop for the open internet: `axum::serve` waits for a request's head for ever, and takes every connection.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::address::Source;
use super::limiter::{Place, Places};
use super::tls::Tls;

/// How often the certificate's files are looked at.
const RELOAD_EVERY: Duration = Duration::from_secs(10);

/// How long to wait with accepting when the system has no file descriptors left.
const BREATHER: Duration = Duration::from_millis(100);

/// The longest request head.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// How many connections may wait to be accepted. After a restart everybody comes back at once; whoever finds no place
/// asks again only after one, three, seven seconds.
const BACKLOG: u32 = 4096;

/// How many bytes the kernel takes of a connection before it has sent them (`TCP_NOTSENT_LOWAT`); what is sent and not yet
/// acknowledged comes on top, so that this does not slow down distant readers.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 64 * 1024;

/// Listens at an address, with room for many to come at once.
///
/// # Errors
/// If the address is in use, or not this machine's.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As tokio's own does it: a server that restarts need not wait for what is left of the old one's connections.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// What a listener allows, and how long it waits.
#[derive(Clone)]
pub struct Listen {
    /// From the connection to its first byte. Default 10 s.
    pub first_byte_within: Duration,
    /// From a request's first byte to the end of its head, and from one request to the next. Default 10 s.
    pub headers_within: Duration,
    /// The TLS handshake. Default 10 s.
    pub handshake_within: Duration,
    /// The most connections, signalling sockets among them. Default 20,000.
    pub max_connections: u32,
    /// The most from one address (IPv6: one /64). Default 256: a browser that loads a page opens up to six. Not counted
    /// for trusted proxies.
    pub max_connections_per_ip: u32,
    /// Networks of proxies, which bring many clients from one address.
    pub trusted_proxies: Vec<IpNet>,
    /// After `stop`, requests that are being answered have this long. Default 5 s.
    pub drain_within: Duration,
    /// Speaks TLS with this certificate.
    pub tls: Option<Arc<Tls>>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            first_byte_within: Duration::from_secs(10),
            headers_within: Duration::from_secs(10),
            handshake_within: Duration::from_secs(10),
            max_connections: 20_000,
            max_connections_per_ip: 256,
            trusted_proxies: Vec::new(),
            drain_within: Duration::from_secs(5),
            tls: None,
        }
    }
}

/// A connection's place among those allowed. It goes along with the request, and is kept by whoever keeps the
/// connection: a WebSocket outlives the request that it began with.
#[derive(Clone)]
pub(super) struct Held(#[expect(dead_code, reason = "held, not read")] Arc<Place>);

/// Serves an application until `stop` resolves, then lets go of what is idle, waits for what is being answered for at
/// most [`Listen::drain_within`], and returns. Sockets that were upgraded are not waited for: see
/// [`Signalling::drain`](super::Signalling::drain).
pub async fn serve(listener: TcpListener, app: Router, settings: Listen, stop: impl Future<Output = ()>) {
    let places = Places::new(settings.max_connections, settings.max_connections_per_ip);
    let settings = Arc::new(settings);
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    let mut reload = interval(RELOAD_EVERY);
    reload.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let is_proxy = settings.trusted_proxies.iter().any(|net| net.contains(&peer.ip().to_canonical()));
                    let source = (!is_proxy).then(|| Source::from(peer.ip()));
                    let Some(place) = places.take(source) else {
                        tracing::debug!(source = %Source::from(peer.ip()), "too many connections");
                        continue;
                    };
                    let connection = Connection { peer, held: Held(Arc::new(place)), settings: settings.clone() };
                    tokio::spawn(connection.run(stream, app.clone(), graceful.watcher()));
                }
                Err(error) => pause(&error).await,
            },
            _ = reload.tick(), if settings.tls.is_some() => {
                if let Some(tls) = settings.tls.clone() {
                    tokio::task::spawn_blocking(move || match tls.reload() {
                        Ok(true) => tracing::info!("the certificate has changed"),
                        Ok(false) => {}
                        Err(error) => tracing::error!(%error, "the certificate stays as it was"),
                    });
                }
            }
            () = &mut stop => break,
        }
    }
    drop(listener);
    if timeout(settings.drain_within, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not answered in time");
    }
}

/// One that has gone again before it was accepted is no reason to wait; a lack of file descriptors is.
async fn pause(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "can't accept connections");
        sleep(BREATHER).await;
    }
}

struct Connection {
    peer: SocketAddr,
    held: Held,
    settings: Arc<Listen>,
}

impl Connection {
    async fn run(self, stream: TcpStream, app: Router, watcher: Watcher) {
        // Frames are small and each is waited for.
        let _ = stream.set_nodelay(true);
        // What the kernel has not sent can't be dropped, and delays whatever comes after it. Its own bound is megabytes, and
        // it asks for more only when a third of them has gone: a slow reader would seem to take nothing for too long.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES);
        // Not by asking whether it is readable: tokio takes a new socket for that until somebody has tried in vain.
        let first = timeout(self.settings.first_byte_within, stream.peek(&mut [0])).await;
        if !matches!(first, Ok(Ok(1..))) {
            return;
        }
        let Some(tls) = &self.settings.tls else {
            return self.talk(stream, false, app, watcher).await;
        };
        let handshake = TlsAcceptor::from(tls.config()).accept(stream);
        if let Ok(Ok(stream)) = timeout(self.settings.handshake_within, handshake).await {
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            self.talk(stream, h2, app, watcher).await;
        }
    }

    async fn talk<S>(self, stream: S, h2: bool, app: Router, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { peer, held, settings } = self;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(held.clone());
            let mut app = app.clone();
            async move { Ok::<_, Infallible>(app.call(request.map(Body::new)).await.unwrap_or_else(|never| match never {})) }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.headers_within)
            .max_buf_size(MAX_HEAD_BYTES);
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(settings.headers_within * 3);
        // Which of the two is known, so that nothing is waited for to find out.
        let builder = if h2 { builder.http2_only() } else { builder.http1_only() };
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        // What ends a connection is the client's business: there is nobody to tell.
        let _ = watcher.watch(connection).await;
    }
}
