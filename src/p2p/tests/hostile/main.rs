//! A peer that sends what no page would, against one room: each time its link is closed with a reason or what it sent
//! is ignored; nothing panics, little is held, and the link to another peer goes on as if nothing had happened.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bench;
mod claims;
mod floods;
mod frames;

use std::sync::Arc;
use std::time::Duration;

use converge_p2p::room::{
    FileEvent, Input, LinkEvent, MAX_INCOMING_BYTES_PER_PEER, MAX_QUEUED_ANSWERS, MAX_QUEUED_MESSAGES, Output, RoomCore,
};
use converge_p2p::sim::{config, entrance, server_says};
use converge_p2p::wire::{
    Answer, Body, FILE, FIRST, Frame, Hello, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, MAX_NAME_BYTES, MAX_SLOTS, MORE, PACK,
    Value, WHOLE, WireError,
};
use converge_p2p::{
    Activity, Delivery, Diagnosis, DisconnectReason, Event, Identity, Lane, LinkChange, LinkId, Payload, PeerId,
    PeerState, Sdp, SendError, Time, Timings, TransferId, TransferState,
};
use converge_signal::protocol::{Departed, ErrorCode, LeftReason, Member, ServerMessage};
use serde_json::value::RawValue;

use self::bench::{Attack, BOUND, Bench, Closed, Fate, Ignored, PROTOCOL, run, text, value};
