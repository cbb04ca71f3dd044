//! What lies between the pages: sockets, connections, and time.

use std::cmp::Ordering;
use std::time::Duration;

use converge_signal::hub;
use converge_signal::protocol::{ClientMessage, ServerMessage};

use super::{NodeId, Sim};
use crate::link::{Candidate, LinkId, Role};
use crate::room::{Input, LinkEvent, Output};
use crate::timer::Time;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Happening {
    Wake {
        node: NodeId,
        wake: u64,
    },
    SocketOpened {
        socket: u64,
    },
    ToServer {
        socket: u64,
        text: String,
    },
    ToClient {
        socket: u64,
        text: String,
    },
    /// The server's end learns of the end.
    ServerEnd {
        socket: u64,
        clean: bool,
    },
    /// The client's end does.
    ClientEnd {
        socket: u64,
    },
    /// Something of a connection, for the page at its end.
    Link {
        connection: u64,
        event: LinkEvent,
    },
}

#[derive(Debug)]
pub(super) struct Scheduled {
    pub(super) at: Time,
    order: u64,
    what: Happening,
}

// The heap yields the greatest: the earliest, and of two at once the one that was scheduled first.
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

/// A WebSocket. The hub's name for it is the same number.
#[derive(Debug)]
pub(super) struct Socket {
    node: NodeId,
    /// The client has given it up, or it is broken: nothing more reaches the client.
    client_gone: bool,
    server_gone: bool,
    /// When the last thing sent in each direction arrives: what is sent later arrives later.
    up: Time,
    down: Time,
}

/// One end of an RTCPeerConnection pair.
#[derive(Debug)]
pub(super) struct Connection {
    node: NodeId,
    link: LinkId,
    role: Role,
    remote: Option<u64>,
    candidates: u32,
    open: bool,
    closed: bool,
    /// When the last thing sent from here arrives.
    sent: Time,
}

impl Sim {
    fn latency(&mut self) -> Duration {
        let (min, max) = self.weather.latency;
        min + (max - min).mul_f64(self.random.f64())
    }

    pub(super) fn schedule_at(&mut self, at: Time, what: Happening) {
        self.scheduled += 1;
        self.queue.push(Scheduled { at, order: self.scheduled, what });
    }

    fn schedule(&mut self, what: Happening) {
        let at = self.now + self.latency();
        self.schedule_at(at, what);
    }

