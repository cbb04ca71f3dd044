//! Files: what is sent is made up as it is read, what arrives is kept to be looked at.

use std::time::Duration;

use super::net::Happening;
use super::{NodeId, Sim};
use crate::error::SendError;
use crate::room::{FileEvent, Input};
use crate::timer::Time;
use crate::transfer::{Transfer, TransferId};

/// A file that is sent.
#[derive(Debug)]
pub struct Source {
    pattern: u64,
    size: u64,
    read: u64,
    reading: bool,
    fails_at: Option<u64>,
    dropped: bool,
}

impl Source {
    /// How many bytes were read from it, those that were read again too.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// The sender has let go of it.
    pub fn is_dropped(&self) -> bool {
        self.dropped
    }

    /// The pattern it consists of now: see [`pattern`].
    pub fn pattern(&self) -> u64 {
        self.pattern
    }
}

/// A file that is received.
#[derive(Debug)]
pub struct Sink {
    transfer: Transfer,
    bytes: Vec<u8>,
    free: Time,
    writing: bool,
    stored: u64,
    fails_at: Option<u64>,
    finished: bool,
    dropped: bool,
}

impl Sink {
    /// The transfer, as it was when the file was made.
    pub fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes the room was told are stored.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// It is complete and can be saved.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The receiver has let go of it.
    pub fn is_dropped(&self) -> bool {
        self.dropped
    }
}

/// So many bytes of a file of this pattern, from an offset on.
pub fn pattern(pattern: u64, offset: u64, bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes + 16);
    let mut block = offset / 8;
    let skip = usize::try_from(offset % 8).unwrap_or(0);
    while out.len() < bytes + skip {
        let mixed = (block ^ pattern).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        out.extend_from_slice(&(mixed ^ mixed >> 29).to_le_bytes());
        block += 1;
    }
    out.drain(..skip);
    out.truncate(bytes);
    out
}

impl Sim {
    /// Offers a made-up file to another page.
    ///
    /// # Errors
    /// As [`RoomCore::offer_file`](crate::room::RoomCore::offer_file).
    pub fn offer_file(&mut self, node: NodeId, to: NodeId, name: &str, size: u64) -> Result<TransferId, SendError> {
        let (pattern, to) = (self.random.u64(..), self.id(to));
        let transfer = self.ask(node, |core, now| core.offer_file(now, to, name, "text/plain", size));
        if let Ok(transfer) = transfer {
            let source = Source { pattern, size, read: 0, reading: false, fails_at: None, dropped: false };
            self.nodes[node].sources.insert(transfer, source);
        }
        self.settle(node);
        transfer
    }

    /// A file that a page sends, while the page lives.
    pub fn source(&self, node: NodeId, transfer: TransferId) -> Option<&Source> {
        self.nodes[node].sources.get(&transfer)
    }

    /// A file that a page receives, while the page lives.
    pub fn sink(&self, node: NodeId, transfer: TransferId) -> Option<&Sink> {
        self.nodes[node].sinks.get(&transfer)
    }

    /// Reading a file fails from this offset on.
    pub fn fail_reads(&mut self, node: NodeId, transfer: TransferId, offset: u64) {
        if let Some(source) = self.nodes[node].sources.get_mut(&transfer) {
            source.fails_at = Some(offset);
        }
    }

    /// Storing a file fails from this offset on.
    pub fn fail_writes(&mut self, node: NodeId, transfer: TransferId, offset: u64) {
        if let Some(sink) = self.nodes[node].sinks.get_mut(&transfer) {
            sink.fails_at = Some(offset);
        }
    }

    /// A file changes while it is sent: what is read from now on is not what it was.
    pub fn corrupt(&mut self, node: NodeId, transfer: TransferId) {
        if let Some(source) = self.nodes[node].sources.get_mut(&transfer) {
            source.pattern = !source.pattern;
        }
    }

    fn file_says(&mut self, node: NodeId, at: Time, transfer: TransferId, event: FileEvent) {
        let life = self.nodes[node].life;
        self.schedule_at(at, Happening::File { node, life, transfer, event });
    }

