//! The driver where there is no browser: it joins nothing. A page rendered on the server uses the same code.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use converge_signal::PeerId;

use crate::client::{Answer, Waiting};
use crate::codec::Payload;
use crate::error::{JoinError, SendError};
use crate::event::{Activity, Event, PeerState, RequestId, Status};
use crate::file::LocalFile;
use crate::lane::Lane;
use crate::media::{Audience, Device, MediaError, Source, Stream, StreamId, ViewerState};
use crate::options::Options;
use crate::report::RoomReport;
use crate::room::Sent;
use crate::topic::Topic;
use crate::transfer::{Transfer, TransferId};

#[derive(Clone)]
pub(crate) struct Driver;

#[derive(Clone)]
pub(crate) struct WeakDriver;

/// A file's bytes, which nobody reads.
#[derive(Debug, Clone)]
pub(crate) struct Content;

impl Content {
    pub(crate) fn from_bytes(_bytes: &[u8]) -> Self {
        Self
    }
}

/// A stream that the page has made itself, of a canvas for instance. In the browser it is made of a `MediaStream`.
#[derive(Debug, Clone)]
pub struct LocalMedia(std::convert::Infallible);

pub(crate) struct Subscription;

pub(crate) struct Responding;

pub(crate) struct Watching;

impl WeakDriver {
    pub(crate) fn upgrade(&self) -> Option<Driver> {
        Some(Driver)
    }

    pub(crate) fn cancel_request(&self, _request: RequestId) {}

    pub(crate) fn not_waiting(&self, _id: u64) {}
}

impl Driver {
    pub(crate) fn join(options: Options) -> Result<Self, JoinError> {
        Topic::new(&options.topic)?;
        Ok(Self)
    }

    pub(crate) fn downgrade(&self) -> WeakDriver {
        WeakDriver
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

    pub(crate) fn activity(&self, _peer: PeerId) -> Activity {
        Activity::Stale
    }

    pub(crate) fn broadcast(&self, _lane: Lane, _channel: &str, _payload: &Payload) -> Result<Sent, SendError> {
        Err(SendError::NotJoined)
    }

    pub(crate) fn send_to(
        &self,
        _to: PeerId,
        _lane: Lane,
        _channel: &str,
        _payload: &Payload,
    ) -> Result<(), SendError> {
        Err(SendError::NotJoined)
    }

    pub(crate) fn accepted(&self, _peer: PeerId, _lane: Lane) -> Option<u64> {
        None
    }

    pub(crate) fn settled(&self, _peer: PeerId, _lane: Lane) -> Option<u64> {
        None
    }

    pub(crate) fn room_for(
        &self,
        _to: Option<PeerId>,
        _lane: Lane,
        _id: &mut Option<u64>,
        _waker: &Waker,
    ) -> Result<bool, SendError> {
        Err(SendError::NotJoined)
    }

    pub(crate) fn request(
        &self,
        _to: PeerId,
        _channel: &str,
        _payload: &Payload,
        _timeout: Duration,
        _waiting: &Arc<Waiting>,
    ) -> Result<RequestId, SendError> {
        Err(SendError::NotJoined)
    }

    pub(crate) fn serve(
        &self,
        _channel: &str,
        _handler: impl Fn(PeerId, &Payload) -> Answer + 'static,
    ) -> Result<Responding, SendError> {
        Ok(Responding)
    }

    pub(crate) fn send_file(&self, _to: Option<PeerId>, _file: LocalFile) -> Result<Vec<TransferId>, SendError> {
        Err(SendError::NotJoined)
    }

    pub(crate) fn accept(&self, _transfer: TransferId) {}

    pub(crate) fn decline(&self, _transfer: TransferId) {}

    pub(crate) fn cancel(&self, _transfer: TransferId) {}

    pub(crate) fn forget(&self, _transfer: TransferId) {}

    pub(crate) fn transfers(&self) -> Vec<Transfer> {
        Vec::new()
    }

    pub(crate) fn saved(&self, _transfer: TransferId) -> Option<String> {
        None
    }

    pub(crate) fn share(&self, source: Source) -> impl Future<Output = Result<StreamId, MediaError>> + use<> {
        std::future::ready(match source.media {
            Some(LocalMedia(never)) => match never {},
            None => Err(MediaError::NotJoined),
        })
    }

    pub(crate) fn replace(
        &self,
        _id: StreamId,
        _device: String,
    ) -> impl Future<Output = Result<(), MediaError>> + use<> {
        std::future::ready(Err(MediaError::Unknown))
    }

    pub(crate) fn unshare(&self, _id: StreamId) {}

    pub(crate) fn pause(&self, _id: StreamId, _paused: bool) -> Result<(), MediaError> {
        Err(MediaError::Unknown)
    }

    pub(crate) fn streams(&self, _peer: PeerId) -> Vec<Stream> {
        Vec::new()
    }

    pub(crate) fn set_audience(&self, _audience: Audience) {}

    pub(crate) fn audience(&self) -> Audience {
        Audience::default()
    }

    pub(crate) fn approve_viewer(&self, _peer: PeerId) {}

    pub(crate) fn deny_viewer(&self, _peer: PeerId) {}

    pub(crate) fn viewer(&self, _peer: PeerId) -> Option<ViewerState> {
        None
    }

    pub(crate) fn mute(&self, _peer: PeerId, _muted: bool) {}

    pub(crate) fn is_muted(&self, _peer: PeerId) -> bool {
        false
    }

    pub(crate) fn report(&self) -> Option<RoomReport> {
        None
    }

    pub(crate) fn watch_links(&self) -> Watching {
        Watching
    }

    pub(crate) fn held_bytes(&self) -> usize {
        0
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

/// The cameras and microphones there are: none.
pub(crate) async fn devices() -> Result<Vec<Device>, MediaError> {
    Ok(Vec::new())
}

#[cfg(feature = "hooks")]
pub(crate) struct DeviceWatch;

#[cfg(feature = "hooks")]
pub(crate) fn on_devices(_tell: impl Fn() + 'static) -> Option<DeviceWatch> {
    None
}