    /// The next thing happens.
    pub(super) fn step(&mut self) {
        let Some(Scheduled { at, order, what }) = self.queue.pop() else { return };
        self.now = at;
        for number in [at.as_micros(), order] {
            self.trace = (self.trace ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(17);
        }
        match what {
            Happening::Wake { node, wake } => {
                if self.nodes[node].wake == wake {
                    self.tell(node, Input::Timeout);
                }
            }
            Happening::SocketOpened { socket } => {
                let Some(node) = self.client_of(socket) else { return };
                if self.hub.is_none() {
                    self.sockets.remove(&socket);
                    self.nodes[node].socket = None;
                    return self.tell(node, Input::SocketClosed);
                }
                self.tell(node, Input::SocketOpen);
                let nonce = self.nonce();
                self.hub_takes(hub::Input::Connected { conn: socket, nonce, origin: "" });
            }
            Happening::ToServer { socket, text } => {
                if self.sockets.get(&socket).is_some_and(|socket| !socket.server_gone) {
                    self.hub_takes(hub::Input::Frame { conn: socket, text: &text });
                }
            }
            Happening::ToClient { socket, text } => {
                if let Some(node) = self.client_of(socket) {
                    self.tell(node, Input::SocketFrame(text));
                }
            }
            Happening::ServerEnd { socket, clean } => {
                if let Some(state) = self.sockets.get_mut(&socket)
                    && !std::mem::replace(&mut state.server_gone, true)
                {
                    self.hub_takes(hub::Input::Disconnected { conn: socket, clean });
                }
                self.forget(socket);
            }
            Happening::ClientEnd { socket } => {
                if let Some(node) = self.client_of(socket) {
                    if let Some(state) = self.sockets.get_mut(&socket) {
                        state.client_gone = true;
                    }
                    self.nodes[node].socket = None;
                    self.tell(node, Input::SocketClosed);
                }
                self.forget(socket);
            }
            Happening::Link { connection, event } => self.link_event(connection, event),
        }
    }

    /// The page at the client's end of a socket, if the two still belong together.
    fn client_of(&self, socket: u64) -> Option<NodeId> {
        let state = self.sockets.get(&socket)?;
        (!state.client_gone && self.nodes[state.node].socket == Some(socket)).then_some(state.node)
    }

    fn forget(&mut self, socket: u64) {
        if self.sockets.get(&socket).is_some_and(|state| state.client_gone && state.server_gone) {
            self.sockets.remove(&socket);
        }
    }

    fn hub_takes(&mut self, input: hub::Input<'_>) {
        let Some(hub) = &mut self.hub else { return };
        hub.handle(input);
        let outputs: Vec<_> = std::iter::from_fn(|| hub.poll()).collect();
        for output in outputs {
            match output {
                hub::Output::Send { conn, frame } => {
                    let lost = self.lost(matches!(
                        serde_json::from_str(&frame),
                        Ok(ServerMessage::Challenge { .. } | ServerMessage::Error { .. })
                    ));
                    let at = self.now + self.latency();
                    let Some(socket) = self.sockets.get_mut(&conn) else { continue };
                    socket.down = at.max(socket.down);
                    let at = socket.down;
                    if !lost {
                        self.schedule_at(at, Happening::ToClient { socket: conn, text: frame.to_string() });
                    }
                }
                hub::Output::Close { conn, .. } => {
                    let Some(socket) = self.sockets.get_mut(&conn) else { continue };
                    socket.server_gone = true;
                    let at = socket.down.max(self.now);
                    self.schedule_at(at, Happening::ClientEnd { socket: conn });
                }
            }
        }
    }

    /// Whether a signalling message is lost. Refusals are spared: no scenario is about losing the last word.
    fn lost(&mut self, spared: bool) -> bool {
        self.random.f64() < self.weather.signal_loss && !spared
    }

    pub(super) fn break_socket(&mut self, id: u64) {
        let server_up = self.hub.is_some();
        if let Some(socket) = self.sockets.get_mut(&id)
            && !server_up
        {
            socket.server_gone = true;
        }
        self.schedule(Happening::ServerEnd { socket: id, clean: false });
        self.schedule(Happening::ClientEnd { socket: id });
    }

    /// A page ends without closing anything.
    pub(super) fn vanish(&mut self, node: NodeId) {
        if let Some(id) = self.nodes[node].socket {
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.client_gone = true;
            }
            // The operating system closes the socket of a dead process.
            self.schedule(Happening::ServerEnd { socket: id, clean: false });
        }
        let timeout = self.now + self.weather.ice_timeout;
        for connection in self.nodes[node].links.values().copied().collect::<Vec<_>>() {
            let Some(mine) = self.connections.remove(&connection) else { continue };
            if let Some(remote) = mine.remote.filter(|_| mine.open) {
                self.schedule_at(timeout, Happening::Link { connection: remote, event: LinkEvent::Closed });
            }
        }
    }

    pub(super) fn perform(&mut self, node: NodeId, output: Output) {
        match output {
            Output::OpenSocket => {
                self.last_id += 1;
                let socket = self.last_id;
                let state = Socket { node, client_gone: false, server_gone: false, up: Time::ZERO, down: Time::ZERO };
                self.sockets.insert(socket, state);
                self.nodes[node].socket = Some(socket);
                self.schedule(Happening::SocketOpened { socket });
            }
            Output::SendSocket(text) => {
                let Some(id) = self.nodes[node].socket else { return };
                let hello = matches!(serde_json::from_str(&text), Ok(ClientMessage::Leave {}));
                let lost = self.lost(hello);
                let at = self.now + self.latency();
                let Some(socket) = self.sockets.get_mut(&id) else { return };
                socket.up = at.max(socket.up);
                let at = socket.up;
                if !lost {
                    self.schedule_at(at, Happening::ToServer { socket: id, text });
                }
            }
            Output::CloseSocket { goodbye } => {
                let Some(id) = self.nodes[node].socket.take() else { return };
                let Some(socket) = self.sockets.get_mut(&id) else { return };
                socket.client_gone = true;
                let at = socket.up.max(self.now);
                self.schedule_at(at, Happening::ServerEnd { socket: id, clean: goodbye });
            }
            Output::OpenLink { link, role, .. } => {
                self.last_id += 1;
                let connection = self.last_id;
                self.connections.insert(
                    connection,
                    Connection {
                        node,
                        link,
                        role,
                        remote: None,
                        candidates: 0,
                        open: false,
                        closed: false,
                        sent: Time::ZERO,
                    },
                );
                self.nodes[node].links.insert(link, connection);
                if role == Role::Offerer {
                    self.describe(connection, format!("offer {connection}"));
                }
            }
            Output::SetRemote { link, sdp } => {
                let Some(&connection) = self.nodes[node].links.get(&link) else { return };
                self.set_remote(connection, &sdp);
            }
            Output::AddCandidate { link, .. } => {
                let Some(&connection) = self.nodes[node].links.get(&link) else { return };
                if let Some(mine) = self.connections.get_mut(&connection) {
                    assert!(mine.remote.is_some(), "seed {}: a candidate before the remote description", self.seed);
                    mine.candidates += 1;
                }
                self.try_open(connection);
            }
            Output::SendFrame { link, frame } => {
                let Some(&connection) = self.nodes[node].links.get(&link) else { return };
                self.send(connection, LinkEvent::Frame(frame.to_vec()));
            }
            Output::CloseLink { link } => {
                if let Some(connection) = self.nodes[node].links.remove(&link) {
                    self.send(connection, LinkEvent::Closed);
                    self.connections.remove(&connection);
                }
            }
            Output::Event(event) => self.nodes[node].events.push(event),
        }
    }

