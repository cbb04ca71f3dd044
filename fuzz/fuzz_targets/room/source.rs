//! The bytes, as what steps are made of.

use super::*;

/// The bytes, from which every choice is taken; zeros once they have run out.
pub(crate) struct Source<'a>(pub(crate) &'a [u8]);

impl<'a> Source<'a> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(crate) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Small mostly, and sometimes anything.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ ..0xf0 => u64::from(small),
            0xf0..0xf4 => u64::from(self.byte()) << 8 | u64::from(self.byte()),
            0xf4..0xf8 => self.take(4).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
            0xf8..0xfc => self.take(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
            0xfc => u64::from(u32::MAX),
            0xfd => 1 << 53,
            _ => u64::MAX - u64::from(self.byte()),
        }
    }

    pub(crate) fn number32(&mut self) -> u32 {
        self.number() as u32
    }

    /// Names one of a few things mostly, so that steps are about the same.
    pub(crate) fn few(&mut self) -> u32 {
        match self.byte() {
            few @ ..0xf0 => u32::from(few % 4),
            _ => self.number32(),
        }
    }

    pub(crate) fn one<'b, T>(&mut self, all: &'b [T]) -> Option<&'b T> {
        let index = usize::from(self.byte());
        if all.is_empty() { None } else { all.get(index % all.len()) }
    }

    pub(crate) fn name(&mut self) -> &'static str {
        NAMES[usize::from(self.byte()) % NAMES.len()]
    }

    pub(crate) fn lane(&mut self) -> Lane {
        match self.byte() % 8 {
            0 | 5.. => Lane::RELIABLE,
            1 => Lane::LOSSY,
            2 => Lane::BULK,
            3 => Lane::app(0),
            _ => Lane::app(1),
        }
    }

    /// So many bytes: few mostly, and sometimes as many as a frame has.
    pub(crate) fn length(&mut self) -> usize {
        match self.byte() {
            small @ ..0xc0 => usize::from(small),
            large => usize::from(large - 0xc0) * 1024,
        }
    }

    pub(crate) fn remote(&mut self) -> usize {
        usize::from(self.byte()) % REMOTES
    }

    pub(crate) fn member(&mut self) -> Member {
        let id = IDS[usize::from(self.byte()) % IDS.len()];
        Member { id, incarnation: u64::from(self.byte() % 4), seq: u64::from(self.byte() % 8) }
    }

    pub(crate) fn sdp(&mut self) -> Sdp {
        if self.flag() { Sdp::Offer("offer".into()) } else { Sdp::Answer("answer".into()) }
    }
}
