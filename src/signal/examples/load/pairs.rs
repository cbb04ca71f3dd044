//! Pairs of members that behave: each sends its partner signals at a steady rate that the limits allow, counts what
//! comes, and looks whether anything is missing.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use converge_signal::PeerId;
use converge_signal::protocol::ServerMessage;
use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_tungstenite::tungstenite::Message;

use crate::Result;
use crate::client::{Peer, Socket, Target, topic};

/// From one signal to the next on one connection: half of the rate that is allowed.
const EVERY: Duration = Duration::from_millis(20);

/// With the numbers before it, some 300 bytes.
const PADDING_BYTES: usize = 280;

/// What was under way has come after this, as a rule.
const SETTLED: Duration = Duration::from_millis(200);

/// And after this in any case.
const SETTLED_AT_LAST: Duration = Duration::from_secs(5);

pub(crate) struct Pairs {
    tasks: JoinSet<()>,
    tally: Arc<Tally>,
}

struct Tally {
    begun: Instant,
    running: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
    missing: AtomicU64,
    ended: AtomicU64,
    /// The longest that a signal was under way, in µs.
    slowest: AtomicU64,
}

impl Pairs {
    pub(crate) async fn join(target: Target, pairs: u8) -> Result<Self> {
        let tally = Arc::new(Tally {
            begun: Instant::now(),
            running: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            missing: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            slowest: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        for pair in 0..pairs {
            let peers = [0, 1].map(|side| Peer::new((1 << 48) + u64::from(pair) * 2 + side));
            for (me, partner) in [(&peers[0], &peers[1]), (&peers[1], &peers[0])] {
                let source = Ipv4Addr::new(127, 0, 200, pair.saturating_add(1));
                let socket = target.join(me, topic("pair", pair.into()), source).await?;
                tasks.spawn(converse(socket, target, partner.id, tally.clone()));
            }
        }
        Ok(Self { tasks, tally })
    }

    /// Starts them, or has them pause and waits until nothing is under way.
    pub(crate) async fn run(&self, running: bool) {
        self.tally.running.store(running, Ordering::SeqCst);
        sleep(SETTLED).await;
    }

    pub(crate) fn received(&self) -> u64 {
        self.tally.received.load(Ordering::SeqCst)
    }

    /// The longest that a signal was under way since this was last asked.
    pub(crate) fn slowest(&self) -> Duration {
        Duration::from_micros(self.tally.slowest.swap(0, Ordering::SeqCst))
    }

    /// Nothing was lost. To be asked while they pause.
    pub(crate) async fn check(&self) -> Result<u64> {
        let deadline = Instant::now() + SETTLED_AT_LAST;
        let Tally { sent, received, missing, ended, .. } = &*self.tally;
        loop {
            let [sent, received, missing, ended] = [sent, received, missing, ended].map(|n| n.load(Ordering::SeqCst));
            if sent == received && missing + ended == 0 && !self.tasks.is_empty() {
                return Ok(received);
            }
            if Instant::now() > deadline {
                let text = format!("{sent} sent, {received} received, {missing} missing, {ended} sockets ended");
                return Err(format!("those who behave have suffered: {text}").into());
            }
            sleep(SETTLED).await;
        }
    }
}

async fn converse(mut socket: Socket, target: Target, partner: PeerId, tally: Arc<Tally>) {
    let padding = "x".repeat(PADDING_BYTES);
    // Not all at the same moment.
    let phase = f64::from(partner.as_bytes()[0]) / 256.0;
    let mut ticks = interval_at(Instant::now() + EVERY.mul_f64(phase), EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut sent, mut expected) = (0_u64, 0_u64);
    loop {
        let alive = tokio::select! {
            _ = ticks.tick() => {
                if !tally.running.load(Ordering::SeqCst) {
                    continue;
                }
                let now = u64::try_from(tally.begun.elapsed().as_micros()).unwrap_or_default();
                let data = format!(r#"[{sent},{now},"{padding}"]"#);
                sent += 1;
                tally.sent.fetch_add(1, Ordering::SeqCst);
                socket.send(Message::text(target.signal(partner, data))).await.is_ok()
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    if let Ok(ServerMessage::Signal { data, .. }) = serde_json::from_str(&text)
                        && let Ok((number, at, _)) = serde_json::from_str::<(u64, u64, &str)>(data.get())
                    {
                        tally.missing.fetch_add(number.abs_diff(expected), Ordering::SeqCst);
                        expected = number + 1;
                        tally.received.fetch_add(1, Ordering::SeqCst);
                        let now = u64::try_from(tally.begun.elapsed().as_micros()).unwrap_or_default();
                        tally.slowest.fetch_max(now.saturating_sub(at), Ordering::SeqCst);
                    }
                    true
                }
                Some(Ok(Message::Ping(_))) => true,
                _ => false,
            },
        };
        if !alive {
            tally.ended.fetch_add(1, Ordering::SeqCst);
            return;
        }
    }
}
