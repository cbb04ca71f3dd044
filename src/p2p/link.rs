//! One connection to one peer: from the offer to its end.

use converge_signal::Incarnation;
use serde::{Deserialize, Serialize};

use crate::timer::{Time, Timings};

/// Names a connection between the core and its driver. Never used twice in one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub(crate) u64);

/// Which side of the offer this peer is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// This side makes the offer.
    Offerer,
    /// This side answers.
    Answerer,
}

/// An ICE candidate, with the names of `RTCIceCandidateInit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The candidate line.
    pub candidate: String,
    /// The media description it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    /// The index of that description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_m_line_index: Option<u16>,
}

/// What two peers say to each other through the server to make a connection.
///
/// Every one names its attempt, so that what is late from an old attempt is told from what belongs to the new one.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Negotiation {
    /// The attempt: a random number that the offerer chose.
    pub(crate) attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) offer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) candidate: Option<Candidate>,
    /// "You are the one who offers: please do." From a side that has waited for an offer in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dial: Option<Dial>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Dial {}

/// Candidates that may wait for the remote description; browsers make about ten.
const MAX_EARLY_CANDIDATES: usize = 64;

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) attempt: u32,
    pub(crate) role: Role,
    /// Which life of the peer it leads to.
    pub(crate) incarnation: Incarnation,
    /// Remote candidates that came before the remote description was set; none once it is.
    early: Option<Vec<Candidate>>,
    /// The remote description has been given to the driver.
    pub(crate) described: bool,
    pub(crate) stage: Stage,
    /// The driver takes frames; false while its buffer is over the high-water mark.
    pub(crate) writable: bool,
}

#[derive(Debug)]
pub(crate) enum Stage {
    /// Being made; given up at the deadline.
    Dialling { deadline: Time },
    /// The channel is open, the peer's hello is awaited.
    Greeting { deadline: Time },
    /// In use.
    Open(Liveness),
}

impl Link {
    pub(crate) fn new(id: LinkId, attempt: u32, role: Role, incarnation: Incarnation, deadline: Time) -> Self {
        Self {
            id,
            attempt,
            role,
            incarnation,
            early: Some(Vec::new()),
            described: false,
            stage: Stage::Dialling { deadline },
            writable: true,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// A remote candidate: the one to apply now, or nothing if it must wait (or there are absurdly many).
    pub(crate) fn candidate(&mut self, candidate: Candidate) -> Option<Candidate> {
        match &mut self.early {
            None => Some(candidate),
            Some(early) => {
                if early.len() < MAX_EARLY_CANDIDATES {
                    early.push(candidate);
                }
                None
            }
        }
    }

    /// The remote description is set: the candidates that have waited for it.
    pub(crate) fn remote_set(&mut self) -> Vec<Candidate> {
        self.early.take().unwrap_or_default()
    }

    pub(crate) fn deadline(&self, timings: &Timings) -> Time {
        match &self.stage {
            Stage::Dialling { deadline } | Stage::Greeting { deadline } => *deadline,
            Stage::Open(liveness) => liveness.deadline(timings),
        }
    }
}

/// Whether the other end still lives, judged by any traffic.
///
/// A silent link is pinged; one whose ping stays unanswered is dead. Browsers throttle the timers of hidden tabs and
/// stop them in sleep, but not the delivery of messages, so the peer's answer comes even if its page is hidden; and a
/// wake-up of our own that comes late proves nothing until another ping has gone unanswered.
#[derive(Debug)]
pub(crate) struct Liveness {
    heard: Time,
    ping: Option<Ping>,
    token: u32,
}

#[derive(Debug)]
struct Ping {
    deadline: Time,
    second_chance: bool,
}

/// What a link wants at its deadline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pulse {
    Fine,
    Ping(u32),
    Dead,
}

impl Liveness {
    pub(crate) fn new(now: Time) -> Self {
        Self { heard: now, ping: None, token: 0 }
    }

    pub(crate) fn heard(&mut self, now: Time) {
        self.heard = now;
        self.ping = None;
    }

