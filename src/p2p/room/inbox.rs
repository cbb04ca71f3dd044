//! What comes in on a link.

use std::borrow::Cow;

use converge_signal::PeerId;

use super::peer::Peer;
use super::{RoomCore, activity_from};
use crate::codec::Payload;
use crate::event::{DisconnectReason, Event};
use crate::lane::Lane;
use crate::link::Stage;
use crate::session;
use crate::stream::{Place, Taken};
use crate::text::without_hidden;
use crate::timer::Time;
use crate::wire::{self, Body, Frame, Packet, Value, WireError};

pub(super) fn owned(value: Value<'_>) -> Payload {
    Payload { codec: value.codec, bytes: value.bytes.to_vec() }
}

fn may_tell(peer: &Peer) -> bool {
    peer.link.as_ref().is_some_and(|link| session::may_send(link, Lane::RELIABLE))
}

impl RoomCore {
    /// Handles a frame whose turn has come.
    pub(super) fn frame(&mut self, now: Time, id: PeerId, lane: Lane, bytes: &[u8]) {
        let Some(link) = self.peers.get(&id).and_then(|peer| peer.link.as_ref()) else { return };
        let result = match &link.stage {
            Stage::Open(_) => self.packet(now, id, lane, bytes),
            // Nothing can come on the other lanes before both have said hello.
            _ if lane != Lane::RELIABLE => Err(WireError::NoHello),
            _ => self.greeted(now, id, bytes),
        };
        if let Err(fault) = result {
            self.refuse(now, id, fault);
        }
    }

    fn packet(&mut self, now: Time, id: PeerId, lane: Lane, bytes: &[u8]) -> Result<(), WireError> {
        let reliable = self.lanes.get(lane.index()).is_some_and(|lane| lane.is_reliable());
        let packet = Packet::decode(bytes)?;
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        match packet {
            Packet::Control(frame) => return self.control(now, id, lane, frame),
            Packet::File { transfer, offset, bytes } if lane == Lane::BULK => {
                self.file_piece(now, id, transfer, offset, bytes);
                return Ok(());
            }
            _ if !reliable => return Err(WireError::Impossible { what: "message on a lane that is not reliable" }),
            Packet::File { .. } => return Err(WireError::Impossible { what: "piece of a file" }),
            Packet::Whole(body) => {
                peer.session.whole(lane, bytes.len())?;
                self.body(now, id, lane, body)?;
            }
            Packet::Pack(mut rest) => {
                while !rest.is_empty() {
                    let (body, bytes) = wire::unpack(&mut rest)?;
                    let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
                    peer.session.whole(lane, bytes)?;
                    self.body(now, id, lane, body)?;
                }
            }
            Packet::First { total, bytes } => peer.session.first(now, lane, total, bytes)?,
            Packet::More(bytes) => {
                if let Taken::Joined(bytes) = peer.session.more(now, lane, bytes)? {
                    self.body(now, id, lane, Body::decode(&bytes)?)?;
                }
            }
        }
        let timings = self.config.timings;
        if let Some(peer) = self.peers.get_mut(&id)
            && let Some(link) = peer.link.as_mut()
        {
            peer.session.settle(now, lane, link, &timings, &mut self.out);
        }
        Ok(())
    }

