//! The way to the server: joining, staying, coming back.

use std::time::Duration;

use converge_signal::PeerId;
use converge_signal::protocol::{ClientMessage, ErrorCode, LeftReason, Member, ServerMessage, VERSION, Welcome};
use serde_json::value::RawValue;

use super::{MAX_PEERS, Output, RoomCore};
use crate::event::{CloseReason, DisconnectReason, Event, Status};
use crate::link::Negotiation;
use crate::map::SortedMap;
use crate::timer::{Time, Timings};

#[derive(Debug)]
pub(super) enum Socket {
    /// None, until the time has come to try again (or the network is back).
    Closed { retry_at: Option<Time> },
    /// From opening to `welcome`.
    Joining { deadline: Time },
    /// In the room.
    Joined { heard: Time, pong_by: Option<Time> },
}

impl Socket {
    pub(super) fn deadline(&self, timings: &Timings) -> Option<Time> {
        match self {
            Socket::Closed { retry_at } => *retry_at,
            Socket::Joining { deadline } => Some(*deadline),
            Socket::Joined { heard, pong_by } => Some(pong_by.unwrap_or(*heard + timings.server_idle)),
        }
    }
}

impl RoomCore {
    pub(super) fn open_socket(&mut self, now: Time) {
        self.socket = Socket::Joining { deadline: now + self.config.timings.join };
        self.out.push_back(Output::OpenSocket);
    }

    /// Gives the socket up, if there is one, to come back later.
    fn drop_socket(&mut self, now: Time) {
        if !matches!(self.socket, Socket::Closed { .. }) {
            self.out.push_back(Output::CloseSocket { goodbye: false });
            self.socket_lost(now);
        }
    }

    pub(super) fn socket_lost(&mut self, now: Time) {
        let wait = self.config.timings.backoff(self.socket_failures, &mut self.random);
        // The server may have said how long.
        let wait = self.return_after.take().map_or(wait, |told| told.max(wait));
        // Without a network each try costs battery; with a false report one of them succeeds.
        let wait = if self.online { wait } else { self.slow_retry().max(wait) };
        self.socket_failures = self.socket_failures.saturating_add(1);
        self.socket = Socket::Closed { retry_at: Some(now + wait) };
        self.nobody_listed(now);
        self.set_status(match (self.online, self.seq) {
            (false, _) => Status::Offline,
            (true, None) => Status::Connecting,
            (true, Some(_)) => Status::Reconnecting,
        });
    }

    pub(super) fn network(&mut self, now: Time, online: bool) {
        if online {
            self.online = true;
            self.return_to_server(now);
            return self.network_changed(now);
        }
        // Some VPNs make browsers report this falsely: the server and the peers are asked, and an answer proves it wrong.
        // Repeated, it must not put the next try off.
        if !std::mem::replace(&mut self.online, false) {
            return;
        }
        let probe = self.config.timings.probe;
        let slow = self.slow_retry();
        match &mut self.socket {
            Socket::Closed { retry_at } => {
                *retry_at = Some(now + slow);
                self.set_status(Status::Offline);
            }
            Socket::Joining { deadline } => *deadline = (*deadline).min(now + probe),
            Socket::Joined { .. } => self.ping_server(now, probe),
        }
        self.probe_all(now);
    }

    /// Opens the socket now if it is closed.
    fn return_to_server(&mut self, now: Time) {
        if matches!(self.socket, Socket::Closed { .. }) {
            self.socket_failures = 0;
            self.set_status(if self.seq.is_none() { Status::Connecting } else { Status::Reconnecting });
            self.open_socket(now);
        }
    }

    /// A frame has come, from the server or a peer: there is a network, whatever the browser reports.
    pub(super) fn heard_something(&mut self, now: Time) {
        if !std::mem::replace(&mut self.online, true) {
            self.return_to_server(now);
        }
    }

    /// The wait before the next try while the browser reports no network: half to the whole of `backoff_max`.
    fn slow_retry(&mut self) -> Duration {
        self.config.timings.backoff_max.mul_f64(0.5 + self.random.f64() / 2.0)
    }

    pub(super) fn awake(&mut self, now: Time) {
        match &self.socket {
            Socket::Closed { retry_at: Some(_) } => self.open_socket(now),
            Socket::Joined { .. } => self.ping_server(now, self.config.timings.server_pong),
            Socket::Closed { retry_at: None } | Socket::Joining { .. } => {}
        }
        self.probe_all(now);
    }

    /// Asks the server for a pong within `wait`, unless one is awaited.
    fn ping_server(&mut self, now: Time, wait: Duration) {
        if let Socket::Joined { pong_by: pong_by @ None, .. } = &mut self.socket {
            *pong_by = Some(now + wait);
            self.tell_server(&ClientMessage::Ping {});
        }
    }

    pub(super) fn socket_timeout(&mut self, now: Time, late: bool) {
        if self.socket.deadline(&self.config.timings).is_none_or(|deadline| now < deadline) {
            return;
        }
        match &mut self.socket {
            Socket::Closed { .. } => self.open_socket(now),
            // After a sleep the answer may be waiting behind this wake-up.
            Socket::Joined { pong_by: Some(pong_by), .. } if late => *pong_by = now + self.config.timings.server_pong,
            Socket::Joined { pong_by: None, .. } => self.ping_server(now, self.config.timings.server_pong),
            Socket::Joining { .. } | Socket::Joined { .. } => self.drop_socket(now),
        }
    }

    fn tell_server(&mut self, message: &ClientMessage) {
        // Nothing in these messages can fail to serialise: there are no maps with odd keys and no foreign impls.
        if let Ok(text) = serde_json::to_string(message) {
            self.out.push_back(Output::SendSocket(text));
        }
    }

