//! What it costs to carry a signal from one member to another: pairs of connections send each other signals, each one
//! that comes is answered with one, so that the same number are under way all the time.
//!
//! That number is for each pair, and all are sent from one side at first. With one each, every signal is read, carried
//! and written by itself. With one from either side that would be chance: two that once meet are answered together,
//! and travel together from then on.
//!
//! A round begins and ends with nothing under way, and must lose nothing: the server's CPU time from before to after is
//! divided by all that were carried. Product and rig take turns, both with all their connections open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt, TryStreamExt, stream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use crate::Result;
use crate::client::{Peer, Socket, Sources, Target, topic};
use crate::process::{Server, affordable};
use crate::report::{median, median_ratio, result, samples};
use crate::serve::Serve;

/// From the end of a round until nothing is under way any more.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Relay {
    /// To each server, in pairs
    #[arg(long, default_value_t = 1000)]
    pub(crate) connections: usize,
    /// Of each round
    #[arg(long, default_value_t = 0.5)]
    pub(crate) seconds: f64,
    /// Signals under way between each pair; several values are measured one after another
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    pub(crate) in_flight: Vec<usize>,
    /// Of a signal's data
    #[arg(long, default_value_t = 300)]
    pub(crate) bytes: usize,
    /// Of each server, in turn
    #[arg(long, default_value_t = 10)]
    pub(crate) rounds: usize,
}

/// A server with its pairs.
struct Players {
    server: Server,
    tally: Arc<Tally>,
    /// Each change of it begins a round.
    start: watch::Sender<u64>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Tally {
    running: AtomicBool,
    in_flight: AtomicUsize,
    sent: AtomicU64,
    received: AtomicU64,
    ended: AtomicUsize,
}

pub(crate) async fn run(relay: &Relay) -> Result<()> {
    let connections = affordable(relay.connections * 2, 0)? / 4 * 2;
    println!("relay: {connections} connections to each server, {} bytes", relay.bytes);
    let product = Players::gather(Server::product(&Serve::default())?, connections, relay.bytes).await?;
    let rig = Players::gather(Server::rig()?, connections, relay.bytes).await?;
    for in_flight in &relay.in_flight {
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for players in [&product, &rig] {
            // To warm up.
            players.round(relay.seconds / 2.0, *in_flight).await?;
        }
        for _ in 0..relay.rounds {
            ours.push(product.round(relay.seconds, *in_flight).await?);
            floor.push(rig.round(relay.seconds, *in_flight).await?);
        }
        let suffix = match in_flight {
            1 => String::new(),
            16 => "_batched".to_owned(),
            other => format!("_{other}"),
        };
        samples("product", &ours, "µs");
        samples("rig", &floor, "µs");
        result(&format!("relay_cpu_us{suffix}"), median(ours.iter().copied()), 2, "us");
        result(&format!("rig_relay_cpu_us{suffix}"), median(floor.iter().copied()), 2, "us");
        result(&format!("relay_cpu_ratio{suffix}"), median_ratio(&ours, &floor), 3, "x");
    }
    Ok(())
}

impl Players {
    async fn gather(server: Server, connections: usize, bytes: usize) -> Result<Self> {
        let (start, started) = watch::channel(0);
        let (target, sources) = (server.target, &Sources::default());
        let mut players = Self { server, tally: Arc::default(), start, tasks: JoinSet::new() };
        let joins = (0..connections as u64).map(|number| async move {
            let peer = Peer::new(number);
            target.join(&peer, topic("pair", number / 2), sources.next()).await
        });
        // In order, so that a socket's place tells whose it is.
        let sockets: Vec<Socket> = stream::iter(joins).buffered(32).try_collect().await?;
        for (number, socket) in (0_u64..).zip(sockets) {
            // Its partner's number differs in the last bit.
            let frame = target.signal(Peer::new(number ^ 1).id, candidate(bytes)).into();
            let player = Player { socket, target, frame, begins: number % 2 == 0, tally: players.tally.clone() };
            players.tasks.spawn(player.play(started.clone()));
        }
        Ok(players)
    }

