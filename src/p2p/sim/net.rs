//! What lies between the pages and the server, and time.

use std::cmp::Ordering;
use std::time::Duration;

use converge_signal::hub::{self, Hub};
use converge_signal::protocol::{ClientMessage, Limits, ServerMessage};

use super::{NodeId, Sim};
use crate::room::{FileEvent, Input, LinkEvent, Output};
use crate::timer::Time;
use crate::transfer::TransferId;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Happening {
    Wake {
        node: NodeId,
        wake: u64,
    },
    /// The hub wanted to be woken.
    HubWake {
        alarm: u64,
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
    /// A frame has gone out, where that takes time.
    Left {
        connection: u64,
    },
    /// A connection that is being closed waits no longer for what it still holds.
    Linger {
        connection: u64,
    },
    /// ICE has waited long enough.
    Ice {
        connection: u64,
        epoch: u64,
        failed: bool,
    },
    /// A stall is over.
    Resume {
        from: NodeId,
        to: NodeId,
    },
    /// A page wakes up.
    Awake {
        node: NodeId,
        life: u64,
    },
    /// A page has finished a step of received frames.
    Work {
        node: NodeId,
        life: u64,
    },
    /// Something of a file.
    File {
        node: NodeId,
        life: u64,
        transfer: TransferId,
        event: FileEvent,
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
    /// The server's side of it.
    session: Option<hub::Session>,
    /// When the last thing sent in each direction arrives: what is sent later arrives later.
    up: Time,
    down: Time,
}

impl Sim {
    /// Stops the server: every socket breaks, and what it knew is forgotten.
    pub fn stop_server(&mut self) {
        self.hub = None;
        for id in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.break_socket(id);
        }
    }

    /// Starts the server, with nobody in it.
    pub fn start_server(&mut self) {
        self.hub = Some(Hub::new(self.hub_settings.clone(), self.random.u64(..)));
    }

    /// The server tells every page to come back after that long, and ends their sockets.
    pub fn drain_server(&mut self, retry_after: Duration) {
        for conn in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.hub_takes(hub::Input::Drain { conn, retry_after });
        }
    }

    pub(super) fn latency(&mut self) -> Duration {
        let (min, max) = self.weather.latency;
        min + (max - min).mul_f64(self.random.f64())
    }

    pub(super) fn schedule_at(&mut self, at: Time, what: Happening) {
        self.scheduled += 1;
        self.queue.push(Scheduled { at, order: self.scheduled, what });
    }

    pub(super) fn schedule(&mut self, what: Happening) {
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
        let page = match &what {
            Happening::Wake { node, .. } | Happening::Work { node, .. } | Happening::File { node, .. } => Some(*node),
            Happening::SocketOpened { socket }
            | Happening::ToClient { socket, .. }
            | Happening::ClientEnd { socket } => self.client_of(*socket),
            Happening::Link { connection, .. } => self.connections.get(connection).map(|end| end.node),
            _ => None,
        };
        match page.and_then(|node| self.nodes[node].asleep.as_mut()) {
            Some(asleep) => asleep.held.push(what),
            None => self.happen(what),
        }
    }

    pub(super) fn happen(&mut self, what: Happening) {
        match what {
            Happening::Wake { node, wake } => {
                if self.nodes[node].wake == wake {
                    self.tell(node, Input::Timeout);
                }
            }
            Happening::HubWake { alarm } => {
                if self.hub_alarm == alarm {
                    self.hub_takes(hub::Input::Woken);
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
                if let Some(state) = self.sockets.get_mut(&socket) {
                    state.session = Some(hub::Session::new(nonce, "", Limits::default().max_frame_bytes));
                }
                self.hub_takes(hub::Input::Connected { conn: socket, nonce });
            }
            Happening::ToServer { socket, text } => {
                let state = self.sockets.get_mut(&socket).filter(|socket| !socket.server_gone);
                if let Some(session) = state.and_then(|state| state.session.as_mut()) {
                    let input = session.input(socket, &text);
                    self.hub_takes(input);
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
            Happening::Left { connection } => self.frame_left(connection),
            Happening::Linger { connection } => self.finish_close(connection),
            Happening::Ice { connection, epoch, failed } => self.ice_waited(connection, epoch, failed),
            Happening::Resume { from, to } => self.pump_all(from, to),
            Happening::Awake { node, life } => {
                // A page that was crashed and loaded anew may be asleep again, for another while.
                let now = self.now;
                let page = &self.nodes[node];
                if page.life == life && page.asleep.as_ref().is_some_and(|asleep| asleep.until <= now) {
                    self.wake_up(node);
                }
            }
            Happening::Work { node, life } => {
                if self.nodes[node].life == life && std::mem::take(&mut self.nodes[node].works) {
                    self.tell(node, Input::Work);
                }
            }
            Happening::File { node, life, transfer, event } => self.file_event(node, life, transfer, event),
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
        // The server's clock is the world's.
        let world = Duration::from_micros(self.now.as_micros());
        hub.handle(world, input);
        let wake_at = hub.wake_at();
        let outputs: Vec<_> = std::iter::from_fn(|| hub.poll()).collect();
        for output in outputs {
            match output {
                hub::Output::Send { conn, frame, .. } => {
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
        self.hub_alarm += 1;
        if let Some(at) = wake_at {
            let at = self.now + at.saturating_sub(world);
            self.schedule_at(at, Happening::HubWake { alarm: self.hub_alarm });
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
        self.drop_connections(node);
    }

    pub(super) fn perform(&mut self, node: NodeId, output: Output) {
        match output {
            Output::OpenSocket => {
                let socket = self.next_id();
                let state = Socket {
                    node,
                    client_gone: false,
                    server_gone: false,
                    session: None,
                    up: Time::ZERO,
                    down: Time::ZERO,
                };
                self.sockets.insert(socket, state);
                self.nodes[node].socket = Some(socket);
                self.schedule(Happening::SocketOpened { socket });
            }
            Output::SendSocket(text) => {
                let Some(id) = self.nodes[node].socket else { return };
                let spared = matches!(serde_json::from_str(&text), Ok(ClientMessage::Leave {}));
                let lost = self.lost(spared);
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
            Output::OpenLink { link, role, .. } => self.open_connection(node, link, role),
            Output::Offer { link, restart } => {
                if let Some(connection) = self.connection(node, link) {
                    self.offer(connection, restart.is_some());
                }
            }
            Output::SetRemote { link, sdp } => {
                if let Some(connection) = self.connection(node, link) {
                    self.set_remote(connection, &sdp);
                }
            }
            Output::AddCandidate { link, candidate } => {
                if let Some(connection) = self.connection(node, link) {
                    self.add_candidate(connection, &candidate);
                }
            }
            Output::SendFrame { link, lane, frame } => {
                if let Some(connection) = self.connection(node, link) {
                    self.send(connection, lane, frame);
                }
            }
            Output::AwaitWritable { link, lane } => {
                if let Some(connection) = self.connection(node, link) {
                    self.await_writable(connection, lane);
                }
            }
            Output::CloseLink { link } => {
                if let Some(connection) = self.nodes[node].links.remove(&link) {
                    self.close_connection(connection);
                }
            }
            Output::ReadFile { transfer, offset, bytes } => self.read_file(node, transfer, offset, bytes),
            Output::CreateFile { transfer } => self.create_file(node, transfer),
            Output::WriteFile { transfer, bytes } => self.write_file(node, transfer, &bytes),
            Output::FinishFile { transfer } => self.finish_file(node, transfer),
            Output::DropFile { transfer } => self.drop_file(node, transfer),
            Output::Event(event) => self.nodes[node].events.push(event),
        }
    }

    fn connection(&self, node: NodeId, link: crate::link::LinkId) -> Option<u64> {
        self.nodes[node].links.get(&link).copied()
    }
}
