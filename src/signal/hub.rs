//! The hub: connections, the topics they joined, and who hears what. A pure state machine, without sockets, clock or
//! randomness, so that a simulator runs the code that production runs.
//!
//! Drive it so: pass each [`Input`] to [`Hub::handle`], then drain [`Hub::poll`] until it returns `None` and do what
//! each [`Output`] says. Debug builds assert the drain. After an [`Output::Close`] nothing more is said about that
//! connection, and what it still sends is ignored.
//!
//! Nothing here looks at all connections or all topics: a join costs its own topic's members, a signal one look-up.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use serde_json::value::RawValue;

use crate::ids::{Incarnation, Nonce, PeerId, Seq, TopicHash};
use crate::protocol::{
    ClientMessage, Departed, ErrorCode, Hello, IceServer, LeftReason, Limits, MAX_FRAME_BYTES, Member, Offerer,
    ServerMessage, VERSION, Welcome, hello_bytes,
};

/// Names a connection between the hub and its driver. The driver chooses it and never uses one twice.
pub type ConnId = u64;

/// After this many frames that are no messages, a connection is closed.
const MAX_BAD_FRAMES: u32 = 20;

/// What a hub allows and hands out.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The most members of one topic. Default 32: a full mesh of more is a burden to each browser.
    pub max_topic_members: u32,
    /// The largest frame, in bytes. Default 64 KiB.
    pub max_frame_bytes: usize,
    /// What clients give to `RTCPeerConnection`. Default none: enough on one machine or one network.
    pub ice_servers: Vec<IceServer>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_topic_members: 32, max_frame_bytes: MAX_FRAME_BYTES, ice_servers: Vec::new() }
    }
}

/// What the driver tells the hub.
#[derive(Debug)]
pub enum Input<'a> {
    /// A socket was opened.
    Connected {
        /// Its name from now on.
        conn: ConnId,
        /// Random bytes, new for each connection.
        nonce: Nonce,
        /// The `Origin` header of the upgrade request; empty where there was none.
        origin: &'a str,
    },
    /// A text frame came.
    Frame {
        /// On which connection.
        conn: ConnId,
        /// The frame.
        text: &'a str,
    },
    /// The socket saw something that the protocol answers with an error and a close.
    Violation {
        /// Which connection.
        conn: ConnId,
        /// What.
        code: ErrorCode,
    },
    /// The socket is gone.
    Disconnected {
        /// Which connection.
        conn: ConnId,
        /// The other side closed it in order (WebSocket code 1000 or 1001), which is a goodbye.
        clean: bool,
    },
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

/// Connections, topics and members.
#[derive(Debug, Default)]
pub struct Hub {
    settings: Settings,
    conns: HashMap<ConnId, Conn>,
    topics: HashMap<TopicHash, Topic>,
    joined: usize,
    last_seq: Seq,
    out: VecDeque<Output>,
}

#[derive(Debug)]
struct Conn {
    nonce: Nonce,
    origin: Box<str>,
    member: Option<(TopicHash, PeerId)>,
    bad_frames: u32,
}

#[derive(Debug, Default)]
struct Topic {
    members: BTreeMap<PeerId, Seat>,
}

/// A member's place in a topic.
#[derive(Debug, Clone, Copy)]
struct Seat {
    conn: ConnId,
    incarnation: Incarnation,
    seq: Seq,
}

impl Hub {
    /// A hub without connections.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// How many topics have members.
    pub fn topics(&self) -> usize {
        self.topics.len()
    }

    /// How many connections there are, joined or not.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// How many members all topics have together.
    pub fn members(&self) -> usize {
        self.joined
    }

    /// Whether a connection has joined a topic.
    pub fn is_member(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(|conn| conn.member.is_some())
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input<'_>) {
        debug_assert!(self.out.is_empty(), "drain `poll` until it returns None before the next `handle`");
        match input {
            Input::Connected { conn, nonce, origin } => self.connected(conn, nonce, origin),
            Input::Frame { conn, text } => self.frame(conn, text),
            Input::Violation { conn, code } => self.close(conn, code, LeftReason::Lost),
            Input::Disconnected { conn, clean } => {
                self.forget(conn, if clean { LeftReason::Goodbye } else { LeftReason::Lost });
            }
        }
    }

