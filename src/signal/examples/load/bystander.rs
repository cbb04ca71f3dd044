//! How long good clients wait while others attack, under the product's own limits. Compares the 95th percentile of
//! waits under attack to that at rest, in alternating rounds. No client may be refused.
//!
//! * Lock-out: newcomers join a room one after the other, each from an address of its own, while eight addresses join
//!   it without end. Where tokens are required, the attackers have none. Otherwise each joins under a new id and drops
//!   its socket without a goodbye, so that its seat stays taken for a while.
//! * Flood: pairs of members send each other signals, while eight members send the pairs and a slow reader as much as
//!   they may. The slow reader must get the pairs' signals, and stay.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use converge_signal::protocol::ServerMessage;
use converge_signal::server::Grant;
use converge_signal::{PeerId, TopicHash};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::Result;
use crate::abusers::{big, send_big};
use crate::client::{ClientError, Peer, Socket, Target, close, socket_from, steady, topic};
use crate::process::Server;
use crate::report::{median_ratio, p95, result, samples};
use crate::serve::{Serve, tokens};

/// Addresses of the attackers.
const ATTACKERS: u8 = 8;

/// The time between joins of one attacker, which tries more than the ten a second allowed.
const JOINS_EVERY: Duration = Duration::from_millis(80);

/// Addresses of newcomers, which come one after the other.
const HOMES: u64 = 200;
const NEWCOMER_EVERY: Duration = Duration::from_millis(25);

/// Pairs of calm members; each member sends 50 signals a second.
const PAIRS: u64 = 4;
const SIGNAL_EVERY: Duration = Duration::from_millis(20);
const SIGNAL_BYTES: usize = 280;

/// The slow reader takes a frame of the flood this often: fewer than arrive.
const SLOW_READ_EVERY: Duration = Duration::from_millis(100);

/// Longer than any step takes.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Bystander {
    /// Seconds of each measurement
    #[arg(long, default_value_t = 6.0)]
    pub(crate) seconds: f64,
    /// Measurements of each kind, in turn
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
}

pub(crate) async fn run(bystander: &Bystander) -> Result<()> {
    let by_token = bystander.lockout(true).await?;
    let open = bystander.lockout(false).await?;
    result("bystander_p95_ratio_lockout", by_token.max(open), 2, "x");
    result("bystander_p95_ratio_flood", bystander.flood().await?, 2, "x");
    Ok(())
}

impl Bystander {
    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    async fn lockout(&self, with_tokens: bool) -> Result<f64> {
        let server = Server::product(&Serve { strict: true, tokens: with_tokens, ..Serve::default() })?;
        let target = server.target;
        let token = match with_tokens {
            true => Some(tokens()?.mint("lobby 0", SystemTime::now() + Duration::from_secs(3600), Grant::ALL, None)),
            false => None,
        };
        let room = topic("lobby", 0);
        let _host = target
            .open(Ipv4Addr::new(127, 0, 219, 1))
            .await?
            .join_with(&Peer::new(3 << 48), room, token.clone())
            .await?;
        println!("bystander: newcomers beside {ATTACKERS} addresses that join without end, tokens: {with_tokens}");
        let mut number = 0;
        let (mut calm, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            calm.push(p95(self.newcomers(target, room, &token, &mut number).await?));
            let refused = Arc::new(AtomicU64::new(0));
            let mut attackers = JoinSet::new();
            for attacker in 0..ATTACKERS {
                attackers.spawn(knock(target, room, attacker, number, refused.clone()));
            }
            // The attackers' bursts are used up before the measurement.
            sleep(Duration::from_secs(2)).await;
            beside.push(p95(self.newcomers(target, room, &token, &mut number).await?));
            attackers.shutdown().await;
            println!("  {} joins of the attackers were refused", refused.load(Ordering::Relaxed));
        }
        Ok(ratio(&calm, &beside))
    }

