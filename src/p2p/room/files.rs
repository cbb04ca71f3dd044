//! Files: offered, accepted, sent piece by piece as the receiver allows, resumed after a lost link, checked at the end.
//!
//! What is said about a file travels on lane 0, where nothing is lost; the file itself on lane 2. The receiver grants
//! credit up to so many bytes beyond what it has stored, so it sets the pace and holds little. On a new link it says how
//! far it is, and the sender goes on from there: the file itself is what would otherwise have to be kept for resending.

use std::sync::Arc;

use converge_signal::PeerId;

use super::inbox::file_name;
use super::{Event, FileEvent, Output, RoomCore};
use crate::error::SendError;
use crate::lane::Lane;
use crate::session;
use crate::timer::Time;
use crate::transfer::{Transfer, TransferError, TransferId, TransferState};
use crate::wire::{self, Body, Frame, WireError};

/// The receiver lets the sender be this far ahead of what is stored. Enough to keep a
/// fast link busy while the disk is, and little to hold.
const WINDOW: u64 = 4 * 1024 * 1024;

/// At most this much for all files of one sender together, as long as each has more than [`LEAST_WINDOW`].
const WINDOWS: u64 = 4 * WINDOW;

/// The receiver always lets a file's sender be this far ahead.
const LEAST_WINDOW: u64 = 256 * 1024;

/// It grants more when so much of that is used up.
const GRANT_STEP: u64 = 512 * 1024;

/// The sender reads so much at a time: reading a file costs a browser about a millisecond, however little is read.
const READ_BYTES: u64 = 1024 * 1024;

/// The receiver stores so much at a time.
const WRITE_BYTES: usize = 512 * 1024;

/// A peer may have so many files under way with this side, those that are only offered included.
const MAX_MOVING: usize = 64;

/// At most this many finished transfers are remembered for each peer, and for all peers; the oldest are evicted.
/// Transfers with a received file stay until the application forgets them.
const MAX_OVER_PER_PEER: usize = 64;
const MAX_OVER: usize = 512;

/// A transfer that is not over.
#[derive(Debug)]
pub(super) struct Moving {
    pub(super) info: Transfer,
    /// Its number among those that the sender has offered to the receiver.
    number: u32,
    end: End,
}

#[derive(Debug)]
enum End {
    Sender(Sender),
    Receiver(Box<Receiver>),
}

#[derive(Debug)]
struct Sender {
    /// The next byte to send.
    position: u64,
    /// The receiver takes everything before this; none until it has said so on the present link.
    until: Option<u64>,
    /// What was read and not sent yet, and where in the file the first byte of it is.
    pieces: [Option<(u64, Vec<u8>)>; 2],
    /// What is being read: where, and how much.
    reading: Option<(u64, usize)>,
    hasher: Box<blake3::Hasher>,
    /// Everything before this is in the hash.
    hashed: u64,
    /// The hash was sent.
    ended: bool,
}

#[derive(Debug)]
struct Receiver {
    accepted: bool,
    received: u64,
    stored: u64,
    /// The sender may send everything before this.
    granted: u64,
    /// What has come and is not being stored yet.
    buffer: Vec<u8>,
    /// How much is being stored.
    storing: usize,
    hasher: blake3::Hasher,
    /// What the sender says the hash is.
    hash: Option<[u8; 32]>,
    finishing: bool,
}

impl Moving {
    pub(super) fn held_bytes(&self) -> usize {
        match &self.end {
            End::Sender(sender) => sender.pieces.iter().flatten().map(|(_, piece)| piece.len()).sum(),
            End::Receiver(receiver) => receiver.buffer.len() + receiver.storing,
        }
    }

    /// Returns the bytes of credit that the sender has and that are not stored yet.
    pub(super) fn granted_bytes(&self) -> u64 {
        match &self.end {
            End::Sender(_) => 0,
            End::Receiver(receiver) => receiver.granted.saturating_sub(receiver.stored),
        }
    }

    fn is(&self, number: u32, outgoing: bool) -> bool {
        self.number == number && self.info.outgoing == outgoing
    }
}

