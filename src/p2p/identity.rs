//! Who this peer is.

use std::fmt;

use converge_signal::protocol::{Hello, VERSION, hello_bytes};
use converge_signal::{Incarnation, Nonce, PeerId, Signature, TopicHash};
use ed25519_dalek::{Signer, SigningKey};

/// An Ed25519 key pair (RFC 8032) and which life of it this is.
///
/// In a tab both are kept in `sessionStorage`, so a reload is the same peer in its next life.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
    incarnation: Incarnation,
}

impl Identity {
    /// The identity whose secret key is these 32 bytes, in the given life.
    pub fn from_secret(secret: &[u8; 32], incarnation: Incarnation) -> Self {
        Self { key: SigningKey::from_bytes(secret), incarnation }
    }

    /// The same peer, that many lives later.
    pub fn reborn(&self, lives: u64) -> Self {
        Self { key: self.key.clone(), incarnation: self.incarnation.saturating_add(lives) }
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn secret(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The public key: what others know this peer by.
    pub fn id(&self) -> PeerId {
        PeerId::from_bytes(self.key.verifying_key().to_bytes())
    }

    /// Which life this is.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The answer to a server's challenge.
    pub(crate) fn hello(&self, nonce: &Nonce, origin: &str, topic: TopicHash, token: Option<String>) -> Hello {
        let bytes = hello_bytes(nonce, origin, &topic, self.incarnation);
        Hello {
            v: VERSION,
            topic,
            id: self.id(),
            incarnation: self.incarnation,
            sig: Signature::from_bytes(self.key.sign(&bytes).to_bytes()),
            token,
        }
    }
}

// The secret must not reach a log.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("id", &self.id()).field("incarnation", &self.incarnation).finish()
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id() && self.incarnation == other.incarnation
    }
}

impl Eq for Identity {}
