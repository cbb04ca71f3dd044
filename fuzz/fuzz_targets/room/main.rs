//! A room that has joined, with links to two others, driven by any bytes: what peers and the server say, what happens
//! to links and files, what the application asks for, and time.
//!
//! Each step takes a few bytes: which step it is, then its numbers. Most steps are well formed, for what is not is
//! refused early and leads nowhere; the target `frame` and two steps here see to the rest. What must hold:
//! * nothing panics (debug assertions are on);
//! * what is held was passed in, and is under the bound of the hostile tests apart from what the application sends;
//! * time handed in at a wake-up is taken note of: a timer that is due again at once, for ever, would stop the page.
#![no_main]

mod bench;
mod source;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use converge_p2p::room::{Config, FileEvent, Input, LinkEvent, Output, RoomCore};
use converge_p2p::sim::{config, entrance, server_says};
use converge_p2p::wire::{
    Answer, Body, FILE, FIRST, Frame, Hello, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, MORE, PACK, Packet, Value, unpack,
};
use converge_p2p::{
    Activity, Candidate, Delivery, ErrorCode, Event, Identity, Lane, LinkId, Payload, PeerId, RequestId, Sdp, Status,
    Time, TransferId,
};
use converge_signal::protocol::{Departed, LeftReason, Member, ServerMessage};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

use self::bench::Bench;
use self::source::Source;

/// What the room may hold that others made it hold: unfinished messages, as in the hostile tests, of each of the peers.
const BOUND: usize = 3 * MAX_MESSAGE_BYTES * REMOTES;

/// The peers there are. The first two are in the room, the third may come later and then makes the offer, the fourth is
/// the room's own id, which others may claim.
const REMOTES: usize = 3;

/// A step makes the room hold at most so much beside the bytes that were passed in: a reply, or a word about a file.
const STEP_BYTES: usize = 2048;

/// The room counts each waiting frame with this much beside its bytes.
const ENTRY_BYTES: usize = 64;

/// This many wake-ups in a row may ask for another at the same time.
const SPINS: usize = 100;

/// Ed25519 keys take longer to make than all the rest.
static IDENTITIES: LazyLock<Vec<Identity>> =
    LazyLock::new(|| [1, 2, 4, 3].iter().map(|secret| Identity::from_secret(&[*secret; 32], 1)).collect());
static IDS: LazyLock<Vec<PeerId>> = LazyLock::new(|| IDENTITIES.iter().map(Identity::id).collect());

const NAMES: [&str; 8] = [
    "chat",
    "a",
    "b",
    "",
    "é",
    "../x",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];
static ZEROS: [u8; MAX_FRAME_BYTES] = [0; MAX_FRAME_BYTES];

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source(bytes);
    let mut bench = Bench::new(source.byte());
    while !source.0.is_empty() && !matches!(bench.core.status(), Status::Closed(_)) {
        bench.steps += 1;
        bench.step(&mut source);
    }
    bench.alive = 0;
    bench.busy = false;
    bench.work();
    // Nothing more comes from anybody: whatever was begun is given up, and the room goes on at its own pace.
    bench.pass(Duration::from_secs(120), Duration::ZERO);
    bench.core.leave();
    bench.drain();
    assert_eq!(bench.core.connections(), 0, "who has left has no connections");
    assert!(bench.core.next_wakeup().is_none(), "nor anything to wait for");
});
