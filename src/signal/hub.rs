//! The hub: connections, the topics they joined, and who hears what. A pure state machine, without sockets, clock or
//! randomness, so that a simulator runs the code that production runs.
//!
//! Drive it so:
//!
//! 1. Give each connection a [`Session`], which reads its frames.
//! 2. Pass each [`Input`] to [`Hub::handle`], with the time since some moment of your choice, then drain [`Hub::poll`]
//!    until it returns `None` and do what each [`Output`] says. Debug builds assert the drain.
//! 3. When the time that [`Hub::wake_at`] names has come, pass [`Input::Woken`].
//!
//! After an [`Output::Close`] nothing more is said about that connection, and what it still sends is ignored.
//!
//! # What things cost
//! Nothing here looks at all connections, all topics or all members. A signal is two look-ups. A join costs at most
//! [`Limits::max_sample`] members in its `welcome`, and is told to as many; a leave is told to twice as many on
//! average.
//!
//! A newcomer introduces itself, by the offers it makes: their stamps say all that a `joined` would. So the others are told
//! of it only after [`Settings::introduce`], and only those it has not signalled by then. Who has left is told at once
//! after a quiet time, and else together with what happens within [`Settings::tick`].
//!
//! Members that join and leave before the others were notified are still announced, by a `joined` and then a `left`: no
//! visit stays unseen.
//!
//! # Coming back
//! A member whose socket ends without a word keeps its seat for [`Settings::grace`]. It is not named to newcomers
//! meanwhile, and can't be reached. If the same life of it comes back, nobody is told that anything had happened;
//! else it is said to be lost once the time is over.
//!
//! Seats of absent members don't keep newcomers out of a full topic for long. A newcomer takes the seat of a member
//! that was present for less than the grace period before its socket ended. Without such a member, it takes any absent
//! member's seat, while those hold more than a quarter of [`Limits::max_topic_members`]. The absent member is then lost
//! at once.

mod announce;
mod refusals;
mod rooms;
mod session;

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

pub use self::refusals::{close_code, error_frame, explain};
use self::rooms::{News, Rooms, SeatKey};
pub use self::session::{Frame, Join, Session};
use crate::ids::{Nonce, PeerId, Seq, TopicHash};
use crate::protocol::{ErrorCode, IceServer, LeftReason, Limits, Member, Offerer, ServerMessage, VERSION, Welcome};

/// Names a connection between the hub and its driver. The driver chooses it and never uses one twice.
pub type ConnId = u64;

/// Absent members keep at most one in this many of a full topic's seats from newcomers: enough for a group with a short
/// network failure, too few to close a room.
const KEPT_SEATS: usize = 4;

/// What a hub allows and hands out.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What clients are held to. The hub itself sees to `max_topic_members` and `max_sample`, a [`Session`] to
    /// `max_frame_bytes`; the rest is the driver's, and only published here.
    pub limits: Limits,
    /// What clients give to `RTCPeerConnection`. Default none: enough on one machine or one network.
    pub ice_servers: Vec<IceServer>,
    /// Who leaves one topic within this time is told of together. Default 50 ms.
    pub tick: Duration,
    /// How long newcomers have to introduce themselves by a signal. Default 500 ms, which a slow phone takes to make its
    /// offers and send them; 0 tells of each at once.
    pub introduce: Duration,
    /// How long a member may be away before it is lost. Default 5 s; at 0 it is lost at once. In a full topic some are
    /// lost earlier, to make room for newcomers.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            ice_servers: Vec::new(),
            tick: Duration::from_millis(50),
            introduce: Duration::from_millis(500),
            grace: Duration::from_secs(5),
        }
    }
}