impl Sender {
    /// The next piece to send, if it is read; else has it read.
    fn next(
        &mut self,
        id: TransferId,
        size: u64,
        chunk: usize,
        out: &mut std::collections::VecDeque<Output>,
    ) -> Option<&[u8]> {
        let until = self.until?.min(size);
        for piece in &mut self.pieces {
            // What was sent is let go.
            if piece.as_ref().is_some_and(|(at, bytes)| at + bytes.len() as u64 <= self.position) {
                *piece = None;
            }
        }
        self.read_on(id, size, out);
        if self.position >= until {
            return None;
        }
        let holds = |(at, bytes): &&(u64, Vec<u8>)| (*at..at + bytes.len() as u64).contains(&self.position);
        let (at, bytes) = self.pieces.iter().flatten().find(holds)?;
        let start = usize::try_from(self.position - at).ok()?;
        let allowed = usize::try_from(until - self.position).unwrap_or(usize::MAX);
        let end = bytes.len().min(start + chunk.min(allowed));
        self.position += (end - start) as u64;
        Some(&bytes[start..end])
    }

    /// Reads the file ahead of what is being sent: one piece while another is sent.
    fn read_on(&mut self, id: TransferId, size: u64, out: &mut std::collections::VecDeque<Output>) {
        if self.reading.is_some() {
            return;
        }
        let mut offset = self.position;
        while let Some((at, bytes)) =
            self.pieces.iter().flatten().find(|(at, bytes)| (*at..at + bytes.len() as u64).contains(&offset))
        {
            offset = at + bytes.len() as u64;
        }
        if offset < size && self.pieces.iter().any(Option::is_none) {
            let bytes = READ_BYTES.min(size - offset) as usize;
            self.reading = Some((offset, bytes));
            out.push_back(Output::ReadFile { transfer: id, offset, bytes });
        }
    }

    /// A new link, or a receiver that is elsewhere: goes on from there.
    fn go_to(&mut self, position: u64) {
        self.position = position;
        for piece in &mut self.pieces {
            if piece.as_ref().is_some_and(|(at, bytes)| !(*at..at + bytes.len() as u64).contains(&position)) {
                *piece = None;
            }
        }
    }
}

impl RoomCore {
    /// Offers a file to a member. Its bytes are asked for by [`Output::ReadFile`] once the member has accepted.
    ///
    /// # Errors
    /// If the member isn't there, or too many files are under way to it already.
    pub fn offer_file(
        &mut self,
        now: Time,
        to: PeerId,
        name: &str,
        mime: &str,
        size: u64,
    ) -> Result<TransferId, SendError> {
        self.may_send()?;
        let name = file_name(name);
        let mime = if mime.len() > wire::MAX_FILE_NAME_BYTES { "" } else { mime };
        let peer = self.peers.get_mut(&to).ok_or(SendError::UnknownPeer { peer: to })?;
        if peer.moving.len() >= MAX_MOVING || !peer.may_offer_file(now) {
            return Err(SendError::QueueFull { peers: vec![to] });
        }
        peer.offers = peer.offers.wrapping_add(1);
        let number = peer.offers;
        if !self.send_body(now, to, &Body::Offer { transfer: number, name: &name, mime, size }) {
            return Err(SendError::QueueFull { peers: vec![to] });
        }
        let sender = Sender {
            position: 0,
            until: None,
            pieces: [None, None],
            reading: None,
            hasher: Box::default(),
            hashed: 0,
            ended: false,
        };
        Ok(self.appear(to, true, name, mime.to_owned(), size, number, End::Sender(sender)))
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of what is made")]
    fn appear(
        &mut self,
        peer: PeerId,
        outgoing: bool,
        name: String,
        mime: String,
        size: u64,
        number: u32,
        end: End,
    ) -> TransferId {
        self.last_transfer += 1;
        let id = TransferId(self.last_transfer);
        let state = TransferState::Offered;
        let info = Transfer { id, peer, outgoing, name, mime, size, moved: 0, state };
        self.emit(Event::Transfer(info.clone()));
        self.transfers.insert(id, peer);
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.moving.push(Moving { info, number, end });
        }
        id
    }

