//! Whether the other end of a link still lives.

use std::time::Duration;

use crate::timer::{Time, Timings};

/// Whether the other end still lives, judged by any traffic.
///
/// A silent link is pinged; one whose ping stays unanswered is dead. Browsers throttle the timers of hidden tabs and
/// stop them in sleep, but not the delivery of messages, so the peer's answer comes even if its page is hidden; and a
/// wake-up of our own that comes late proves nothing until another ping has gone unanswered.
#[derive(Debug)]
pub(crate) struct Liveness {
    pub(crate) heard: Time,
    ping: Option<Ping>,
    token: u32,
    /// When the ping of that token was sent.
    sent: Time,
    /// The last round-trip time.
    pub(crate) rtt: Option<Duration>,
}

#[derive(Debug)]
struct Ping {
    asked: Time,
    deadline: Time,
    second_chance: bool,
    /// It has been noticed that this takes long.
    doubted: bool,
}

/// What a link wants at its deadline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pulse {
    Fine,
    Ping(u32),
    /// No answer for a while: perhaps nothing gets through.
    Doubt,
    Dead,
}

impl Liveness {
    pub(crate) fn new(now: Time) -> Self {
        Self { heard: now, ping: None, token: 0, sent: now, rtt: None }
    }

    pub(crate) fn heard(&mut self, now: Time) {
        self.heard = now;
        self.ping = None;
    }

    pub(crate) fn pong(&mut self, now: Time, token: u32) {
        if token == self.token {
            self.rtt = Some(now.since(self.sent));
        }
    }

    fn ping(&mut self, now: Time) -> u32 {
        self.token = self.token.wrapping_add(1);
        self.sent = now;
        self.token
    }

    /// Asks now, whatever was heard before. Returns the token to ping with.
    pub(crate) fn probe(&mut self, now: Time, wait: Duration) -> u32 {
        let asked = Ping { asked: now, deadline: now + wait, second_chance: false, doubted: false };
        let ping = self.ping.get_or_insert(asked);
        ping.deadline = ping.deadline.min(now + wait);
        self.ping(now)
    }

    /// Waits longer for the answer: something is being done about it.
    pub(crate) fn postpone(&mut self, until: Time) {
        if let Some(ping) = &mut self.ping {
            ping.deadline = ping.deadline.max(until);
        }
    }

    pub(crate) fn is_doubtful(&self, now: Time, timings: &Timings) -> bool {
        self.ping.as_ref().is_some_and(|ping| now.since(ping.asked) >= timings.doubt)
    }

    pub(super) fn deadline(&self, timings: &Timings) -> Time {
        match &self.ping {
            None => self.heard + timings.link_idle,
            Some(ping) if !ping.doubted => ping.deadline.min(ping.asked + timings.doubt),
            Some(ping) => ping.deadline,
        }
    }

    /// To be called when the deadline may have passed. `late`: this wake-up itself came much later than asked for.
    pub(crate) fn check(&mut self, now: Time, late: bool, timings: &Timings) -> Pulse {
        if now < self.deadline(timings) {
            return Pulse::Fine;
        }
        match &mut self.ping {
            Some(ping) if now < ping.deadline && !late => {
                ping.doubted = true;
                Pulse::Doubt
            }
            Some(ping) if !late || ping.second_chance => Pulse::Dead,
            ping => {
                let second_chance = ping.is_some();
                *ping = Some(Ping { asked: now, deadline: now + timings.link_pong, second_chance, doubted: false });
                Pulse::Ping(self.ping(now))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_silent_link_is_pinged_then_doubted_and_then_dead() {
        let timings = Timings::default();
        let mut link = Liveness::new(at(0));
        assert_eq!(link.check(at(4), false, &timings), Pulse::Fine);
        assert_eq!(link.check(at(5), false, &timings), Pulse::Ping(1));
        assert!(!link.is_doubtful(at(6), &timings));
        assert_eq!(link.check(at(7), false, &timings), Pulse::Doubt);
        assert!(link.is_doubtful(at(7), &timings));
        assert_eq!(link.check(at(14), false, &timings), Pulse::Fine, "it is doubted once");
        assert_eq!(link.check(at(15), false, &timings), Pulse::Dead);
    }

    #[test]
    fn any_traffic_keeps_a_link_alive() {
        let timings = Timings::default();
        let mut link = Liveness::new(at(0));
        assert_eq!(link.check(at(5), false, &timings), Pulse::Ping(1));
        link.heard(at(14));
        assert_eq!(link.check(at(15), false, &timings), Pulse::Fine);
        assert!(!link.is_doubtful(at(15), &timings));
    }

    #[test]
    fn a_pong_tells_the_round_trip_time_but_not_a_late_one() {
        let timings = Timings::default();
        let mut link = Liveness::new(at(0));
        let (first, second) = (link.probe(at(1), timings.probe), link.probe(at(2), timings.probe));
        link.pong(at(3), first);
        assert_eq!(link.rtt, None);
        link.pong(at(3), second);
        assert_eq!(link.rtt, Some(Duration::from_secs(1)));
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
}