    /// The next thing to do, until there is nothing more.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn connected(&mut self, conn: ConnId, nonce: Nonce, origin: &str) {
        self.conns.insert(conn, Conn { nonce, origin: origin.into(), member: None, bad_frames: 0 });
        let limits = Limits {
            max_frame_bytes: u32::try_from(self.settings.max_frame_bytes).unwrap_or(u32::MAX),
            max_topic_members: self.settings.max_topic_members,
        };
        self.send(conn, &ServerMessage::Challenge { v: VERSION, nonce, limits });
    }

    fn frame(&mut self, conn: ConnId, text: &str) {
        let Some(state) = self.conns.get_mut(&conn) else { return };
        if text.len() > self.settings.max_frame_bytes {
            return self.close(conn, ErrorCode::TooLarge, LeftReason::Lost);
        }
        let message = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(_) => {
                state.bad_frames += 1;
                let code = if state.bad_frames > MAX_BAD_FRAMES { ErrorCode::Abuse } else { misread(text) };
                return self.refuse(conn, code, None);
            }
        };
        match (message, state.member) {
            (ClientMessage::Hello(_), Some(_)) => self.refuse(conn, ErrorCode::AlreadyJoined, None),
            (ClientMessage::Hello(hello), None) => self.hello(conn, &hello),
            (ClientMessage::Ping {}, _) => self.send(conn, &ServerMessage::Pong {}),
            (ClientMessage::Leave {}, _) => {
                self.forget(conn, LeftReason::Goodbye);
                self.out.push_back(Output::Close { conn, code: 1000, reason: "goodbye" });
            }
            (ClientMessage::Signal { .. }, None) => self.refuse(conn, ErrorCode::NotJoined, None),
            (ClientMessage::Signal { to, data }, Some((topic, from))) => self.relay(conn, topic, from, to, data),
        }
    }

    fn hello(&mut self, conn: ConnId, hello: &Hello) {
        let Some(state) = self.conns.get(&conn) else { return };
        if hello.v != VERSION {
            return self.refuse(conn, ErrorCode::Version, None);
        }
        if !proves(hello, &state.nonce, &state.origin) {
            return self.refuse(conn, ErrorCode::BadSignature, None);
        }
        let topic = self.topics.entry(hello.topic).or_default();
        let former = topic.members.get(&hello.id).copied();
        match former {
            Some(former) if hello.incarnation < former.incarnation => {
                return self.refuse(conn, ErrorCode::Stale, None);
            }
            None if topic.members.len() >= self.settings.max_topic_members as usize => {
                // An empty topic stays only if it may have no members at all.
                if topic.members.is_empty() {
                    self.topics.remove(&hello.topic);
                }
                return self.refuse(conn, ErrorCode::RoomFull, None);
            }
            _ => {}
        }
        self.last_seq += 1;
        let seat = Seat { conn, incarnation: hello.incarnation, seq: self.last_seq };
        let others: Vec<(ConnId, Member)> = topic
            .members
            .iter()
            .filter(|(id, _)| **id != hello.id)
            .map(|(id, seat)| (seat.conn, Member { id: *id, incarnation: seat.incarnation, seq: seat.seq }))
            .collect();
        topic.members.insert(hello.id, seat);
        if let Some(state) = self.conns.get_mut(&conn) {
            state.member = Some((hello.topic, hello.id));
        }
        if former.is_none() {
            self.joined += 1;
        }
        if let Some(former) = former {
            // Its place is taken already: to the others it never left.
            if let Some(state) = self.conns.get_mut(&former.conn) {
                state.member = None;
            }
            self.close(former.conn, ErrorCode::Replaced, LeftReason::Lost);
        }
        let member = Member { id: hello.id, incarnation: seat.incarnation, seq: seat.seq };
        let welcome = Welcome {
            seq: seat.seq,
            offerer: Offerer::Newcomer,
            total: u32::try_from(others.len() + 1).unwrap_or(u32::MAX),
            members: others.iter().map(|(_, member)| *member).collect(),
            ice_servers: self.settings.ice_servers.clone(),
        };
        self.send(conn, &ServerMessage::Welcome(welcome));
        self.send_all(others.iter().map(|(conn, _)| *conn), &ServerMessage::Joined { members: vec![member] });
    }

    fn relay(&mut self, conn: ConnId, topic: TopicHash, from: PeerId, to: PeerId, data: Box<RawValue>) {
        let members = self.topics.get(&topic).map(|topic| &topic.members);
        let seats = members.and_then(|members| Some((members.get(&from)?, members.get(&to)?)));
        match seats {
            Some((sender, receiver)) if from != to => {
                let (incarnation, seq, receiver) = (sender.incarnation, sender.seq, receiver.conn);
                self.send(receiver, &ServerMessage::Signal { from, incarnation, seq, data });
            }
            _ => self.refuse(conn, ErrorCode::UnknownPeer, Some(to)),
        }
    }

    /// Says what was wrong, and closes if the protocol says so.
    fn refuse(&mut self, conn: ConnId, code: ErrorCode, peer: Option<PeerId>) {
        if close_code(code).is_some() {
            self.close(conn, code, LeftReason::Lost);
        } else {
            self.send(conn, &ServerMessage::Error { code, message: explain(code).to_owned(), peer });
        }
    }

    fn close(&mut self, conn: ConnId, code: ErrorCode, reason: LeftReason) {
        if !self.conns.contains_key(&conn) {
            return;
        }
        let text = explain(code);
        self.send(conn, &ServerMessage::Error { code, message: text.to_owned(), peer: None });
        self.forget(conn, reason);
        self.out.push_back(Output::Close { conn, code: close_code(code).unwrap_or(1008), reason: text });
    }

    /// Ends a connection's membership and forgets the connection.
    fn forget(&mut self, conn: ConnId, reason: LeftReason) {
        let Some((topic_hash, id)) = self.conns.remove(&conn).and_then(|state| state.member) else { return };
        let Some(topic) = self.topics.get_mut(&topic_hash) else { return };
        let Some(seat) = topic.members.remove(&id) else { return };
        self.joined -= 1;
        if topic.members.is_empty() {
            self.topics.remove(&topic_hash);
            return;
        }
        let others: Vec<ConnId> = topic.members.values().map(|seat| seat.conn).collect();
        let departed = Departed { id, incarnation: seat.incarnation, reason };
        self.send_all(others, &ServerMessage::Left { members: vec![departed] });
    }

    fn send(&mut self, conn: ConnId, message: &ServerMessage) {
        self.send_all([conn], message);
    }

    fn send_all(&mut self, conns: impl IntoIterator<Item = ConnId>, message: &ServerMessage) {
        // Serialising these can't fail: no maps with odd keys, no foreign impls.
        let Ok(text) = serde_json::to_string(message) else { return };
        let frame: Arc<str> = text.into();
        self.out.extend(conns.into_iter().map(|conn| Output::Send { conn, frame: frame.clone() }));
    }
}