    /// The local description, then two candidates.
    fn describe(&mut self, connection: u64, sdp: String) {
        let mut at = self.now + self.latency() / 10;
        self.schedule_at(at, Happening::Link { connection, event: LinkEvent::LocalDescription(sdp) });
        for n in 0..2 {
            at += Duration::from_millis(1);
            let candidate =
                Candidate { candidate: format!("candidate {n}"), sdp_mid: Some("0".into()), sdp_m_line_index: None };
            self.schedule_at(at, Happening::Link { connection, event: LinkEvent::LocalCandidate(candidate) });
        }
    }

    fn set_remote(&mut self, connection: u64, sdp: &str) {
        let Some(mine) = self.connections.get_mut(&connection) else { return };
        let words: Vec<&str> = sdp.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse().ok());
        let remote: Option<u64> = number(1);
        let fits = match mine.role {
            Role::Answerer => words.first() == Some(&"offer"),
            // An answer to another connection's offer would be refused by the browser too.
            Role::Offerer => words.first() == Some(&"answer") && number(2) == Some(connection),
        };
        assert!(fits, "seed {}: {:?} {connection} was given `{sdp}`", self.seed, mine.role);
        mine.remote = remote;
        let answers = mine.role == Role::Answerer;
        self.schedule_at(self.now, Happening::Link { connection, event: LinkEvent::RemoteSet });
        if answers && let Some(remote) = remote {
            self.describe(connection, format!("answer {connection} {remote}"));
        }
        self.try_open(connection);
    }

    fn try_open(&mut self, connection: u64) {
        let Some(mine) = self.connections.get(&connection) else { return };
        let Some(remote) = mine.remote else { return };
        let Some(theirs) = self.connections.get(&remote) else { return };
        let ready = mine.candidates > 0 && theirs.candidates > 0 && theirs.remote == Some(connection);
        if ready && !mine.open && !theirs.open {
            for end in [connection, remote] {
                let at = self.now + self.latency();
                if let Some(end) = self.connections.get_mut(&end) {
                    end.open = true;
                }
                // What the other side sends must not overtake this side's opening.
                if let Some(other) = self.connections.get_mut(&if end == connection { remote } else { connection }) {
                    other.sent = at;
                }
                self.schedule_at(at, Happening::Link { connection: end, event: LinkEvent::Open });
            }
        }
    }

    /// Sends something to the other end, in order.
    fn send(&mut self, connection: u64, event: LinkEvent) {
        let at = self.now + self.latency();
        let Some(mine) = self.connections.get_mut(&connection) else { return };
        let Some(remote) = mine.remote.filter(|_| mine.open) else { return };
        mine.sent = at.max(mine.sent);
        let at = mine.sent;
        self.schedule_at(at, Happening::Link { connection: remote, event });
    }

    fn link_event(&mut self, connection: u64, event: LinkEvent) {
        let Some(mine) = self.connections.get_mut(&connection) else { return };
        if mine.closed {
            return;
        }
        mine.closed = matches!(event, LinkEvent::Closed);
        let (node, link) = (mine.node, mine.link);
        if self.nodes[node].links.get(&link) == Some(&connection) {
            self.tell(node, Input::Link { link, event });
        }
    }
}