    /// Every transfer that was not forgotten, in the order in which they appeared.
    pub fn transfers(&self) -> Vec<Transfer> {
        let moving = self.peers.values().flat_map(|peer| peer.moving.iter().map(|moving| &moving.info));
        let mut all: Vec<Transfer> = moving.chain(self.over.values()).cloned().collect();
        all.sort_by_key(|transfer| transfer.id);
        all
    }

    /// Wants a file that was offered.
    pub fn accept(&mut self, now: Time, id: TransferId) {
        self.assert_drained();
        let Some(moving) = self.moving(id) else { return };
        let (peer, number, info) = (moving.info.peer, moving.number, moving.info.clone());
        let End::Receiver(receiver) = &mut moving.end else { return };
        if std::mem::replace(&mut receiver.accepted, true) {
            return;
        }
        moving.info.state = TransferState::Moving;
        self.out.push_back(Output::CreateFile { transfer: info });
        if !self.send_body(now, peer, &Body::Accept(number)) {
            return self.fail(now, id, TransferError::TooMany);
        }
        self.progress(id);
        self.grant(now, id, true);
        self.file_may_be_whole(now, id);
    }

    /// Does not want a file that was offered.
    pub fn decline(&mut self, now: Time, id: TransferId) {
        self.assert_drained();
        let Some(moving) = self.moving(id) else { return };
        if moving.info.outgoing || moving.info.state != TransferState::Offered {
            return;
        }
        let (peer, number) = (moving.info.peer, moving.number);
        // If too much waits there, the link will end and this with it.
        self.send_body(now, peer, &Body::Decline(number));
        self.end_transfer(id, TransferState::Declined);
    }

    /// Stops a transfer, on whichever side.
    pub fn cancel(&mut self, now: Time, id: TransferId) {
        self.assert_drained();
        self.stop(now, id, TransferState::Cancelled);
    }

    /// Takes a transfer that is over off the list, and lets go of its file.
    pub fn forget(&mut self, id: TransferId) {
        self.assert_drained();
        // The files of failed transfers were dropped when the transfers ended.
        if self.over.remove(&id).is_some_and(|transfer| is_kept(&transfer)) {
            self.out.push_back(Output::DropFile { transfer: id });
        }
    }

    fn moving(&mut self, id: TransferId) -> Option<&mut Moving> {
        let peer = *self.transfers.get(&id)?;
        self.peers.get_mut(&peer)?.moving.iter_mut().find(|moving| moving.info.id == id)
    }

    fn numbered(&mut self, peer: PeerId, number: u32, outgoing: bool) -> Option<&mut Moving> {
        self.peers.get_mut(&peer)?.moving.iter_mut().find(|moving| moving.is(number, outgoing))
    }

    fn progress(&mut self, id: TransferId) {
        if let Some(info) = self.moving(id).map(|moving| moving.info.clone()) {
            self.emit(Event::Transfer(info));
        }
    }

    /// Tells the other side that this one goes no further.
    fn stop(&mut self, now: Time, id: TransferId, state: TransferState) {
        let Some(moving) = self.moving(id) else { return };
        let (peer, transfer, offered) = (moving.info.peer, moving.number, moving.info.outgoing);
        let failed = matches!(state, TransferState::Failed(_));
        self.send_body(now, peer, &Body::Stop { transfer, offered, failed });
        self.end_transfer(id, state);
    }

    fn fail(&mut self, now: Time, id: TransferId, error: TransferError) {
        self.stop(now, id, TransferState::Failed(error));
    }

    fn end_transfer(&mut self, id: TransferId, state: TransferState) {
        let Some(peer) = self.transfers.remove(&id) else { return };
        let Some(peer) = self.peers.get_mut(&peer) else { return };
        let Some(at) = peer.moving.iter().position(|moving| moving.info.id == id) else { return };
        let moving = peer.moving.remove(at);
        self.retire(moving, state);
    }