/// Whether the signature proves that the client holds the key behind its id.
fn proves(hello: &Hello, nonce: &Nonce, origin: &str) -> bool {
    let bytes = hello_bytes(nonce, origin, &hello.topic, hello.incarnation);
    let signature = ed25519_dalek::Signature::from_bytes(hello.sig.as_bytes());
    VerifyingKey::from_bytes(hello.id.as_bytes()).is_ok_and(|key| key.verify_strict(&bytes, &signature).is_ok())
}

/// Why a frame is no message: an object with one key that names no message, or worse.
fn misread(text: &str) -> ErrorCode {
    const NAMES: [&str; 4] = ["hello", "signal", "leave", "ping"];
    match serde_json::from_str::<HashMap<String, serde::de::IgnoredAny>>(text) {
        Ok(object) if object.len() == 1 && !NAMES.iter().any(|name| object.contains_key(*name)) => {
            ErrorCode::UnknownType
        }
        _ => ErrorCode::Malformed,
    }
}

/// The WebSocket close code (RFC 6455 section 7.4.1, or the private range) that an error brings; none if the
/// connection goes on.
pub fn close_code(code: ErrorCode) -> Option<u16> {
    match code {
        ErrorCode::Malformed | ErrorCode::UnknownType | ErrorCode::AlreadyJoined | ErrorCode::UnknownPeer => None,
        ErrorCode::NotText => Some(1003),
        ErrorCode::TooLarge => Some(1009),
        ErrorCode::Replaced => Some(4001),
        ErrorCode::RoomFull => Some(4005),
        _ => Some(1008),
    }
}

fn explain(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Malformed => "not a message of the protocol: send one JSON object with one key, the message's name",
        ErrorCode::UnknownType => "no such message: send hello, signal, leave or ping",
        ErrorCode::AlreadyJoined => "already joined: open another connection for another topic",
        ErrorCode::NotJoined => "not joined: send hello first",
        ErrorCode::Version => "this server speaks version 1 of the protocol",
        ErrorCode::BadSignature => "the signature does not prove the id",
        ErrorCode::RoomFull => "the topic has as many members as it may",
        ErrorCode::UnknownPeer => "nobody of that id is in your topic",
        ErrorCode::Replaced => "the same peer joined again and took this connection's place",
        ErrorCode::Stale => "a later life of this peer is already here",
        ErrorCode::TooLarge => "the frame is over the limit",
        ErrorCode::NotText => "send text frames",
        ErrorCode::Timeout => "no hello came in time",
        ErrorCode::SlowReader => "too much waits to be read",
        ErrorCode::Abuse => "too many frames that are no messages",
        ErrorCode::Origin => "pages of this origin may not use this server",
        ErrorCode::Unknown => "refused",
    }
}

#[cfg(test)]
mod tests;