/// What the driver tells the hub.
#[derive(Debug)]
pub enum Input<'a> {
    /// A socket was opened.
    Connected {
        /// Its name from now on.
        conn: ConnId,
        /// Random bytes, new for each connection; the same that its [`Session`] was given.
        nonce: Nonce,
    },
    /// A peer joins; it has proved who it is, and that it may.
    Join {
        /// On which connection.
        conn: ConnId,
        /// What it joins.
        join: Join,
    },
    /// A peer has something for another.
    Signal {
        /// On which connection.
        conn: ConnId,
        /// For whom.
        to: PeerId,
        /// What.
        data: &'a RawValue,
    },
    /// A peer leaves for good.
    Leave {
        /// On which connection.
        conn: ConnId,
    },
    /// A peer asks whether anybody is there.
    Ping {
        /// On which connection.
        conn: ConnId,
    },
    /// The driver dropped a signal, because the sender's share of the receiver's queue is full.
    Congested {
        /// The sender's connection, which is notified ([`ErrorCode::Congested`]).
        conn: ConnId,
        /// The receiver's connection.
        receiver: ConnId,
    },
    /// Something came that is to be answered with an error, and with a close where [`close_code`] has one.
    Refuse {
        /// Which connection.
        conn: ConnId,
        /// Why.
        code: ErrorCode,
    },
    /// This server is about to end: a connection is to close and to come back later.
    Drain {
        /// Which connection.
        conn: ConnId,
        /// When it may come back.
        retry_after: Duration,
    },
    /// The socket is gone.
    Disconnected {
        /// Which connection.
        conn: ConnId,
        /// The other side closed it in order (WebSocket code 1000 or 1001), which is a goodbye.
        clean: bool,
    },
    /// It is as late as [`Hub::wake_at`] asked for.
    Woken,
}

/// What the hub wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a text frame.
    Send {
        /// On which connection.
        conn: ConnId,
        /// The frame; shared by all who get it.
        frame: Arc<str>,
        /// The connection that sent the signal, for the driver to limit each sender's share of a receiver's queue.
        /// `None` for the server's own frames.
        from: Option<ConnId>,
    },
    /// Close the socket, once what was sent before has gone out.
    Close {
        /// Which connection.
        conn: ConnId,
        /// The WebSocket close code (RFC 6455 section 7.4).
        code: u16,
        /// The reason text of the close frame.
        reason: &'static str,
    },
}

/// How a topic is occupied, as seen by a peer that joins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupancy {
    /// No other member is present.
    Empty,
    /// Other members are present.
    Occupied,
    /// The peer has a seat there: it returns.
    Returning,
}

/// What has happened since the hub was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Peers that joined, or came back after they had been said to be gone.
    pub joins: u64,
    /// Peers that came back in time, so that nobody was told.
    pub returns: u64,
    /// Members that left in order.
    pub goodbyes: u64,
    /// Members that went without a word and didn't come back.
    pub lost: u64,
    /// Signals carried.
    pub signals: u64,
    /// What they carried, in bytes.
    pub signal_bytes: u64,
    /// What was refused, by reason.
    pub refusals: HashMap<ErrorCode, u64>,
}

/// Connections, topics and members.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    /// As they stand in each challenge.
    limits: Box<str>,
    /// The seat each connection has taken, if it has.
    conns: HashMap<ConnId, Option<SeatKey>>,
    rooms: Rooms,
    last_seq: Seq,
    last_absence: u64,
    /// Topics that have news of who left, and when to tell them. The wait is the same for all, so they are in order.
    ticks: VecDeque<(Duration, TopicHash)>,
    /// The same of who came.
    introductions: VecDeque<(Duration, TopicHash)>,
    /// Seats that were left, which absence of theirs that is, and when it has been too long; in order likewise.
    absences: VecDeque<(Duration, SeatKey, u64)>,
    counters: Counters,
    out: VecDeque<Output>,
}

impl Default for Hub {
    fn default() -> Self {
        Self::new(Settings::default(), 0)
    }
}

impl Hub {
    /// A hub without connections. `seed` decides which members are chosen for samples; random, where it matters that
    /// nobody can tell.
    pub fn new(settings: Settings, seed: u64) -> Self {
        // Numbers always have a form.
        let limits = serde_json::to_string(&settings.limits).unwrap_or_default().into();
        Self {
            settings,
            limits,
            conns: HashMap::new(),
            rooms: Rooms::new(seed),
            last_seq: 0,
            last_absence: 0,
            ticks: VecDeque::new(),
            introductions: VecDeque::new(),
            absences: VecDeque::new(),
            counters: Counters::default(),
            out: VecDeque::new(),
        }
    }

