//! An accept loop for the open internet: `axum::serve` waits for a request's head for ever, and takes every connection.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::address::{self, Source};
use super::limiter::{Place, Places};
use super::slots::{Held, Slot, Slots};
use super::tls::Tls;
use super::transport::Transport;

/// How often the certificate's files are looked at.
const RELOAD_EVERY: Duration = Duration::from_secs(10);

/// How long an evicted connection may take to close its descriptor.
const EVICTION: Duration = Duration::from_millis(5);

/// How long accepting pauses when the system has no file descriptors left, and no connection is idle.
const BREATHER: Duration = Duration::from_millis(100);

/// How often the log reports that connections can't be accepted.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// The longest request head.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Concurrent streams on one HTTP/2 connection. A page has some ten files; hyper's default is 200.
const MAX_STREAMS: u32 = 16;

/// The send buffer of one HTTP/2 stream, in bytes: one frame. hyper's default is 400 kB.
const MAX_STREAM_SEND_BYTES: usize = 16 * 1024;

/// The flow-control window of an HTTP/2 connection, and of each of its streams, in bytes. It is the protocol's default,
/// since requests have no bodies here; hyper's is 1 MB.
const MAX_RECEIVE_BYTES: u32 = 65_535;

/// An HTTP/2 stream without progress for this many times [`Listen::send_within`] is reset. Streams share a connection,
/// so one may have to wait for several others.
const STALLS: u32 = 3;

/// The longest that an HTTP/2 response may take, however slow its reader.
const LONGEST_RESPONSE: Duration = Duration::from_secs(600);

/// One in this many descriptors is kept for other uses: files being sent, the log, the operator.
const SPARE_DESCRIPTORS: u64 = 8;

/// How many connections may wait to be accepted. After a restart everybody comes back at once; whoever finds no place
/// asks again only after one, three, seven seconds.
const BACKLOG: u32 = 4096;

/// How many unsent bytes of a connection the kernel buffers (`TCP_NOTSENT_LOWAT`). Bytes in flight come on top, so
/// distant readers are not slowed.
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

/// Raises this process's limit of open files, connections among them, to the system's maximum. Returns the new limit.
/// Shells and service managers often start programs with 1,024.
///
/// # Errors
/// Returns the system's error if the limit can't be read or set.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

/// Returns how many connections the descriptors allow; [`None`] where the system doesn't report it.
pub fn affordable_connections() -> Option<u32> {
    #[cfg(unix)]
    let limit = rlimit::getrlimit(rlimit::Resource::NOFILE).ok()?.0;
    #[cfg(not(unix))]
    let limit = u64::from(rlimit::getmaxstdio());
    Some(u32::try_from(limit - limit / SPARE_DESCRIPTORS).unwrap_or(u32::MAX))
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
    /// How long a client may take none of the bytes sent to it. Each byte that it takes restores a millisecond, up to
    /// the whole time. Default 10 s.
    pub send_within: Duration,
    /// The most connections, signalling sockets among them. Default 20,000, and at most seven eighths of the
    /// descriptors: see [`raise_descriptor_limit`]. If all are taken, the longest idle one is evicted.
    pub max_connections: u32,
    /// The most connections from one address (IPv6: one /64), and the most requests in progress on all of them. Default
    /// 256: a browser that loads a page opens up to six. Connections of trusted proxies are not counted; requests are,
    /// by the client's address.
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
            send_within: Duration::from_secs(10),
            max_connections: 20_000,
            max_connections_per_ip: 256,
            trusted_proxies: Vec::new(),
            drain_within: Duration::from_secs(5),
            tls: None,
        }
    }
}

/// The source of a request, as limits count it; [`serve`] adds it to each request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Client(pub(super) Source);

/// Serves an application until `stop` resolves, then lets go of what is idle, waits for what is being answered for at
/// most [`Listen::drain_within`], and returns. Sockets that were upgraded are not waited for: see
/// [`Signalling::drain`](super::Signalling::drain).
pub async fn serve(listener: TcpListener, app: Router, settings: Listen, stop: impl Future<Output = ()>) {
    let most = settings.max_connections.min(affordable_connections().unwrap_or(u32::MAX));
    let slots = Slots::new(most, settings.max_connections_per_ip);
    let requests = Places::new(u32::MAX, settings.max_connections_per_ip);
    let settings = Arc::new(settings);
    let mut complaints = Complaints::default();
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
                    let Some(slot) = slots.take(source) else {
                        tracing::debug!(source = %Source::from(peer.ip()), "too many connections");
                        continue;
                    };
                    let (settings, requests) = (settings.clone(), requests.clone());
                    let connection = Connection { peer, slot: slot.clone(), requests, settings };
                    let watcher = graceful.watcher();
                    let app = app.clone();
                    tokio::spawn(async move {
                        tokio::select! {
                            () = connection.run(stream, app, watcher) => {}
                            () = slot.evicted() => {}
                        }
                    });
                }
                // A connection that ended before it was accepted needs no pause.
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    complaints.say(&error);
                    // An evicted connection's task closes the descriptor: without a wait each retry would evict another.
                    sleep(if slots.evict() { EVICTION } else { BREATHER }).await;
                }
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

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Logs errors of accepting once in [`COMPLAIN_EVERY`]: with no descriptors left there are ten a second.
#[derive(Default)]
struct Complaints {
    last: Option<Instant>,
    suppressed: u64,
}