    fn retire(&mut self, moving: Moving, state: TransferState) {
        let mut info = moving.info;
        info.state = state;
        let has_file = info.outgoing || matches!(&moving.end, End::Receiver(receiver) if receiver.accepted);
        if has_file && (info.outgoing || info.state != TransferState::Done) {
            self.out.push_back(Output::DropFile { transfer: info.id });
        }
        self.emit(Event::Transfer(info.clone()));
        let peer = info.peer;
        self.over.insert(info.id, info);
        self.forget_oldest(MAX_OVER_PER_PEER, |transfer| transfer.peer == peer);
        self.forget_oldest(MAX_OVER, |_| true);
    }

    /// Evicts the oldest finished transfer without a file, if there are more than `most`.
    fn forget_oldest(&mut self, most: usize, of: impl Fn(&Transfer) -> bool) {
        let mut bare = self.over.values().filter(|transfer| !is_kept(transfer) && of(transfer));
        let oldest = bare.next().map(|transfer| transfer.id);
        if bare.count() >= most
            && let Some(id) = oldest
        {
            self.over.remove(&id);
            self.emit(Event::TransferForgotten { transfer: id });
        }
    }

    /// The other end of these has gone, or knows nothing of them any more.
    pub(super) fn stranded(&mut self, moving: Vec<Moving>) {
        for moving in moving {
            self.transfers.remove(&moving.info.id);
            self.retire(moving, TransferState::Failed(TransferError::Gone));
        }
    }