    /// The server's CPU time for each signal, in µs.
    async fn round(&self, seconds: f64, in_flight: usize) -> Result<f64> {
        let tally = &self.tally;
        let before = (tally.received.load(Ordering::SeqCst), self.server.cpu()?);
        tally.in_flight.store(in_flight, Ordering::SeqCst);
        tally.running.store(true, Ordering::SeqCst);
        self.start.send_modify(|round| *round += 1);
        sleep(Duration::from_secs_f64(seconds)).await;
        tally.running.store(false, Ordering::SeqCst);
        self.settle().await?;
        let carried = tally.received.load(Ordering::SeqCst) - before.0;
        if carried == 0 {
            return Err("nothing was carried".into());
        }
        Ok((self.server.cpu()? - before.1).as_secs_f64() * 1e6 / carried as f64)
    }

    /// Waits until everything that was sent has arrived.
    async fn settle(&self) -> Result<()> {
        let tally = &self.tally;
        let deadline = Instant::now() + SETTLED_WITHIN;
        let mut quiet = 0;
        // One who has seen that it goes on may be about to send, but not for that long.
        while quiet < 3 {
            sleep(Duration::from_millis(10)).await;
            let ended = tally.ended.load(Ordering::SeqCst);
            let (received, sent) = (tally.received.load(Ordering::SeqCst), tally.sent.load(Ordering::SeqCst));
            quiet = if received == sent { quiet + 1 } else { 0 };
            if ended > 0 || Instant::now() > deadline {
                return Err(
                    format!("{} of {sent} signals are lost, {ended} sockets have ended", sent - received).into()
                );
            }
        }
        Ok(())
    }
}

/// Data like that of an ICE candidate, of so many bytes.
fn candidate(bytes: usize) -> String {
    let (head, tail) =
        (r#"{"attempt":2893471034,"candidate":{"candidate":"candidate:1 1 udp 2113937151 "#, r#"","sdpMid":"0"}}"#);
    let padding = "x".repeat(bytes.saturating_sub(head.len() + tail.len()));
    format!("{head}{padding}{tail}")
}

/// One connection.
struct Player {
    socket: Socket,
    target: Target,
    /// What it sends its partner.
    frame: Utf8Bytes,
    /// Whether it, of the two, sends the first signals of a round.
    begins: bool,
    tally: Arc<Tally>,
}

impl Player {
    async fn play(mut self, mut start: watch::Receiver<u64>) {
        loop {
            let played = tokio::select! {
                started = start.changed() => match started {
                    Ok(()) if self.begins => self.begin().await,
                    Ok(()) => Some(()),
                    Err(_) => return,
                },
                first = self.socket.next() => self.answer(first).await,
            };
            if played.is_none() {
                self.tally.ended.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
    }

    async fn begin(&mut self) -> Option<()> {
        for _ in 0..self.tally.in_flight.load(Ordering::SeqCst) {
            self.send().await?;
        }
        self.socket.flush().await.ok()
    }

    /// Answers what has come, and all that can be read besides, and writes the answers together.
    async fn answer(&mut self, first: Option<tungstenite::Result<Message>>) -> Option<()> {
        let mut next = Some(first);
        while let Some(message) = next {
            if let Message::Text(text) = message?.ok()?
                && self.target.is_signal(&text)
            {
                if self.tally.running.load(Ordering::SeqCst) {
                    self.send().await?;
                }
                // After its answer has been counted: else there might seem to be nothing under way.
                self.tally.received.fetch_add(1, Ordering::SeqCst);
            }
            next = self.socket.next().now_or_never();
        }
        self.socket.flush().await.ok()
    }

    async fn send(&mut self) -> Option<()> {
        self.tally.sent.fetch_add(1, Ordering::SeqCst);
        self.socket.feed(Message::Text(self.frame.clone())).await.ok()
    }
}