    /// Asks now, whatever was heard before. Returns the token to ping with.
    pub(crate) fn probe(&mut self, now: Time, wait: std::time::Duration) -> u32 {
        let deadline = now + wait;
        let second_chance = self.ping.as_ref().is_some_and(|p| p.second_chance);
        let deadline = self.ping.as_ref().map_or(deadline, |p| p.deadline.min(deadline));
        self.ping = Some(Ping { deadline, second_chance });
        self.token = self.token.wrapping_add(1);
        self.token
    }

    fn deadline(&self, timings: &Timings) -> Time {
        self.ping.as_ref().map_or(self.heard + timings.link_idle, |p| p.deadline)
    }

    /// To be called when the deadline may have passed. `late`: this wake-up itself came much later than asked for.
    pub(crate) fn check(&mut self, now: Time, late: bool, timings: &Timings) -> Pulse {
        if now < self.deadline(timings) {
            return Pulse::Fine;
        }
        match &self.ping {
            Some(ping) if !late || ping.second_chance => Pulse::Dead,
            ping => {
                let second_chance = ping.is_some();
                self.ping = Some(Ping { deadline: now + timings.link_pong, second_chance });
                self.token = self.token.wrapping_add(1);
                Pulse::Ping(self.token)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_protocol_s_document_shows_what_peers_say() {
        let document = include_str!("../signal/PROTOCOL.md");
        let examples: Vec<&str> = document.split("```").filter_map(|block| block.strip_prefix("json data\n")).collect();
        assert_eq!(examples.len(), 4);
        for example in examples {
            let Ok(parsed) = serde_json::from_str::<Negotiation>(example) else { panic!("{example}") };
            assert_eq!(serde_json::to_string(&parsed).ok().as_deref(), Some(example.trim()));
        }
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_silent_link_is_pinged_and_then_dead() {
        let timings = Timings::default();
        let mut link = Liveness::new(at(0));
        assert_eq!(link.check(at(4), false, &timings), Pulse::Fine);
        assert_eq!(link.check(at(5), false, &timings), Pulse::Ping(1));
        assert_eq!(link.check(at(14), false, &timings), Pulse::Fine);
        assert_eq!(link.check(at(15), false, &timings), Pulse::Dead);
    }

    #[test]
    fn any_traffic_keeps_a_link_alive() {
        let timings = Timings::default();
        let mut link = Liveness::new(at(0));
        assert_eq!(link.check(at(5), false, &timings), Pulse::Ping(1));
        link.heard(at(14));
        assert_eq!(link.check(at(15), false, &timings), Pulse::Fine);
    }

    #[test]
    fn waking_late_kills_no_link_unasked_but_does_not_spare_it_for_ever() {
        let timings = Timings::default();
        let mut link = Liveness::new(at(0));
        assert_eq!(link.check(at(5), false, &timings), Pulse::Ping(1));
        assert_eq!(link.check(at(3600), true, &timings), Pulse::Ping(2), "after a sleep the peer is asked again");
        assert_eq!(link.check(at(7200), true, &timings), Pulse::Dead, "but only once");
    }

    #[test]
    fn a_probe_never_puts_the_end_off() {
        let timings = Timings::default();
        let mut link = Liveness::new(at(0));
        link.probe(at(1), timings.probe);
        link.probe(at(4), timings.probe);
        assert_eq!(link.check(at(5), false, &timings), Pulse::Dead);
    }

    #[test]
    fn candidates_wait_for_the_remote_description() {
        let mut link = Link::new(LinkId(1), 7, Role::Offerer, 1, at(15));
        let candidate =
            |n: usize| Candidate { candidate: n.to_string(), sdp_mid: Some("0".into()), sdp_m_line_index: Some(0) };
        for n in 0..100 {
            assert_eq!(link.candidate(candidate(n)), None);
        }
        let waited = link.remote_set();
        assert_eq!(waited.len(), MAX_EARLY_CANDIDATES);
        assert_eq!(waited[0], candidate(0));
        assert_eq!(link.candidate(candidate(100)), Some(candidate(100)));
    }
}
