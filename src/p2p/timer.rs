//! Core time: what the driver's clock says, handed in with each input.

use std::ops::{Add, AddAssign};
use std::time::Duration;

/// A moment, in microseconds since a start of the driver's choosing.
///
/// The core never reads a clock (`std::time::Instant` panics in the browser): the driver passes the time in, so a test
/// can run hours in milliseconds and replay them exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The start.
    pub const ZERO: Self = Self(0);

    /// The moment this many microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is before.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, by: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, by: Duration) {
        *self = *self + by;
    }
}

/// How long the core waits for things. The defaults suit browsers on the internet; tests shorten or stretch them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// From opening the socket to `welcome`; then it is tried again. Default 10 s.
    pub join: Duration,
    /// The socket has been silent this long: ask whether it lives. Default 25 s, under the 60 s after which proxies
    /// cut idle connections.
    pub server_idle: Duration,
    /// How long the server has to answer. Default 10 s.
    pub server_pong: Duration,
    /// Reconnecting waits a random time up to this, doubled with each failure ("full jitter",
    /// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). Default 0.5 s.
    pub backoff_base: Duration,
    /// The most it waits. Default 15 s.
    pub backoff_max: Duration,
    /// From the offer to an open link; then it is tried again. Default 15 s.
    pub dial: Duration,
    /// How long the side that doesn't offer waits for an offer before it asks for one. Default 8 s.
    pub await_offer: Duration,
    /// A link has been silent this long: ping it. Default 5 s.
    pub link_idle: Duration,
    /// How long a peer has to answer before its link counts as dead. Default 10 s.
    pub link_pong: Duration,
    /// The same when there is reason for doubt: the server lost the peer, or ICE reports trouble. Default 4 s.
    pub probe: Duration,
    /// A peer that leaves a ping unanswered this long is shown as stale, and ICE is restarted. Default 2 s.
    pub doubt: Duration,
    /// ICE reports trouble for this long: it is restarted. Default 2 s; browsers often recover by themselves before.
    pub restart: Duration,
    /// How long a restart of ICE may take; then the connection is replaced by another. Default 8 s.
    pub heal: Duration,
    /// Nothing was heard of a peer for this long, its link is lost, and the server doesn't list it: it has gone.
    /// Default 15 s, which a change of network or a short sleep take less than.
    pub gone: Duration,
    /// What has arrived is acknowledged after this, if not sooner. Default 200 ms.
    pub ack: Duration,
    /// A presence slot is sent at most this often; in between only its newest value is kept. Default 16 ms, a frame at
    /// 60 Hz.
    pub presence: Duration,
    /// A presence slot that has not changed for this long is sent once more, reliably. Default 250 ms.
    pub settle: Duration,
    /// What waits for a peer has not moved for this long: the application is told. Default 30 s.
    pub stall: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            join: s(10),
            server_idle: s(25),
            server_pong: s(10),
            backoff_base: Duration::from_millis(500),
            backoff_max: s(15),
            dial: s(15),
            await_offer: s(8),
            link_idle: s(5),
            link_pong: s(10),
            probe: s(4),
            doubt: s(2),
            restart: s(2),
            heal: s(8),
            gone: s(15),
            ack: Duration::from_millis(200),
            presence: Duration::from_millis(16),
            settle: Duration::from_millis(250),
            stall: s(30),
        }
    }
}

impl Timings {
    /// A random wait before try number `failures` (from 0): between zero and the doubled-and-capped base.
    pub(crate) fn backoff(&self, failures: u32, random: &mut fastrand::Rng) -> Duration {
        let cap = self.backoff_base.saturating_mul(1 << failures.min(10)).min(self.backoff_max);
        cap.mul_f64(random.f64())
    }
}