    pub(super) fn read_file(&mut self, node: NodeId, transfer: TransferId, offset: u64, bytes: usize) {
        let (seed, at) = (self.seed, self.now + self.weather.disk);
        let Some(source) = self.nodes[node].sources.get_mut(&transfer) else {
            panic!("seed {seed}: page {node} reads a file that it does not send");
        };
        let fits = offset.checked_add(bytes as u64).is_some_and(|end| end <= source.size);
        assert!(fits && bytes > 0, "seed {seed}: {bytes} bytes at {offset} of {}", source.size);
        assert!(!source.dropped && !source.reading, "seed {seed}: {source:?}");
        source.reading = true;
        let event = if source.fails_at.is_some_and(|fails| offset + bytes as u64 > fails) {
            FileEvent::Failed("the disk is on fire".to_owned())
        } else {
            source.read += bytes as u64;
            FileEvent::Read(pattern(source.pattern, offset, bytes))
        };
        self.file_says(node, at, transfer, event);
    }

    pub(super) fn create_file(&mut self, node: NodeId, transfer: Transfer) {
        let id = transfer.id;
        let sink = Sink {
            transfer,
            bytes: Vec::new(),
            free: Time::ZERO,
            writing: false,
            stored: 0,
            fails_at: None,
            finished: false,
            dropped: false,
        };
        let before = self.nodes[node].sinks.insert(id, sink);
        assert!(before.is_none(), "seed {}: page {node} makes a file twice", self.seed);
    }

    pub(super) fn write_file(&mut self, node: NodeId, transfer: TransferId, bytes: &[u8]) {
        let (seed, now, disk) = (self.seed, self.now, self.weather.disk);
        let rate = self.weather.stored_per_second;
        let Some(sink) = self.nodes[node].sinks.get_mut(&transfer) else {
            panic!("seed {seed}: page {node} stores a file that it has not made");
        };
        assert!(!sink.dropped && !sink.writing && !sink.finished, "seed {seed}: page {node} stores out of turn");
        sink.writing = true;
        sink.bytes.extend_from_slice(bytes);
        assert!(sink.bytes.len() as u64 <= sink.transfer.size, "seed {seed}: page {node} stores too much");
        let takes = rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bytes.len() as f64 / rate as f64));
        sink.free = sink.free.max(now) + disk + takes;
        let at = sink.free;
        let event = if sink.fails_at.is_some_and(|fails| sink.bytes.len() as u64 > fails) {
            FileEvent::Failed("the disk is full".to_owned())
        } else {
            FileEvent::Written
        };
        self.file_says(node, at, transfer, event);
    }

    pub(super) fn finish_file(&mut self, node: NodeId, transfer: TransferId) {
        let (seed, at) = (self.seed, self.now + self.weather.disk);
        let Some(sink) = self.nodes[node].sinks.get_mut(&transfer) else {
            panic!("seed {seed}: page {node} finishes a file that it has not made");
        };
        assert!(!sink.dropped && !sink.writing && !sink.finished, "seed {seed}: page {node} finishes out of turn");
        sink.finished = true;
        self.file_says(node, at, transfer, FileEvent::Finished);
    }

    pub(super) fn drop_file(&mut self, node: NodeId, transfer: TransferId) {
        let page = &mut self.nodes[node];
        if let Some(source) = page.sources.get_mut(&transfer) {
            source.dropped = true;
        }
        if let Some(sink) = page.sinks.get_mut(&transfer) {
            sink.dropped = true;
        }
    }

    pub(super) fn file_event(&mut self, node: NodeId, life: u64, transfer: TransferId, event: FileEvent) {
        let page = &mut self.nodes[node];
        if page.life != life {
            return;
        }
        let dropped = match (page.sources.get_mut(&transfer), page.sinks.get_mut(&transfer)) {
            (Some(source), _) => {
                source.reading = false;
                source.dropped
            }
            (None, Some(sink)) => {
                sink.writing = false;
                if matches!(event, FileEvent::Written) {
                    sink.stored = sink.bytes.len() as u64;
                }
                sink.dropped
            }
            (None, None) => true,
        };
        if !dropped {
            self.tell(node, Input::File { transfer, event });
        }
    }
}
