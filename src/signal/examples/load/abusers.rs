//! Clients that do what a server must not let them do: with all their might, until it has had enough; then on and on
//! as far as it lets them.

use std::net::Ipv4Addr;
use std::time::Duration;

use converge_signal::protocol::{ErrorCode, ServerMessage};
use futures_util::{SinkExt, StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::Result;
use crate::client::{ClientError, Opened, Peer, Socket, Target, close, socket_from, topic};
use crate::process::Server;

/// Nothing that the protocol says is to happen takes longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Members who send to the one who does not read. Together they may send at once what the kernel takes, and more.
const SENDERS: u8 = 8;

/// Bytes of what each of them sends, and how often it may at once and later on.
const BIG: usize = 16_000;
const BIG_AT_ONCE: usize = 60;
const BIG_EVERY: Duration = Duration::from_millis(130);

/// Then it comes back.
const DEAF_FOR: Duration = Duration::from_secs(1);

/// Half heads at a time.
const HALF_HEADS: usize = 20;

const FLOOD_FRAMES: usize = 5_000;
const FRAMES_EVERY: Duration = Duration::from_millis(11);

const FLOOD_JOINS: u64 = 400;
const JOINS_EVERY: Duration = Duration::from_millis(100);

/// What one address may join at once, and each second; the defaults.
const JOINS: (f64, f64) = (200.0, 10.0);

/// The number of the member that stays while others come and go.
const HOST: u64 = u32::MAX as u64;

const PING: &str = r#"{"ping":{}}"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abuse {
    /// Joins, has others send to it, and does not read: the server drops it when it has taken nothing for a while.
    StoppedReader,
    /// Begins requests and does not end them.
    SlowHeaders,
    /// Sends as fast as it can on one connection.
    FrameFlood,
    /// Joins as fast as it can from one address.
    JoinFlood,
}

impl Abuse {
    pub(crate) const ALL: [Self; 4] = [Self::StoppedReader, Self::SlowHeaders, Self::FrameFlood, Self::JoinFlood];

