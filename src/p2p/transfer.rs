//! Files: what the application sees of them.

use converge_signal::PeerId;

/// Names a transfer within a room. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferId(pub(crate) u64);

impl TransferId {
    /// The number, for keys and attributes.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A file on its way to or from one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its name in this room.
    pub id: TransferId,
    /// The other end.
    pub peer: PeerId,
    /// This side sends it.
    pub outgoing: bool,
    /// The file's name, without folders, control characters or anything that turns text around.
    pub name: String,
    /// Its media type, as the sender's browser says; may be empty.
    pub mime: String,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes that have arrived: at the other end, as far as it has said so, or here.
    pub moved: u64,
    /// How it is doing.
    pub state: TransferState,
}

/// How a transfer is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferState {
    /// Offered; the receiver has not said whether it wants the file.
    Offered,
    /// Under way. While the link is lost it waits, and goes on where it was.
    Moving,
    /// Arrived whole: the BLAKE3 hashes of both ends are the same.
    Done,
    /// The receiver did not want it.
    Declined,
    /// One side has stopped it.
    Cancelled,
    /// It came to nothing.
    Failed(TransferError),
}

impl TransferState {
    /// Nothing more will happen.
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::Offered | Self::Moving)
    }
}

/// Why a transfer came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The peer has left, or could not be reached for too long.
    #[error("the other side has gone")]
    Gone,
    /// The file can't be read any more: it was changed, moved or deleted.
    #[error("the file can't be read: {0}")]
    Read(String),
    /// What arrives can't be kept.
    #[error("the file can't be stored: {0}")]
    Write(String),
    /// What arrived is not what was sent.
    #[error("the file arrived damaged: its hash differs from the sender's")]
    Hash,
    /// The other end broke the rules of the transfer.
    #[error("the other side sent what does not belong to this file")]
    Protocol,
    /// The other end failed; the reason is there.
    #[error("the other side could not go on")]
    Remote,
    /// Too many files wait for an answer already.
    #[error("too many files are waiting: finish or cancel some first")]
    TooMany,
}
