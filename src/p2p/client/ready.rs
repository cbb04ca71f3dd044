//! Waiting for room to send.

use std::pin::Pin;
use std::task::{Context, Poll};

use converge_signal::PeerId;

use crate::driver::{Driver, WeakDriver};
use crate::error::SendError;
use crate::lane::Lane;

/// To whom something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum To {
    /// To every other member.
    Everyone,
    /// To one.
    Peer(PeerId),
}

impl To {
    pub(crate) fn peer(self) -> Option<PeerId> {
        match self {
            Self::Everyone => None,
            Self::Peer(peer) => Some(peer),
        }
    }
}

impl From<PeerId> for To {
    fn from(peer: PeerId) -> Self {
        Self::Peer(peer)
    }
}

impl From<Option<PeerId>> for To {
    fn from(peer: Option<PeerId>) -> Self {
        peer.map_or(Self::Everyone, Self::Peer)
    }
}

/// Resolves when there is room to send. See [`Client::ready`](crate::Client::ready).
#[must_use = "nothing is waited for until this is awaited"]
pub struct Ready {
    driver: WeakDriver,
    to: To,
    lane: Lane,
    /// This task, among those that wait.
    id: Option<u64>,
}

impl Ready {
    pub(super) fn new(driver: &Driver, to: To, lane: Lane) -> Self {
        Self { driver: driver.downgrade(), to, lane, id: None }
    }
}

impl Future for Ready {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(driver) = this.driver.upgrade() else { return Poll::Ready(Err(SendError::Closed)) };
        match driver.room_for(this.to.peer(), this.lane, &mut this.id, context.waker()) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.driver.not_waiting(id);
        }
    }
}
