//! How long it takes until everybody is back after the server was killed and started again.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use crate::Result;
use crate::client::{Peer, Socket, Sources, Target, topic};
use crate::process::{Server, affordable};
use crate::report::result;
use crate::serve::Serve;

/// As converge's peers have it: a random time up to this, doubled with each failure, up to `BACKOFF_MAX`.
const BACKOFF: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

/// And this long for one try.
const JOIN_WITHIN: Duration = Duration::from_secs(10);

/// Then it has failed.
const BACK_WITHIN: Duration = Duration::from_secs(120);

/// Of each room.
const MEMBERS: u64 = 8;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Storm {
    /// In rooms of eight
    #[arg(long, default_value_t = 10_000)]
    pub(crate) peers: usize,
}

#[derive(Default)]
struct Tally {
    welcomes: AtomicU64,
    losses: AtomicU64,
    failures: AtomicU64,
    /// When each welcome came.
    times: Mutex<Vec<Instant>>,
}

impl Tally {
    fn joined(&self) -> u64 {
        let losses = self.losses.load(Ordering::SeqCst);
        self.welcomes.load(Ordering::SeqCst) - losses
    }

    fn times(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn run(storm: &Storm) -> Result<()> {
    let peers = affordable(storm.peers, 0)? as u64;
    let mut server = Server::product(&Serve::default())?;
    let target = server.target;
    let (tally, sources) = (Arc::<Tally>::default(), Arc::<Sources>::default());
    let mut clients = JoinSet::new();
    for number in 0..peers {
        clients.spawn(keep_joined(target, number, sources.clone(), tally.clone()));
    }
    until("all have joined", || tally.joined() == peers).await?;
    println!("storm: {peers} peers in rooms of {MEMBERS}");
    // What was failed at until here is no part of it.
    let failed = tally.failures.load(Ordering::SeqCst);

    let overflows = listen_overflows();
    let begun = Instant::now();
    tally.times().clear();
    let port = target.addr.port();
    server = spawn_blocking(move || {
        drop(server);
        Server::product(&Serve { port, ..Serve::default() }).map_err(|error| error.to_string())
    })
    .await??;
    let restarted = begun.elapsed();
    until("all have noticed", || tally.losses.load(Ordering::SeqCst) >= peers).await?;
    until("all are back", || tally.joined() == peers).await?;
    let took = begun.elapsed();

    // Somebody there twice, or half, would show within the time that the absent are waited for.
    sleep(Duration::from_secs(6)).await;
    let metrics = server.metrics().await?;
    let (members, connections) = (metrics.get("converge_members"), metrics.get("converge_connections"));
    if (members, connections) != (peers, peers) || tally.joined() != peers {
        let joined = tally.joined();
        return Err(format!("{joined} are back, but there are {members} members with {connections} connections").into());
    }
    println!(
        "  the server was gone for {:.3} s; {} tries failed; no ghosts: {members} members with {connections} connections",
        restarted.as_secs_f64(),
        tally.failures.load(Ordering::SeqCst) - failed,
    );
    let mut times: Vec<f64> = tally.times().iter().map(|at| (*at - begun).as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    let after = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    println!(
        "  half were back after {:.2} s, 90 % after {:.2} s, 99 % after {:.2} s; the server's CPU time since its start: \
         {:.2} s; found its listening queue full, and so waited for a second or more: {} times",
        after(50),
        after(90),
        after(99),
        server.cpu()?.as_secs_f64(),
        listen_overflows().saturating_sub(overflows),
    );
    let name = if peers == 10_000 { "storm_10k_s".to_owned() } else { format!("storm_{peers}_s") };
    result(&name, took.as_secs_f64(), 2, "s");
    Ok(())
}

/// Of the whole machine, or rather of this network namespace. Zero where the kernel doesn't say.
fn listen_overflows() -> u64 {
    let text = fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let value = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "ListenOverflows");
    value.and_then(|(_, value)| value.parse().ok()).unwrap_or_default()
}

async fn until(what: &str, done: impl Fn() -> bool) -> Result<()> {
    let waited = async {
        while !done() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(BACK_WITHIN, waited).await.map_err(|_| format!("not in time: {what}").into())
}

/// What a client does: it joins, stays, and comes back.
async fn keep_joined(target: Target, number: u64, sources: Arc<Sources>, tally: Arc<Tally>) {
    let peer = Peer::new(number);
    let mut random = fastrand::Rng::with_seed(number);
    let mut failures = 0;
    loop {
        let bound = BACKOFF.saturating_mul(1 << failures).min(BACKOFF_MAX);
        sleep(bound.mul_f64(random.f64())).await;
        let join = target.join(&peer, topic("storm", number / MEMBERS), sources.next());
        let Ok(Ok(mut socket)) = timeout(JOIN_WITHIN, join).await else {
            tally.failures.fetch_add(1, Ordering::SeqCst);
            failures = (failures + 1).min(10);
            continue;
        };
        tally.times().push(Instant::now());
        tally.welcomes.fetch_add(1, Ordering::SeqCst);
        failures = 0;
        stay(&mut socket).await;
        tally.losses.fetch_add(1, Ordering::SeqCst);
    }
}

async fn stay(socket: &mut Socket) {
    while let Some(Ok(_)) = socket.next().await {}
}
