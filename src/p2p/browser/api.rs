//! What the room can be asked and told to do.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use converge_signal::PeerId;
use send_wrapper::SendWrapper;

use super::{Driver, Marks, Subscription, WeakDriver, act, leave, run, start, when_free};
use crate::client::Waiting;
use crate::codec::Payload;
use crate::error::SendError;
use crate::event::{Activity, Event, PeerState, RequestId, Status};
use crate::file::LocalFile;
use crate::lane::Lane;
use crate::report::RoomReport;
use crate::room::{RoomCore, Sent};
use crate::transfer::{Transfer, TransferId};

impl WeakDriver {
    pub(crate) fn upgrade(&self) -> Option<Driver> {
        self.0.upgrade().map(|driver| Driver(SendWrapper::new(driver)))
    }

    /// Does not wait for a reply any longer.
    pub(crate) fn cancel_request(&self, request: RequestId) {
        when_free(&self.0, move |driver| {
            driver.borrow_mut().calls.not_asked(request);
            run(driver, |core, now| core.cancel_request(now, request));
        });
    }

    /// Does not wait for room any longer.
    pub(crate) fn not_waiting(&self, id: u64) {
        when_free(&self.0, move |driver| driver.borrow_mut().calls.not_waiting(id));
    }
}

impl Driver {
    pub(crate) fn downgrade(&self) -> WeakDriver {
        WeakDriver(SendWrapper::new(Rc::downgrade(&self.0)))
    }

    /// Tells `sink` of every event from now on.
    pub(crate) fn subscribe(&self, sink: impl Fn(&Event) + 'static) -> Subscription {
        let mut inner = self.0.borrow_mut();
        inner.last_sink += 1;
        let id = inner.last_sink;
        Rc::make_mut(&mut inner.sinks).push((id, Rc::new(sink)));
        Subscription { driver: SendWrapper::new(inner.this.clone()), id }
    }

    pub(crate) fn id(&self) -> Option<PeerId> {
        self.read(None, |core| Some(core.id()))
    }

    pub(crate) fn status(&self) -> Status {
        self.0.borrow().status()
    }

    pub(crate) fn peers(&self) -> Vec<(PeerId, PeerState)> {
        self.read(Vec::new(), RoomCore::peers)
    }

    pub(crate) fn activity(&self, peer: PeerId) -> Activity {
        self.read(Activity::Stale, |core| core.activity_of(peer))
    }

    pub(crate) fn broadcast(&self, lane: Lane, channel: &str, payload: &Payload) -> Result<Sent, SendError> {
        run(&self.0, |core, now| core.broadcast(now, lane, channel, payload)).unwrap_or_else(|| Err(self.no_core()))
    }

    pub(crate) fn send_to(&self, to: PeerId, lane: Lane, channel: &str, payload: &Payload) -> Result<(), SendError> {
        run(&self.0, |core, now| core.send_to(now, to, lane, channel, payload)).unwrap_or_else(|| Err(self.no_core()))
    }

    pub(crate) fn accepted(&self, peer: PeerId, lane: Lane) -> Option<u64> {
        self.read(None, |core| core.accepted(peer, lane))
    }

    pub(crate) fn settled(&self, peer: PeerId, lane: Lane) -> Option<u64> {
        self.read(None, |core| core.settled(peer, lane))
    }

    /// Whether there is room to send now. Where there isn't, `waker` is woken when that changes; the number is what this
    /// put into `id`, so that the same task waits once.
    pub(crate) fn room_for(
        &self,
        to: Option<PeerId>,
        lane: Lane,
        id: &mut Option<u64>,
        waker: &Waker,
    ) -> Result<bool, SendError> {
        let mut inner = self.0.borrow_mut();
        let room = match &inner.core {
            Some(core) => core.room_for(to, lane)?,
            None if matches!(inner.status(), Status::Closed(_)) => return Err(SendError::Closed),
            None => false,
        };
        if !room {
            *id = Some(inner.calls.wait_for_room(*id, to, lane, waker));
        }
        Ok(room)
    }

    pub(crate) fn request(
        &self,
        to: PeerId,
        channel: &str,
        payload: &Payload,
        timeout: Duration,
        waiting: &Arc<Waiting>,
    ) -> Result<RequestId, SendError> {
        let asked = act(&self.0, |inner, now| {
            let asked = inner.core.as_mut()?.request(now, to, channel, payload, timeout);
            if let Ok(request) = asked {
                inner.calls.asked(request, waiting.clone());
            }
            Some(asked)
        });
        asked.unwrap_or_else(|| Err(self.no_core()))
    }