    pub(super) fn file_offered(&mut self, now: Time, id: PeerId, number: u32, name: &str, mime: &str, size: u64) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.may_hear_of_file(now) {
            return self.refuse(now, id, WireError::Overload { what: "offers of files" });
        }
        let known = peer.moving.iter().any(|moving| moving.is(number, false));
        if known || peer.moving.len() >= MAX_MOVING {
            self.send_body(now, id, &Body::Stop { transfer: number, offered: false, failed: true });
            return;
        }
        let receiver = Receiver {
            accepted: false,
            received: 0,
            stored: 0,
            granted: 0,
            buffer: Vec::new(),
            storing: 0,
            hasher: blake3::Hasher::new(),
            hash: None,
            finishing: false,
        };
        let end = End::Receiver(Box::new(receiver));
        self.appear(id, false, file_name(name), media_type(mime), size, number, end);
    }

    pub(super) fn file_accepted(&mut self, now: Time, id: PeerId, number: u32) {
        let Some(moving) = self.numbered(id, number, true) else { return };
        if moving.info.state == TransferState::Offered {
            moving.info.state = TransferState::Moving;
            let transfer = moving.info.id;
            self.progress(transfer);
            self.pump_files(now, id);
        }
    }

    pub(super) fn file_declined(&mut self, id: PeerId, number: u32) {
        let declined = self.numbered(id, number, true).filter(|moving| moving.info.state == TransferState::Offered);
        if let Some(transfer) = declined.map(|moving| moving.info.id) {
            self.end_transfer(transfer, TransferState::Declined);
        }
    }

    pub(super) fn file_stopped(&mut self, id: PeerId, number: u32, offered: bool, failed: bool) {
        // What the other side offered comes in here.
        let stopped = self.numbered(id, number, !offered).map(|moving| moving.info.id);
        let state = if failed { TransferState::Failed(TransferError::Remote) } else { TransferState::Cancelled };
        if let Some(transfer) = stopped {
            self.end_transfer(transfer, state);
        }
    }

    pub(super) fn file_credit(&mut self, now: Time, id: PeerId, number: u32, have: u64, until: u64) {
        let Some(moving) = self.numbered(id, number, true) else { return };
        let (transfer, size) = (moving.info.id, moving.info.size);
        let End::Sender(sender) = &mut moving.end else { return };
        if have > size || until < have {
            return self.fail(now, transfer, TransferError::Protocol);
        }
        // Who grants credit has accepted: that word may still be waiting in the queue.
        moving.info.state = TransferState::Moving;
        match sender.until {
            // The first on this link: what was under way on the last one is sent again, if it didn't arrive.
            None => sender.go_to(have),
            Some(_) if have > sender.position => return self.fail(now, transfer, TransferError::Protocol),
            Some(_) => {}
        }
        sender.until = Some(until.min(size).max(sender.until.unwrap_or(0)));
        moving.info.moved = moving.info.moved.max(have);
        self.progress(transfer);
        self.pump_files(now, id);
    }

    /// Sends files to a peer as far as credit and lane allow, a piece of each in turn.
    pub(super) fn pump_files(&mut self, now: Time, id: PeerId) {
        let mut ended = Vec::new();
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        loop {
            let mut idle = true;
            for moving in &mut peer.moving {
                let End::Sender(sender) = &mut moving.end else { continue };
                if moving.info.state != TransferState::Moving {
                    continue;
                }
                if sender.position >= moving.info.size
                    && sender.hashed >= moving.info.size
                    && !sender.ended
                    && sender.until.is_some()
                {
                    sender.ended = true;
                    ended.push((moving.info.id, moving.number, *sender.hasher.finalize().as_bytes()));
                }
                if !session::may_send(link, Lane::BULK) {
                    continue;
                }
                let head = wire::file(moving.number, sender.position);
                let chunk = link.max_frame.saturating_sub(head.len());
                if let Some(bytes) = sender.next(moving.info.id, moving.info.size, chunk, &mut self.out) {
                    let frame: Arc<[u8]> = [&head, bytes].concat().into();
                    session::transmit(link, Lane::BULK, frame, &mut self.out);
                    idle = false;
                }
            }
            if idle {
                break;
            }
        }
        for (transfer, number, hash) in ended {
            if !self.send_body(now, id, &Body::End { transfer: number, hash }) {
                self.fail(now, transfer, TransferError::TooMany);
            }
        }
    }

    /// A link is open (again): says how far each file that comes in has come, and waits for the same word of those that
    /// go out.
    pub(super) fn resume_files(&mut self, now: Time, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let mut incoming = Vec::new();
        for moving in &mut peer.moving {
            match &mut moving.end {
                End::Sender(sender) => sender.until = None,
                End::Receiver(receiver) if receiver.accepted => incoming.push(moving.info.id),
                End::Receiver(_) => {}
            }
        }
        for transfer in incoming {
            self.grant(now, transfer, true);
        }
    }

    /// Lets the sender send more, if that is worth saying.
    fn grant(&mut self, _now: Time, id: TransferId, anyway: bool) {
        let Some(moving) = self.moving(id) else { return };
        let (peer, transfer, size) = (moving.info.peer, moving.number, moving.info.size);
        let others = self.peers.get(&peer).map_or(0, |peer| peer.granted_bytes(id));
        let window = WINDOWS.saturating_sub(others).clamp(LEAST_WINDOW, WINDOW);
        let Some(moving) = self.moving(id) else { return };
        let End::Receiver(receiver) = &mut moving.end else { return };
        let until = size.min(receiver.stored + window);
        let step = GRANT_STEP.min(window / 2);
        let worth = until - receiver.granted.min(until) >= step || (until == size && receiver.granted < size);
        if anyway || worth {
            receiver.granted = receiver.granted.max(until);
            let credit = Frame::Credit { transfer, have: receiver.received, until: receiver.granted };
            self.tell(peer, &credit);
        }
    }

    pub(super) fn file_piece(&mut self, now: Time, id: PeerId, number: u32, offset: u64, bytes: &[u8]) {
        // Of a transfer that has ended, pieces may still be on their way.
        let Some(moving) = self.numbered(id, number, false) else { return };
        let transfer = moving.info.id;
        let End::Receiver(receiver) = &mut moving.end else { return };
        let end = offset.saturating_add(bytes.len() as u64);
        if !receiver.accepted || bytes.is_empty() || offset != receiver.received || end > receiver.granted {
            return self.fail(now, transfer, TransferError::Protocol);
        }
        receiver.hasher.update(bytes);
        receiver.buffer.extend_from_slice(bytes);
        receiver.received = end;
        moving.info.moved = end;
        self.store(transfer);
    }

    /// Has what has come stored, if nothing is being stored and it is enough, or the last of the file.
    fn store(&mut self, id: TransferId) {
        let Some(moving) = self.moving(id) else { return };
        let size = moving.info.size;
        let End::Receiver(receiver) = &mut moving.end else { return };
        let enough = receiver.buffer.len() >= WRITE_BYTES || receiver.received == size;
        if receiver.storing == 0 && enough && !receiver.buffer.is_empty() {
            let bytes = std::mem::take(&mut receiver.buffer);
            receiver.storing = bytes.len();
            self.out.push_back(Output::WriteFile { transfer: id, bytes });
        }
    }

    pub(super) fn file_ended(&mut self, now: Time, id: PeerId, number: u32, hash: [u8; 32]) {
        let Some(moving) = self.numbered(id, number, false) else { return };
        let transfer = moving.info.id;
        if let End::Receiver(receiver) = &mut moving.end
            && receiver.accepted
        {
            receiver.hash = Some(hash);
            self.file_may_be_whole(now, transfer);
        }
    }

    /// Once all is stored and the sender's hash is known, the file is whole or damaged.
    fn file_may_be_whole(&mut self, now: Time, id: TransferId) {
        let Some(moving) = self.moving(id) else { return };
        let size = moving.info.size;
        let End::Receiver(receiver) = &mut moving.end else { return };
        let Some(hash) = receiver.hash.filter(|_| receiver.stored == size && !receiver.finishing) else { return };
        if *receiver.hasher.finalize().as_bytes() != hash {
            return self.fail(now, id, TransferError::Hash);
        }
        receiver.finishing = true;
        self.out.push_back(Output::FinishFile { transfer: id });
    }

    pub(super) fn file_stored(&mut self, id: PeerId, number: u32) {
        let Some(moving) = self.numbered(id, number, true) else { return };
        let End::Sender(sender) = &moving.end else { return };
        if sender.ended {
            moving.info.moved = moving.info.size;
            let transfer = moving.info.id;
            self.end_transfer(transfer, TransferState::Done);
        }
    }

    pub(super) fn file_event(&mut self, now: Time, id: TransferId, event: FileEvent) {
        let Some(moving) = self.moving(id) else { return };
        let (peer, number, size) = (moving.info.peer, moving.number, moving.info.size);
        match (&mut moving.end, event) {
            (End::Sender(sender), FileEvent::Read(bytes)) => {
                let Some((offset, asked)) = sender.reading.take() else { return };
                if bytes.len() != asked {
                    return self.fail(now, id, TransferError::Read("it is shorter than it was".to_owned()));
                }
                let end = offset + bytes.len() as u64;
                if offset <= sender.hashed && sender.hashed < end {
                    sender.hasher.update(&bytes[(sender.hashed - offset) as usize..]);
                    sender.hashed = end;
                }
                // Read for a place that the receiver has moved away from: it is read again.
                let wanted = (offset..end).contains(&sender.position)
                    || sender.pieces.iter().flatten().any(|(at, piece)| at + piece.len() as u64 == offset);
                if wanted && let Some(free) = sender.pieces.iter_mut().find(|piece| piece.is_none()) {
                    *free = Some((offset, bytes));
                }
                self.pump_files(now, peer);
            }
            (End::Receiver(receiver), FileEvent::Written) => {
                receiver.stored += std::mem::take(&mut receiver.storing) as u64;
                self.progress(id);
                self.grant(now, id, false);
                self.store(id);
                self.file_may_be_whole(now, id);
            }
            (End::Receiver(receiver), FileEvent::Finished) if receiver.finishing => {
                moving.info.moved = size;
                self.send_body(now, peer, &Body::Stored(number));
                self.end_transfer(id, TransferState::Done);
            }
            (End::Sender(_), FileEvent::Failed(why)) => self.fail(now, id, TransferError::Read(why)),
            (End::Receiver(_), FileEvent::Failed(why)) => self.fail(now, id, TransferError::Write(why)),
            _ => {}
        }
    }
}

/// Whether a finished transfer has a file that the person may save.
fn is_kept(transfer: &Transfer) -> bool {
    !transfer.outgoing && transfer.state == TransferState::Done
}

/// A media type without control characters.
fn media_type(mime: &str) -> String {
    mime.chars().filter(|c| !c.is_control()).collect()
}