    fn control(&mut self, now: Time, id: PeerId, lane: Lane, frame: Frame<'_>) -> Result<(), WireError> {
        let reliable = self.lanes.get(lane.index()).is_some_and(|lane| lane.is_reliable());
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        match frame {
            Frame::Presence { slot, counter, value } if lane == Lane::LOSSY || lane == Lane::RELIABLE => {
                let value = value.map(owned);
                if peer.presence.take(slot, counter, value.clone())? {
                    self.emit(Event::PresenceChanged { peer: id, slot: slot.to_owned(), value });
                }
            }
            Frame::Loose { channel, direct, value } if !reliable => {
                let (channel, payload) = (channel.to_owned(), owned(value));
                self.emit(Event::Message { from: id, channel, direct, payload });
            }
            _ if lane != Lane::RELIABLE => return Err(WireError::Impossible { what: "frame on this lane" }),
            Frame::Ready => {
                if let Some(link) = peer.link.as_mut() {
                    if std::mem::replace(&mut link.ready, true) {
                        return Err(WireError::Impossible { what: "second word of being ready" });
                    }
                    self.pump(now, id);
                }
            }
            // Who doesn't read the answers gets no more of them: that would fill the memory.
            Frame::Ping(token) if may_tell(peer) => self.tell(id, &Frame::Pong(token)),
            Frame::Ping(_) => {}
            Frame::Pong(token) => {
                if let Some(Stage::Open(liveness)) = peer.link.as_mut().map(|link| &mut link.stage) {
                    liveness.pong(now, token);
                }
            }
            Frame::Bye => self.remove(id, DisconnectReason::Left),
            Frame::Ack { lane, messages, bytes } => {
                let lane = Lane(lane);
                let before = peer.session.settled(lane);
                peer.session.acknowledged(now, lane, Place { messages, bytes })?;
                let settled = peer.session.settled(lane);
                if let Some(up_to) = settled.filter(|_| settled > before) {
                    self.emit(Event::Acknowledged { peer: id, lane, up_to });
                }
            }
            Frame::Activity(activity) => {
                peer.activity = activity_from(activity);
                self.refresh(now, id);
            }
            Frame::Negotiation(text) => {
                // What is no negotiation is left to time, as when it comes through the server.
                if let Ok(negotiation) = serde_json::from_str(text) {
                    self.negotiate_on_link(now, id, negotiation);
                }
            }
            Frame::Credit { transfer, have, until } => self.file_credit(now, id, transfer, have, until),
            Frame::Presence { .. } | Frame::Loose { .. } => {
                return Err(WireError::Impossible { what: "frame on this lane" });
            }
        }
        Ok(())
    }

    fn body(&mut self, now: Time, id: PeerId, lane: Lane, body: Body<'_>) -> Result<(), WireError> {
        match body {
            Body::Message { channel, direct, value } => {
                let (channel, payload) = (channel.to_owned(), owned(value));
                self.emit(Event::Message { from: id, channel, direct, payload });
            }
            _ if lane != Lane::RELIABLE => return Err(WireError::Impossible { what: "body on this lane" }),
            Body::Request { request, channel, value } => self.requested(now, id, request, channel, value),
            Body::Reply { request, answer } => self.replied(id, request, answer),
            Body::Cancel(request) => self.request_cancelled(id, request),
            Body::Offer { transfer, name, mime, size } => self.file_offered(now, id, transfer, name, mime, size),
            Body::Accept(transfer) => self.file_accepted(now, id, transfer),
            Body::Decline(transfer) => self.file_declined(id, transfer),
            Body::Stop { transfer, offered, failed } => self.file_stopped(id, transfer, offered, failed),
            Body::End { transfer, hash } => self.file_ended(now, id, transfer, hash),
            Body::Stored(transfer) => self.file_stored(id, transfer),
        }
        Ok(())
    }

    /// Sends a body on lane 0 when that can take it; false if too much waits.
    pub(super) fn send_body(&mut self, now: Time, id: PeerId, body: &Body<'_>) -> bool {
        let Ok(bytes) = body.encode() else { return false };
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        peer.send(now, Lane::RELIABLE, &bytes.into(), &mut self.out)
    }
}

/// Returns a name that is safe to show and to save under: without folders and hidden characters (a direction character
/// makes `photogpj.exe` look like `photoexe.jpg`).
pub(super) fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean = without_hidden(last);
    let name: Cow<'_, str> = match clean.trim() {
        "" | "." | ".." => "file".into(),
        name => name.into(),
    };
    let mut end = name.len().min(crate::wire::MAX_FILE_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_of_files_are_names_and_nothing_else() {
        for (given, kept) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\windows\\evil.exe", "evil.exe"),
            ("a\u{0}b\nc", "abc"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("\u{200b}.\u{feff}.", "file"),
            ("  ", "file"),
            ("..", "file"),
            ("a/", "file"),
            ("", "file"),
        ] {
            assert_eq!(file_name(given), kept, "{given:?}");
        }
        let long = file_name(&"é".repeat(300));
        assert!(long.len() <= 255 && long.chars().all(|c| c == 'é'));
    }
}
