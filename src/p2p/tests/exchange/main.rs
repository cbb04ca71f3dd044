//! What two pages exchange beside messages: presence, what the person does, requests and replies, files.
#![allow(clippy::unwrap_used, clippy::panic)]

mod files;
mod presence;
mod requests;

use std::time::Duration;

use converge_p2p::room::Input;
use converge_p2p::sim::{NodeId, Sim, pattern};
use converge_p2p::{
    Activity, Event, Lane, Payload, RequestError, RequestId, SendError, Transfer, TransferError, TransferId,
    TransferState,
};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

fn text(text: &str) -> Payload {
    Payload { codec: 0, bytes: text.as_bytes().to_vec() }
}