    fn source(self) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 210, self as u8 + 1)
    }

    fn peer(self, number: u64) -> Peer {
        Peer::new((2 << 48) + ((self as u64) << 32) + number)
    }

    /// Does it until the server has dropped or limited it as the protocol says, and tells how that was.
    pub(crate) async fn attack(self, server: &Server) -> Result<String> {
        let target = server.target;
        match self {
            Self::StoppedReader => self.stop_reading(server).await,
            Self::SlowHeaders => {
                let begun = Instant::now();
                let mut streams = JoinSet::new();
                for _ in 0..HALF_HEADS {
                    streams.spawn(half_head(target, self.source()));
                }
                while let Some(ended) = timeout(PATIENCE, streams.join_next()).await? {
                    ended??;
                }
                Ok(format!("all {HALF_HEADS} closed within {:.1} s", begun.elapsed().as_secs_f64()))
            }
            Self::FrameFlood => {
                let mut socket = target.join(&self.peer(0), topic("flood", 0), self.source()).await?;
                for _ in 0..FLOOD_FRAMES {
                    // Where that fails it has been dropped already.
                    let _ = socket.feed(Message::text(PING)).await;
                }
                let _ = socket.flush().await;
                expect(&mut socket, ErrorCode::RateLimited, 1008).await
            }
            Self::JoinFlood => self.flood_joins(target).await,
        }
    }

    /// Goes on with it, no faster than the limits let it; never ends by itself.
    pub(crate) async fn persist(self, target: Target) {
        match self {
            Self::StoppedReader => {
                let Ok((reader, senders)) = self.deaf_member(target).await else { return };
                let id = self.peer(0).id;
                let mut tasks = JoinSet::new();
                for socket in senders {
                    tasks.spawn(send_big(socket, vec![target.signal(id, big())]));
                }
                // It leaves before the server drops it, and comes back.
                let mut reader = Some(reader);
                loop {
                    sleep(DEAF_FOR).await;
                    drop(reader.take());
                    reader = self.deaf(target).await.ok();
                }
            }
            Self::SlowHeaders => {
                let mut streams = JoinSet::new();
                for _ in 0..HALF_HEADS {
                    streams.spawn(async move {
                        loop {
                            if half_head(target, self.source()).await.is_err() {
                                sleep(Duration::from_secs(1)).await;
                            }
                        }
                    });
                }
                streams.join_all().await;
            }
            Self::FrameFlood => loop {
                if let Ok(mut socket) = target.join(&self.peer(0), topic("flood", 0), self.source()).await {
                    let mut ticks = interval(FRAMES_EVERY);
                    loop {
                        let alive = tokio::select! {
                            _ = ticks.tick() => socket.send(Message::text(PING)).await.is_ok(),
                            message = socket.next() => matches!(message, Some(Ok(_))),
                        };
                        if !alive {
                            break;
                        }
                    }
                }
                sleep(Duration::from_secs(1)).await;
            },
            Self::JoinFlood => {
                let Ok(_host) = self.host(target).await else { return };
                let mut ticks = interval(JOINS_EVERY);
                let mut joins = JoinSet::new();
                for number in 0.. {
                    ticks.tick().await;
                    joins.spawn(async move { self.visit(target, number).await });
                    while joins.try_join_next().is_some() {}
                }
            }
        }
    }

    async fn stop_reading(self, server: &Server) -> Result<String> {
        let (mut reader, senders) = self.deaf_member(server.target).await?;
        let mut sends = JoinSet::new();
        for socket in senders {
            sends.spawn(send_big(socket, vec![server.target.signal(self.peer(0).id, big())]));
        }
        let begun = Instant::now();
        while server.metrics().await?.get(r#"converge_refusals_total{reason="slow_reader"}"#) == 0 {
            if begun.elapsed() > PATIENCE {
                return Err("who does not read is not dropped".into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        let dropped = begun.elapsed();
        // What the kernel still has for it, and then the end.
        let rest = async {
            let mut frames = 0;
            while let Some(Ok(_)) = reader.next().await {
                frames += 1;
            }
            frames
        };
        let frames: usize = timeout(PATIENCE, rest).await?;
        Ok(format!(
            "SlowReader after {:.2} s; it could still read {frames} frames of {BIG} bytes, then the socket ended",
            dropped.as_secs_f64()
        ))
    }

    /// One that will not read, and those who will send to it.
    async fn deaf_member(self, target: Target) -> Result<(Socket, Vec<Socket>)> {
        let mut senders = Vec::new();
        for number in 1..=SENDERS {
            let source = Ipv4Addr::new(127, 0, 211, number);
            senders.push(target.join(&self.peer(number.into()), topic("deaf", 0), source).await?);
        }
        Ok((self.deaf(target).await?, senders))
    }

    async fn deaf(self, target: Target) -> Result<Socket> {
        let socket = socket_from(self.source())?;
        // The kernel is not to read much in its stead.
        socket.set_recv_buffer_size(4096)?;
        Ok(target.open_on(socket).await?.join(&self.peer(0), topic("deaf", 0)).await?)
    }

    /// Keeps a member in the flooded room, because joins of an empty room are limited further.
    async fn host(self, target: Target) -> Result<Socket> {
        Ok(target.join(&self.peer(HOST), topic("flood", 0), Ipv4Addr::new(127, 0, 211, 99)).await?)
    }

    async fn flood_joins(self, target: Target) -> Result<String> {
        let _host = self.host(target).await?;
        let begun = Instant::now();
        let visits = (0..FLOOD_JOINS).map(|number| self.visit(target, number));
        let ends: Vec<Result<bool>> = stream::iter(visits).buffer_unordered(16).collect().await;
        let admitted =
            ends.into_iter().collect::<Result<Vec<bool>>>()?.into_iter().filter(|admitted| *admitted).count();
        let allowed = JOINS.0 + JOINS.1 * begun.elapsed().as_secs_f64() + 1.0;
        if admitted as f64 > allowed || admitted as u64 == FLOOD_JOINS {
            return Err(format!("{admitted} joins from one address were admitted, not {allowed:.0}").into());
        }
        Ok(format!("{admitted} of {FLOOD_JOINS} admitted, the others TooManyJoins and closed with 1013"))
    }

    /// Whether it was admitted; an error if it was turned away in another way than the protocol says.
    async fn visit(self, target: Target, number: u64) -> Result<bool> {
        let peer = self.peer(number);
        let mut opened: Opened = target.open(self.source()).await?;
        opened.say_hello(&peer, topic("flood", 0)).await?;
        let mut socket = opened.socket;
        match crate::client::next_text(&mut socket).await {
            Ok(text) if text.starts_with(r#"{"welcome""#) => {
                close(socket).await?;
                Ok(true)
            }
            Ok(text) => {
                check_error(&text, ErrorCode::TooManyJoins)?;
                expect_close(&mut socket, 1013).await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads on to an error with this code, then a close with this one.
async fn expect(socket: &mut Socket, code: ErrorCode, close: u16) -> Result<String> {
    let read = async {
        let mut answers = 0;
        loop {
            let text = crate::client::next_text(socket).await?;
            if text.starts_with(r#"{"error""#) {
                return Ok::<_, ClientError>((text, answers));
            }
            answers += 1;
        }
    };
    let (text, answers) = timeout(PATIENCE, read).await??;
    check_error(&text, code)?;
    expect_close(socket, close).await?;
    Ok(format!("{answers} frames answered, then {code:?} and closed with {close}"))
}

fn check_error(text: &str, expected: ErrorCode) -> Result<()> {
    match serde_json::from_str(text)? {
        ServerMessage::Error { code, .. } if code == expected => Ok(()),
        _ => Err(format!("not {expected:?}, but {text}").into()),
    }
}

async fn expect_close(socket: &mut Socket, expected: u16) -> Result<()> {
    match timeout(PATIENCE, socket.next()).await?.transpose()? {
        Some(Message::Close(Some(frame))) if u16::from(frame.code) == expected => {}
        other => return Err(format!("not closed with {expected}: {other:?}").into()),
    }
    // To the end, else it counts as open.
    while let Some(Ok(_)) = timeout(PATIENCE, socket.next()).await? {}
    Ok(())
}

pub(crate) fn big() -> String {
    format!(r#""{}""#, "x".repeat(BIG))
}

/// Sends these frames in turn: a burst first, then at the allowed rate. Reads all that comes.
pub(crate) async fn send_big(socket: Socket, frames: Vec<String>) {
    let (mut sink, mut stream) = socket.split();
    let send = async {
        let mut ticks = interval(BIG_EVERY);
        for number in 0_usize.. {
            if number >= BIG_AT_ONCE {
                ticks.tick().await;
            }
            let Some(frame) = frames.get(number % frames.len()) else { return };
            if sink.send(Message::text(frame.as_str())).await.is_err() {
                return;
            }
        }
    };
    let read = async { while let Some(Ok(_)) = stream.next().await {} };
    tokio::join!(send, read);
}

/// Returns when the server has closed the connection.
async fn half_head(target: Target, source: Ipv4Addr) -> Result<()> {
    let mut stream = socket_from(source)?.connect(target.addr).await?;
    stream.write_all(b"GET /signal HTTP/1.1\r\nhost: localhost\r\nupgrade: web").await?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer).await {
        // Whether it says why is its own affair.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(error.into()),
    }
}
