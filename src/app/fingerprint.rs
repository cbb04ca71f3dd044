//! A hash of a member's key, which people compare to recognise each other.

use converge_p2p::PeerId;
use sha2::{Digest, Sha256};

/// Keeps the hash apart from those of other purposes.
const DOMAIN: &[u8] = b"converge fingerprint\0";

/// The colours of `style/components/avatar.css`.
const TINTS: u8 = 12;

/// The SHA-256 hash of a member's key. Each visible part has bits of its own: ten choose an unnamed member's name, one
/// of twelve colours and fifteen bits make the avatar, and forty bits are the code. To match another member's avatar
/// and code, an attacker has to try about 2^58 keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a member: the same on every screen.
    pub(crate) fn of(peer: PeerId) -> Self {
        Self(Sha256::new().chain_update(DOMAIN).chain_update(peer.as_bytes()).finalize().into())
    }

    /// Bits that choose an unnamed member's name.
    pub(crate) fn name_bits(self) -> [u8; 2] {
        [self.0[0], self.0[1]]
    }

    /// The number of the colour.
    pub(crate) fn tint(self) -> u8 {
        self.0[2] % TINTS
    }

    /// The filled squares of the avatar, one bit each.
    pub(crate) fn pattern_bits(self) -> u16 {
        u16::from_le_bytes([self.0[3], self.0[4]])
    }

    /// Bits for the code.
    pub(crate) fn code_bits(self) -> u64 {
        let [.., a, b, c, d, e] = self.0;
        u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_that_differ_in_one_bit_look_unlike_in_every_part() {
        let all: Vec<Fingerprint> = (0..=255)
            .map(|bit: u8| {
                let mut key = [7; 32];
                key[usize::from(bit / 8)] ^= 1 << (bit % 8);
                Fingerprint::of(PeerId::from_bytes(key))
            })
            .collect();
        assert_eq!(all.iter().map(|one| one.code_bits()).collect::<HashSet<_>>().len(), 256);
        assert!(all.iter().map(|one| one.pattern_bits()).collect::<HashSet<_>>().len() > 250);
        assert_eq!(all.iter().map(|one| one.tint()).collect::<HashSet<_>>().len(), usize::from(TINTS));
        // Every bit of the code is used.
        let (any, every) =
            all.iter().fold((0, u64::MAX), |(any, every), one| (any | one.code_bits(), every & one.code_bits()));
        assert_eq!((any, every), ((1 << 40) - 1, 0));
    }
}
