//! The driver where there is no browser: it joins nothing. A page rendered on the server uses the same code.

use converge_signal::PeerId;

use crate::codec::Payload;
use crate::error::{JoinError, SendError};
use crate::event::{Event, PeerState, Status};
use crate::options::Options;
use crate::topic::Topic;

#[derive(Clone)]
pub(crate) struct Driver;

pub(crate) struct Subscription;

impl Driver {
    pub(crate) fn join(options: Options) -> Result<Self, JoinError> {
        Topic::new(&options.topic)?;
        Ok(Self)
    }

    pub(crate) fn subscribe(&self, _sink: impl Fn(&Event) + 'static) -> Subscription {
        Subscription
    }

    pub(crate) fn id(&self) -> Option<PeerId> {
        None
    }

    pub(crate) fn status(&self) -> Status {
        Status::Connecting
    }

    pub(crate) fn peers(&self) -> Vec<(PeerId, PeerState)> {
        Vec::new()
    }

    pub(crate) fn broadcast(&self, _channel: &str, _payload: &Payload) -> Result<(), SendError> {
        Err(SendError::NotJoined)
    }

    pub(crate) fn send_to(&self, _to: PeerId, _channel: &str, _payload: &Payload) -> Result<(), SendError> {
        Err(SendError::NotJoined)
    }

    pub(crate) fn set_presence(&self, _slot: &str, _value: Option<Payload>) -> Result<(), SendError> {
        Ok(())
    }

    pub(crate) fn presence(&self, _slot: &str) -> Option<Payload> {
        None
    }

    pub(crate) fn presence_of(&self, _peer: PeerId, _slot: &str) -> Option<Payload> {
        None
    }

    pub(crate) fn leave(&self) {}

    pub(crate) fn rejoin(&self) {}
}
