//! How tests begin: with pages that are linked, or with one room alone whose server and other members the test is.

use std::time::Duration;

use converge_signal::protocol::{Limits, Member, Offerer, ServerMessage, VERSION, Welcome};
use converge_signal::{Nonce, TopicHash};

use super::{NodeId, Sim};
use crate::event::Event;
use crate::identity::Identity;
use crate::lane::Delivery;
use crate::room::{Config, Input};
use crate::timer::Timings;

impl Sim {
    /// Two pages with a link that is in use.
    ///
    /// # Panics
    /// If they are not linked within 10 s.
    pub fn pair(seed: u64) -> (Self, NodeId, NodeId) {
        let mut sim = Self::new(seed);
        let (a, b) = (sim.open(), sim.open());
        sim.link_all(Duration::from_secs(10));
        sim.run_for(Duration::from_secs(2));
        sim.take_events(a);
        sim.take_events(b);
        (sim, a, b)
    }

    /// Lets time pass until all open pages are linked.
    ///
    /// # Panics
    /// If they are not within that time.
    pub fn link_all(&mut self, within: Duration) {
        let done = self.run_until(within, Self::all_linked);
        assert!(done, "seed {}: {:?}", self.seed(), self.unlinked());
    }

    /// Whether a page's application was told of something like this, and the test has not taken it.
    pub fn was_told(&self, node: NodeId, what: impl Fn(&Event) -> bool) -> bool {
        self.events(node).iter().any(what)
    }
}

/// What a room alone is made of.
pub fn config(identity: Identity, lanes: Vec<Delivery>) -> Config {
    Config {
        topic: TopicHash::from_bytes([7; 32]),
        identity,
        origin: String::new(),
        seed: 1,
        timings: Timings::default(),
        lanes,
        token: None,
    }
}

/// What the server says.
///
/// # Panics
/// Never: every message has a form in JSON.
pub fn server_says(message: &ServerMessage) -> Input {
    match serde_json::to_string(message) {
        Ok(text) => Input::SocketFrame(text),
        Err(error) => panic!("{error}"),
    }
}

/// What brings a core into a room in which these members are; it is to make the offers.
pub fn entrance(seq: u64, members: Vec<Member>) -> [Input; 3] {
    let limits = Limits::default();
    let total = u32::try_from(members.len() + 1).unwrap_or(u32::MAX);
    let welcome = Welcome { seq, offerer: Offerer::Newcomer, members, total, ice_servers: Vec::new() };
    [
        Input::SocketOpen,
        server_says(&ServerMessage::Challenge { v: VERSION, nonce: Nonce::from_bytes([1; 32]), limits }),
        server_says(&ServerMessage::Welcome(welcome)),
    ]
}