    /// Has the server carry something to a member, if the server is there; else the attempt will time out.
    pub(super) fn signal(&mut self, to: PeerId, negotiation: &Negotiation) {
        if matches!(self.socket, Socket::Joined { .. })
            && let Ok(text) = serde_json::to_string(negotiation)
            && let Ok(data) = RawValue::from_string(text)
        {
            self.tell_server(&ClientMessage::Signal { to, data });
        }
    }

    pub(super) fn socket_frame(&mut self, now: Time, text: &str) {
        self.heard_something(now);
        if let Socket::Joined { heard, pong_by } = &mut self.socket {
            *heard = now;
            *pong_by = None;
        }
        let Ok(message) = serde_json::from_str(text) else {
            // A server that doesn't speak the protocol: perhaps a proxy's error page, perhaps a later version.
            return self.drop_socket(now);
        };
        let joining = matches!(self.socket, Socket::Joining { .. });
        match message {
            ServerMessage::Challenge { v, .. } if v != VERSION => self.close(CloseReason::Version),
            ServerMessage::Challenge { nonce, .. } if joining => {
                let token = self.config.token.as_ref().map(|token| token.text().to_owned());
                let hello = self.config.identity.hello(&nonce, &self.config.origin, self.config.topic, token);
                self.tell_server(&ClientMessage::Hello(hello));
            }
            ServerMessage::Welcome(welcome) if joining => self.welcome(now, welcome),
            ServerMessage::Error { code, message, peer } => self.server_error(now, code, message, peer),
            // It closes the socket now.
            ServerMessage::Drain { retry_after_ms } => {
                let wait = Duration::from_millis(retry_after_ms.into());
                self.return_after = Some(wait.min(self.config.timings.backoff_max));
            }
            // The rest is for members; out of turn it means nothing.
            _ if joining => {}
            ServerMessage::Joined { members } => {
                for member in members {
                    self.meet(now, member);
                }
            }
            ServerMessage::Left { members } => {
                for departed in members {
                    if self.peers.get(&departed.id).is_some_and(|peer| departed.incarnation >= peer.incarnation) {
                        match departed.reason {
                            LeftReason::Goodbye => self.farewell(now, departed.id),
                            _ => self.unlist(now, departed.id),
                        }
                    }
                }
            }
            ServerMessage::Signal { from, incarnation, seq, data } => {
                // A member may signal before its `joined` arrives, or instead of it: any signal proves that it joined.
                self.meet(now, Member { id: from, incarnation, seq });
                let Ok(negotiation) = serde_json::from_str::<Negotiation>(data.get()) else { return };
                if self.peers.get(&from).is_some_and(|peer| peer.incarnation == incarnation) {
                    self.negotiate(now, from, negotiation);
                }
            }
            _ => {}
        }
    }

    fn welcome(&mut self, now: Time, welcome: Welcome) {
        self.socket = Socket::Joined { heard: now, pong_by: None };
        self.socket_failures = 0;
        self.seq = Some(welcome.seq);
        self.ice_servers = welcome.ice_servers.into();
        self.emit(Event::Connected { id: self.id });
        self.set_status(Status::Connected);
        let mut listed = SortedMap::default();
        for member in &welcome.members {
            listed.insert(member.id, ());
        }
        let missing: Vec<PeerId> = self.peers.keys().filter(|id| listed.get(*id).is_none()).copied().collect();
        for id in missing {
            self.unlist(now, id);
        }
        for member in welcome.members.into_iter().take(MAX_PEERS) {
            self.meet(now, member);
        }
        self.repeat_all(now);
    }

    fn server_error(&mut self, now: Time, code: ErrorCode, message: String, peer: Option<PeerId>) {
        match (code, peer) {
            (ErrorCode::UnknownPeer, Some(peer)) => return self.unlist(now, peer),
            // The attempt times out, as after a lost signal, and is repeated.
            (ErrorCode::Congested, _) => return,
            (ErrorCode::RoomFull, _) => self.close(CloseReason::RoomFull),
            (ErrorCode::Replaced | ErrorCode::Stale, _) => self.close(CloseReason::Replaced),
            (ErrorCode::Version, _) => self.close(CloseReason::Version),
            (ErrorCode::Denied, _) => self.close(CloseReason::Denied),
            // Coming back at once would only be more of it.
            (ErrorCode::RateLimited | ErrorCode::TooManyJoins | ErrorCode::TooManyConnections, _) => {
                self.return_after = Some(self.config.timings.backoff(u32::MAX, &mut self.random));
            }
            (ErrorCode::BadSignature | ErrorCode::Origin, _) => self.close(CloseReason::Refused),
            // The server closes what it will not go on with; the socket's end is handled there.
            _ => {}
        }
        self.emit(Event::ServerError { code, message });
    }

    /// Ends everything. A member says goodbye when it leaves by choice, or can't take part: one that was replaced would take
    /// its successor along.
    pub(super) fn close(&mut self, reason: CloseReason) {
        let goodbye = matches!(reason, CloseReason::Left | CloseReason::Unsupported);
        if matches!(self.socket, Socket::Joined { .. }) && goodbye {
            self.tell_server(&ClientMessage::Leave {});
        }
        if !matches!(self.socket, Socket::Closed { .. }) {
            self.out.push_back(Output::CloseSocket { goodbye });
        }
        self.socket = Socket::Closed { retry_at: None };
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            if goodbye {
                self.say_bye(id);
            }
            self.remove(id, DisconnectReason::Closed);
        }
        self.set_status(Status::Closed(reason));
    }
}