    /// Measures how long newcomers wait for their welcome, in ms. Fails if one is refused.
    async fn newcomers(
        &self,
        target: Target,
        room: TopicHash,
        token: &Option<String>,
        number: &mut u64,
    ) -> Result<Vec<f64>> {
        let (begun, mut waits) = (Instant::now(), Vec::new());
        let mut ticks = steady(NEWCOMER_EVERY);
        while begun.elapsed() < self.time() {
            ticks.tick().await;
            *number += 1;
            let home = u8::try_from(*number % HOMES + 1)?;
            let peer = Peer::new((3 << 48) + (1 << 32) + *number);
            let came = Instant::now();
            let opened = target.open(Ipv4Addr::new(127, 0, 220, home)).await?;
            let socket = opened.join_with(&peer, room, token.clone()).await?;
            waits.push(came.elapsed().as_secs_f64() * 1e3);
            close(socket).await?;
        }
        Ok(waits)
    }

    async fn flood(&self) -> Result<f64> {
        let server = Server::product(&Serve { strict: true, ..Serve::default() })?;
        let target = server.target;
        let room = topic("flooded", 0);
        println!("bystander: {PAIRS} pairs of a room beside {ATTACKERS} members that flood them and a slow reader");
        let stop = Arc::new(AtomicBool::new(false));
        let (waits, mut measured) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let slow = Peer::new(4 << 48);
        let (sent, received) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        tasks.spawn(read_slowly(slow_socket(target, &slow, room).await?, received.clone(), stop.clone()));
        let mut victims = Vec::new();
        let begun = Instant::now();
        for pair in 0..PAIRS {
            let peers = [0, 1].map(|side| Peer::new((4 << 48) + 1 + pair * 2 + side));
            let source = Ipv4Addr::new(127, 0, 221, u8::try_from(pair + 1)?);
            let first = target.join(&peers[0], room, source).await?;
            let second = target.join(&peers[1], room, source).await?;
            for (socket, me, partner) in [(first, &peers[0], &peers[1]), (second, &peers[1], &peers[0])] {
                let calm = Calm { target, partner: partner.id, slow: slow.id, begun, stop: stop.clone() };
                tasks.spawn(calm.converse(socket, waits.clone(), sent.clone()));
                victims.push(me.id);
            }
        }
        drop(waits);
        let mut p95_of = async || {
            while measured.try_recv().is_ok() {}
            sleep(self.time()).await;
            let mut waits = Vec::new();
            while let Ok(wait) = measured.try_recv() {
                waits.push(wait);
            }
            p95(waits)
        };
        let (mut calm, mut beside) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            calm.push(p95_of().await);
            let mut flooders = JoinSet::new();
            for flooder in 0..ATTACKERS {
                let source = Ipv4Addr::new(127, 0, 222, flooder + 1);
                let peer = Peer::new((5 << 48) + (round as u64 * 100) + u64::from(flooder));
                let socket = target.join(&peer, room, source).await?;
                // Every other frame goes to the slow reader.
                let frames = victims.iter().flat_map(|victim| [slow.id, *victim]);
                let frames = frames.map(|victim| target.signal(victim, big())).collect();
                flooders.spawn(send_big(socket, frames));
            }
            beside.push(p95_of().await);
            flooders.shutdown().await;
        }
        stop.store(true, Ordering::SeqCst);
        let metrics = server.metrics().await?;
        while let Some(ended) = timeout(PATIENCE, tasks.join_next()).await? {
            ended??;
        }
        let refusals = |reason: &str| metrics.get(&format!(r#"converge_refusals_total{{reason="{reason}"}}"#));
        let (sent, received) = (sent.load(Ordering::SeqCst), received.load(Ordering::SeqCst));
        let dropped = refusals("congested");
        println!(
            "  {dropped} signals of the flood were dropped; the slow reader got {received} of {sent} of the others'"
        );
        if refusals("slow_reader") > 0 || received < sent {
            return Err("the slow reader has lost signals, or was dropped".into());
        }
        if dropped == 0 {
            println!("  the flood was too short to fill the slow reader's outbox: measure longer");
        }
        Ok(ratio(&calm, &beside))
    }
}

fn ratio(calm: &[f64], beside: &[f64]) -> f64 {
    samples("  p95 at rest", calm, "ms");
    samples("  p95 beside the attack", beside, "ms");
    median_ratio(beside, calm)
}

/// Joins without a token and under a new id each time, and drops the socket without a goodbye.
async fn knock(target: Target, room: TopicHash, attacker: u8, first: u64, refused: Arc<AtomicU64>) {
    let source = Ipv4Addr::new(127, 0, 223, attacker + 1);
    let mut ticks = steady(JOINS_EVERY);
    for number in first.. {
        ticks.tick().await;
        let peer = Peer::new((6 << 48) + (u64::from(attacker) << 32) + number);
        if let Err(ClientError::Refused(_)) = target.join(&peer, room, source).await {
            refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn slow_socket(target: Target, peer: &Peer, room: TopicHash) -> Result<Socket> {
    let socket = socket_from(Ipv4Addr::new(127, 0, 221, 100))?;
    // The kernel must not read much for it; with less than a few segments it would hardly read at all.
    socket.set_recv_buffer_size(64 * 1024)?;
    Ok(target.open_on(socket).await?.join(peer, room).await?)
}

/// Counts the calm members' signals, which are small. Reads the rest at the end.
async fn read_slowly(mut socket: Socket, calm: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Result<()> {
    loop {
        let stopped = stop.load(Ordering::SeqCst);
        let next = match timeout(Duration::from_secs(2), socket.next()).await {
            Ok(next) => next,
            Err(_) if stopped => return Ok(()),
            Err(_) => continue,
        };
        match next {
            Some(Ok(Message::Text(text))) if text.len() > SIGNAL_BYTES * 4 && !stopped => sleep(SLOW_READ_EVERY).await,
            Some(Ok(Message::Text(text))) if text.starts_with(r#"{"signal""#) && text.len() <= SIGNAL_BYTES * 4 => {
                calm.fetch_add(1, Ordering::SeqCst);
            }
            Some(Ok(Message::Close(frame))) => return Err(format!("the slow reader was closed: {frame:?}").into()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err("the slow reader's socket has ended".into()),
        }
    }
}

/// A member that sends its partner signals at a steady rate, and every 50th also to the slow reader.
struct Calm {
    target: Target,
    partner: PeerId,
    slow: PeerId,
    begun: Instant,
    stop: Arc<AtomicBool>,
}

impl Calm {
    /// Reports how long each signal to it was in flight, in ms.
    async fn converse(
        self,
        mut socket: Socket,
        waits: mpsc::UnboundedSender<f64>,
        slowly: Arc<AtomicU64>,
    ) -> Result<()> {
        let Self { target, partner, slow, begun, stop } = self;
        let padding = "x".repeat(SIGNAL_BYTES);
        let mut ticks = steady(SIGNAL_EVERY);
        let mut number = 0_u64;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    if stop.load(Ordering::SeqCst) {
                        return Ok(());
                    }
                    let micros = u64::try_from(begun.elapsed().as_micros())?;
                    let frame = target.signal(partner, format!(r#"[{micros},"{padding}"]"#));
                    socket.send(Message::text(frame)).await?;
                    number += 1;
                    if number.is_multiple_of(50) {
                        socket.send(Message::text(target.signal(slow, format!(r#"[{micros},"{padding}"]"#)))).await?;
                        slowly.fetch_add(1, Ordering::SeqCst);
                    }
                }
                message = socket.next() => match message.transpose()? {
                    Some(Message::Text(text)) => match serde_json::from_str(&text)? {
                        ServerMessage::Signal { data, .. } => {
                            if let Ok((sent, _)) = serde_json::from_str::<(u64, &str)>(data.get()) {
                                let now = u64::try_from(begun.elapsed().as_micros())?;
                                // At the end nothing receives them.
                                let _ = waits.send(now.saturating_sub(sent) as f64 / 1e3);
                            }
                        }
                        // At the end its partner may have left before it.
                        ServerMessage::Error { .. } if stop.load(Ordering::SeqCst) => return Ok(()),
                        ServerMessage::Error { code, .. } => return Err(ClientError::Refused(code).into()),
                        _ => {}
                    },
                    Some(Message::Close(_)) | None => return Err(ClientError::Ended.into()),
                    Some(_) => {}
                }
            }
        }
    }
}