    /// How many topics have members.
    pub fn topics(&self) -> usize {
        self.rooms.topics.len()
    }

    /// How many connections there are, joined or not.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// How many members all topics have together, those that are away not counted.
    pub fn members(&self) -> usize {
        self.rooms.present()
    }

    /// Returns how a topic is occupied, for a driver with budgets that depend on it. Costs two look-ups.
    pub fn occupancy(&self, topic: &TopicHash, id: &PeerId) -> Occupancy {
        match self.rooms.topics.get(topic) {
            Some(topic) if topic.seat(id).is_some() => Occupancy::Returning,
            Some(topic) if topic.present() > 0 => Occupancy::Occupied,
            _ => Occupancy::Empty,
        }
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// When the hub wants to hear of the time ([`Input::Woken`]), on the clock that `handle` is told.
    pub fn wake_at(&self) -> Option<Duration> {
        let tick = self.ticks.front().map(|(at, _)| *at);
        let introduction = self.introductions.front().map(|(at, _)| *at);
        let absence = self.absences.front().map(|(at, ..)| *at);
        [tick, introduction, absence].into_iter().flatten().min()
    }

    /// Takes in what happened, `now` being the time since a moment of the driver's choice.
    pub fn handle(&mut self, now: Duration, input: Input<'_>) {
        debug_assert!(self.out.is_empty(), "drain `poll` until it returns None before the next `handle`");
        self.catch_up(now);
        match input {
            Input::Connected { conn, nonce } => {
                self.conns.insert(conn, None);
                let limits = &self.limits;
                let frame = format!(r#"{{"challenge":{{"v":{VERSION},"nonce":"{nonce}","limits":{limits}}}}}"#);
                self.out.push_back(Output::Send { conn, frame: frame.into(), from: None });
            }
            Input::Join { conn, join } => self.join(now, conn, join),
            Input::Signal { conn, to, data } => self.relay(now, conn, to, data),
            Input::Leave { conn } => {
                if self.conns.contains_key(&conn) {
                    self.forget(now, conn, LeftReason::Goodbye);
                    self.out.push_back(Output::Close { conn, code: 1000, reason: "goodbye" });
                }
            }
            Input::Ping { conn } => {
                if self.conns.contains_key(&conn) {
                    self.send(conn, &ServerMessage::Pong {});
                }
            }
            Input::Congested { conn, receiver } => {
                let seat = self.conns.get(&receiver).copied().flatten().and_then(|key| self.rooms.seat(key));
                self.refuse(now, conn, ErrorCode::Congested, seat.map(|seat| seat.member.id));
            }
            Input::Refuse { conn, code } => self.refuse(now, conn, code, None),
            Input::Drain { conn, retry_after } => {
                if self.conns.contains_key(&conn) {
                    let retry_after_ms = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
                    self.send(conn, &ServerMessage::Drain { retry_after_ms });
                    self.forget(now, conn, LeftReason::Lost);
                    self.out.push_back(Output::Close { conn, code: 1012, reason: "the server restarts" });
                }
            }
            Input::Disconnected { conn, clean } => {
                self.forget(now, conn, if clean { LeftReason::Goodbye } else { LeftReason::Lost });
            }
            Input::Woken => {}
        }
    }

    /// The next thing to do, until there is nothing more.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Does what was to be done by now.
    fn catch_up(&mut self, now: Duration) {
        while let Some(topic) = due(&mut self.ticks, now).or_else(|| due(&mut self.introductions, now)) {
            self.tell_news(now, &topic);
        }
        while let Some((at, key, absence)) = self.absences.front().copied()
            && at <= now
        {
            self.absences.pop_front();
            if self.rooms.seat(key).is_some_and(|seat| seat.conn.is_none() && seat.absence == absence) {
                self.give_up(now, key, LeftReason::Lost);
            }
        }
    }

    fn join(&mut self, now: Duration, conn: ConnId, join: Join) {
        match self.conns.get(&conn) {
            None => return,
            Some(Some(_)) => return self.refuse(now, conn, ErrorCode::AlreadyJoined, None),
            Some(None) => {}
        }
        let topic = self.rooms.topics.get(&join.topic);
        let former = topic.and_then(|topic| topic.seat(&join.id)).and_then(|key| Some((key, self.rooms.seat(key)?)));
        let (key, seq) = match former {
            Some((_, seat)) if join.incarnation < seat.member.incarnation => {
                return self.refuse(now, conn, ErrorCode::Stale, None);
            }
            // It is back before anybody was told that it had gone. What is told again is told under a new number.
            Some((key, seat)) if seat.conn.is_none() && !seat.missed && seat.member.incarnation == join.incarnation => {
                (key, Some(seat.member.seq))
            }
            Some((key, seat)) => {
                if let Some(old) = seat.conn {
                    // Its place is taken already: to the others it never left.
                    self.conns.insert(old, None);
                    self.refuse(now, old, ErrorCode::Replaced, None);
                }
                (key, None)
            }
            None => {
                if !self.make_room(now, &join.topic) {
                    return self.refuse(now, conn, ErrorCode::RoomFull, None);
                }
                (self.rooms.add(join.topic, join.id), None)
            }
        };
        let quietly = seq.is_some();
        let counted = if quietly { &mut self.counters.returns } else { &mut self.counters.joins };
        *counted += 1;
        let seq = seq.unwrap_or_else(|| {
            self.last_seq += 1;
            self.last_seq
        });
        self.conns.insert(conn, Some(key));
        self.rooms.arrive(now, key, conn, join.incarnation, seq);
        let (named, new) = self.rooms.acquaint(key, self.settings.limits.max_sample as usize);
        let members = named.iter().filter_map(|key| Some(self.rooms.seat(*key)?.member)).collect();
        let total = self.rooms.topics.get(&join.topic).map_or(0, rooms::Topic::present);
        let ice_servers = self.settings.ice_servers.iter().filter(|server| join.relay || server.username.is_none());
        let welcome = Welcome {
            seq,
            offerer: Offerer::Newcomer,
            members,
            total: u32::try_from(total).unwrap_or(u32::MAX),
            ice_servers: ice_servers.cloned().collect(),
        };
        self.send(conn, &ServerMessage::Welcome(welcome));
        let audience = if quietly { new } else { self.rooms.acquaintances(key).collect() };
        let member = Member { id: join.id, incarnation: join.incarnation, seq };
        self.tell(now, &join.topic, &audience, News::Joined(member));
    }

    /// Frees a seat for a newcomer if necessary, by evicting an absent member. Returns `false` if the topic is full.
    fn make_room(&mut self, now: Duration, topic: &TopicHash) -> bool {
        let most = self.settings.limits.max_topic_members as usize;
        if self.rooms.topics.get(topic).map_or(0, rooms::Topic::seats) < most {
            return true;
        }
        let Some(key) = self.rooms.free_seat(topic, (most / KEPT_SEATS).max(1)) else { return false };
        self.give_up(now, key, LeftReason::Lost);
        true
    }

    fn relay(&mut self, now: Duration, conn: ConnId, to: PeerId, data: &RawValue) {
        let Some(seat) = self.conns.get(&conn) else { return };
        let sender = seat.and_then(|key| Some((key, self.rooms.seat(key)?)));
        let Some((key, sender)) = sender else { return self.refuse(now, conn, ErrorCode::NotJoined, None) };
        let from = sender.member.id;
        let receiver = self.rooms.topics.get(&sender.topic).and_then(|topic| topic.seat(&to));
        let Some(receiver) = receiver.filter(|receiver| *receiver != key) else {
            return self.refuse(now, conn, ErrorCode::UnknownPeer, Some(to));
        };
        let Some(addressee) = self.rooms.seat_mut(receiver).and_then(|seat| {
            seat.missed |= seat.conn.is_none();
            seat.conn
        }) else {
            return self.refuse(now, conn, ErrorCode::UnknownPeer, Some(to));
        };
        // The stamp says that it has come.
        self.rooms.introduce(receiver, &from);
        let Some(sender) = self.rooms.seat_mut(key) else { return };
        let member = sender.member;
        let stamp = sender.stamp.get_or_insert_with(|| stamp(&member));
        let mut frame = String::with_capacity(stamp.len() + data.get().len() + 2);
        frame.push_str(stamp);
        frame.push_str(data.get());
        frame.push_str("}}");
        self.counters.signals += 1;
        self.counters.signal_bytes += data.get().len() as u64;
        self.out.push_back(Output::Send { conn: addressee, frame: frame.into(), from: Some(conn) });
    }

    /// Says what was wrong, and closes if the protocol says so.
    fn refuse(&mut self, now: Duration, conn: ConnId, code: ErrorCode, peer: Option<PeerId>) {
        if !self.conns.contains_key(&conn) {
            return;
        }
        *self.counters.refusals.entry(code).or_default() += 1;
        let text = explain(code);
        self.send(conn, &ServerMessage::Error { code, message: text.to_owned(), peer });
        if let Some(close) = close_code(code) {
            self.forget(now, conn, LeftReason::Lost);
            self.out.push_back(Output::Close { conn, code: close, reason: text });
        }
    }

    /// Forgets a connection. Its member is gone, or away if it may come back.
    fn forget(&mut self, now: Duration, conn: ConnId, reason: LeftReason) {
        let Some(key) = self.conns.remove(&conn).flatten() else { return };
        if reason == LeftReason::Goodbye || self.settings.grace.is_zero() {
            return self.give_up(now, key, reason);
        }
        self.rooms.depart(now, key, self.settings.grace);
        self.last_absence += 1;
        if let Some(seat) = self.rooms.seat_mut(key) {
            seat.absence = self.last_absence;
            self.absences.push_back((now + self.settings.grace, key, self.last_absence));
        }
    }

    fn give_up(&mut self, now: Duration, key: SeatKey, reason: LeftReason) {
        let Some((topic, member)) = self.rooms.seat(key).map(|seat| (seat.topic, seat.member)) else { return };
        let counted = match reason {
            LeftReason::Goodbye => &mut self.counters.goodbyes,
            LeftReason::Lost => &mut self.counters.lost,
        };
        *counted += 1;
        let audience = self.rooms.remove(key);
        self.tell(now, &topic, &audience, News::Left(member, reason));
    }

    fn send(&mut self, conn: ConnId, message: &ServerMessage) {
        self.send_all(&[conn], message);
    }

    fn send_all(&mut self, conns: &[ConnId], message: &ServerMessage) {
        // Serialising these can't fail: no maps with odd keys, no foreign impls.
        let Ok(text) = serde_json::to_string(message) else { return };
        let frame: Arc<str> = text.into();
        self.out.extend(conns.iter().map(|conn| Output::Send { conn: *conn, frame: frame.clone(), from: None }));
    }
}

/// The first topic of a queue, if its time has come.
fn due(queue: &mut VecDeque<(Duration, TopicHash)>, now: Duration) -> Option<TopicHash> {
    queue.front().filter(|(at, _)| *at <= now)?;
    queue.pop_front().map(|(_, topic)| topic)
}

/// A `signal` of this sender up to its data, which then need not be read to be sent on.
fn stamp(sender: &Member) -> Box<str> {
    let Member { id, incarnation, seq } = sender;
    let mut stamp = String::with_capacity(160);
    // Writing into a String can't fail.
    let _ = write!(stamp, r#"{{"signal":{{"from":"{id}","incarnation":{incarnation},"seq":{seq},"data":"#);
    stamp.into()
}

#[cfg(test)]
mod tests;