impl Complaints {
    fn say(&mut self, error: &io::Error) {
        if self.last.is_some_and(|last| last.elapsed() < COMPLAIN_EVERY) {
            self.suppressed += 1;
            return;
        }
        tracing::error!(%error, suppressed = self.suppressed, "can't accept connections");
        (self.last, self.suppressed) = (Some(Instant::now()), 0);
    }
}

struct Connection {
    peer: SocketAddr,
    slot: Arc<Slot>,
    /// Requests in progress on all connections.
    requests: Arc<Places>,
    settings: Arc<Listen>,
}

impl Connection {
    async fn run(self, stream: TcpStream, app: Router, watcher: Watcher) {
        // Frames are small and each is waited for.
        let _ = stream.set_nodelay(true);
        // Bytes that the kernel has not sent can't be dropped, and delay all that follows. By default it buffers
        // megabytes, and takes more only once a third is sent: a slow reader would seem stalled for too long.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES);
        // Not by asking whether it is readable: tokio takes a new socket for that until somebody has tried in vain.
        let first = timeout(self.settings.first_byte_within, stream.peek(&mut [0])).await;
        if !matches!(first, Ok(Ok(1..))) {
            return;
        }
        // Below TLS, whose own buffers would take a little more each time.
        let stream = Transport::new(stream, self.slot.clone(), self.settings.send_within);
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
        let Self { peer, slot, requests, settings } = self;
        let service = {
            let settings = settings.clone();
            service_fn(move |mut request: Request<Incoming>| {
                let held = slot.hold();
                let client = address::client(peer.ip(), request.headers(), &settings.trusted_proxies);
                let client = Source::from(client);
                let place = requests.take(Some(client));
                let extensions = request.extensions_mut();
                extensions.insert(ConnectInfo(peer));
                extensions.insert(Client(client));
                extensions.insert(held.clone());
                let mut app = app.clone();
                async move {
                    let Some(place) = place else {
                        tracing::debug!(source = %client, "too many requests in progress");
                        return Ok(busy().map(Sent::Alone));
                    };
                    let response = app.call(request.map(Body::new)).await.unwrap_or_else(|never| match never {});
                    Ok::<_, Infallible>(response.map(|body| Sent::Counted { body, _place: place, _held: held }))
                }
            })
        };
        let mut builder = Builder::new(Streams { stalled_within: settings.send_within.saturating_mul(STALLS) });
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.headers_within)
            .max_buf_size(MAX_HEAD_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(settings.headers_within * 3)
            .max_concurrent_streams(MAX_STREAMS)
            .max_send_buf_size(MAX_STREAM_SEND_BYTES)
            .initial_connection_window_size(MAX_RECEIVE_BYTES)
            .initial_stream_window_size(MAX_RECEIVE_BYTES);
        // Which of the two is known, so that nothing is waited for to find out.
        let builder = if h2 { builder.http2_only() } else { builder.http1_only() };
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        // What ends a connection is the client's business: there is nobody to tell.
        let _ = watcher.watch(connection).await;
    }
}

/// The response to a source with too many requests in progress.
fn busy() -> Response {
    let headers = [(header::RETRY_AFTER, "5"), (header::CONNECTION, "close"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::TOO_MANY_REQUESTS, headers, "too many requests at a time").into_response()
}

/// A response's body. Its request counts as in progress until the body is sent.
enum Sent {
    Counted { body: Body, _place: Place, _held: Held },
    Alone(Body),
}

impl Sent {
    fn body(&self) -> &Body {
        let (Self::Counted { body, .. } | Self::Alone(body)) = self;
        body
    }
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let (Self::Counted { body, .. } | Self::Alone(body)) = &mut *self;
        Pin::new(body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

/// Runs each stream of HTTP/2 connections as a task. A stalled stream is reset: a client that opens no window for it
/// would keep its file open without end.
#[derive(Clone)]
struct Streams {
    stalled_within: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(unless_stalled(stream, self.stalled_within));
    }
}

/// Polls a future until it is ready, was not woken for `within`, or has taken [`LONGEST_RESPONSE`].
async fn unless_stalled(future: impl Future, within: Duration) {
    let end = Instant::now() + LONGEST_RESPONSE;
    let mut future = pin!(future);
    let mut stalled = pin!(sleep(within));
    std::future::poll_fn(|cx| {
        if future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let now = Instant::now();
        if now >= stalled.deadline() {
            return Poll::Ready(());
        }
        stalled.as_mut().reset(end.min(now + within));
        stalled.as_mut().poll(cx)
    })
    .await;
}
