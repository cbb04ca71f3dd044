//! Links that break in every way the simulator knows, and what may come of it: nothing is lost without word of it, and
//! nothing is doubled. A failure names its seed, and
//! `SEED=n cargo test -p converge-p2p --features sim --test healing` runs the random schedule of that seed alone.
#![allow(clippy::unwrap_used, clippy::panic)]

mod mended;
mod random;
mod slow;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use converge_p2p::room::Input;
use converge_p2p::sim::{NodeId, Sim, Weather};
use converge_p2p::{Activity, Delivery, DisconnectReason, Event, Lane, Payload, PeerId, PeerState, SendError, Status};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// What a room of a random schedule may hold at any time: all that such a page ever sends to four others.
const RANDOM_BOUND: usize = 24 * 1024 * 1024;
/// What is left when all is acknowledged: nothing of messages; some of presence and of how links were negotiated.
const AT_REST: usize = 64 * 1024;

fn bytes(payload: Vec<u8>) -> Payload {
    Payload { codec: 0, bytes: payload }
}

/// A message that says its number and has so many bytes.
fn numbered(number: u64, size: usize) -> Payload {
    let mut text = format!("{number} ").into_bytes();
    text.resize(size.max(text.len()), b'.');
    bytes(text)
}

fn number(payload: &Payload) -> u64 {
    let text = String::from_utf8_lossy(&payload.bytes);
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap()
}

fn send(sim: &mut Sim, from: NodeId, to: NodeId, lane: Lane, payload: &Payload) -> Result<(), SendError> {
    let to = sim.id(to);
    sim.call(from, |core, now| core.send_to(now, to, lane, "numbers", payload))
}

/// The numbers that a page got from another, in the order in which they came, and how long the messages were.
fn numbers(sim: &Sim, node: NodeId, from: NodeId) -> Vec<(u64, usize)> {
    let from = sim.id(from);
    let got = |event: &Event| match event {
        Event::Message { from: sender, payload, .. } if *sender == from => Some((number(payload), payload.bytes.len())),
        _ => None,
    };
    sim.events(node).iter().filter_map(got).collect()
}

fn lost_link(event: &Event) -> bool {
    matches!(event, Event::PeerDisconnected { .. } | Event::PeerLeft { .. })
}

fn restarts(sim: &Sim, node: NodeId) -> u32 {
    sim.core(node).report(sim.clock(node)).links.iter().map(|link| link.restarts).sum()
}

/// Runs something for each seed, on every processor there is.
fn for_seeds(seeds: std::ops::Range<u64>, run: impl Fn(u64) + Sync) {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        return run(seed);
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (run, seeds) = (&run, seeds.clone());
            scope.spawn(move || seeds.filter(|seed| seed % workers == worker).for_each(run));
        }
    });
}