    /// Offers a file to these peers, or to none of them.
    pub(crate) fn send_file(&self, to: Option<PeerId>, file: LocalFile) -> Result<Vec<TransferId>, SendError> {
        let file = Rc::new(file);
        let peers = match to {
            Some(peer) => vec![peer],
            None => match self.status() {
                Status::Closed(_) => return Err(SendError::Closed),
                Status::Connecting => return Err(SendError::NotJoined),
                _ => self.peers().into_iter().map(|(peer, _)| peer).collect(),
            },
        };
        let mut transfers = Vec::with_capacity(peers.len());
        for peer in peers {
            let offered = act(&self.0, |inner, now| {
                let offered = inner.core.as_mut()?.offer_file(now, peer, file.name(), file.mime(), file.size());
                if let Ok(transfer) = offered {
                    inner.files.send(transfer, file.clone());
                }
                Some(offered)
            });
            match offered.unwrap_or_else(|| Err(self.no_core())) {
                Ok(transfer) => transfers.push(transfer),
                Err(error) => {
                    for transfer in transfers {
                        self.cancel(transfer);
                        self.forget(transfer);
                    }
                    return Err(error);
                }
            }
        }
        Ok(transfers)
    }

    pub(crate) fn accept(&self, transfer: TransferId) {
        run(&self.0, |core, now| core.accept(now, transfer));
    }

    pub(crate) fn decline(&self, transfer: TransferId) {
        run(&self.0, |core, now| core.decline(now, transfer));
    }

    pub(crate) fn cancel(&self, transfer: TransferId) {
        run(&self.0, |core, now| core.cancel(now, transfer));
    }

    pub(crate) fn forget(&self, transfer: TransferId) {
        run(&self.0, |core, _| core.forget(transfer));
    }

    pub(crate) fn transfers(&self) -> Vec<Transfer> {
        self.read(Vec::new(), RoomCore::transfers)
    }

    pub(crate) fn saved(&self, transfer: TransferId) -> Option<String> {
        self.0.borrow().files.saved(transfer)
    }

    pub(crate) fn report(&self) -> Option<RoomReport> {
        let inner = self.0.borrow();
        let core = inner.core.as_ref()?;
        let mut report = core.report(inner.now());
        let links = core.open_links_by_peer();
        for link in &mut report.links {
            let made = links.iter().find(|(peer, _)| *peer == link.peer).and_then(|(_, id)| inner.links.get(id));
            link.path = made.and_then(|made| made.path.clone());
        }
        Some(report)
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.read(0, RoomCore::held_bytes)
    }

    pub(crate) fn set_presence(&self, slot: &str, value: Option<Payload>) -> Result<(), SendError> {
        self.0.borrow_mut().presence.set(slot, value.clone())?;
        run(&self.0, |core, now| core.set_presence(now, slot, value)).unwrap_or(Ok(()))
    }

    pub(crate) fn presence(&self, slot: &str) -> Option<Payload> {
        self.0.borrow().presence.get(slot).cloned()
    }

    pub(crate) fn presence_of(&self, peer: PeerId, slot: &str) -> Option<Payload> {
        self.read(None, |core| core.presence_of(peer, slot).cloned())
    }

    pub(crate) fn leave(&self) {
        self.0.borrow_mut().suspended = false;
        leave(&self.0);
    }

    /// Joins again, in a new life, if the room is closed.
    pub(crate) fn rejoin(&self) {
        if matches!(self.status(), Status::Closed(_)) {
            {
                let mut inner = self.0.borrow_mut();
                let _ = inner.performance.mark("converge:join");
                inner.marks = Marks { welcome: true, link_open: true };
            }
            start(&self.0);
        }
    }

    fn read<R>(&self, none: R, f: impl FnOnce(&RoomCore) -> R) -> R {
        self.0.borrow().core.as_ref().map_or(none, f)
    }

    /// Why nothing can be sent while there is no core.
    fn no_core(&self) -> SendError {
        if matches!(self.status(), Status::Closed(_)) { SendError::Closed } else { SendError::NotJoined }
    }
}
