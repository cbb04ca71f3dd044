//! One RTCPeerConnection and its data channels.

use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use converge_signal::protocol::IceServer;
use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};
use web_sys::{
    MediaStream, RtcIceCandidateInit, RtcOfferOptions, RtcPeerConnection, RtcPeerConnectionIceEvent,
    RtcPeerConnectionState, RtcSdpType, RtcSessionDescriptionInit, RtcSignalingState, RtcTrackEvent,
};

use super::channel::LaneChannel;
use super::ext::{Connection, close, get, promise};
use super::listen::{Listener, Timeout};
use super::prepared::{Prepared, configuration};
use super::tracks::{Outgoing, Tracks};
use crate::lane::Lane;
use crate::link::{Candidate, Role, Sdp};
use crate::report::LinkPath;
use crate::room::LinkEvent;

/// How long a closing connection may take to send what it still holds.
const LINGER_MS: i32 = 500;

/// What a peer takes whose description doesn't say (RFC 8841 section 6.1).
const DEFAULT_MAX_MESSAGE: f64 = 65_536.0;

pub(super) struct Link {
    connection: RtcPeerConnection,
    channels: Vec<Rc<LaneChannel>>,
    listeners: Vec<Listener>,
    progress: Rc<Progress>,
    /// Camera, microphone and screen.
    pub(super) tracks: Tracks,
    /// Which way the packets took when they were last asked.
    pub(super) path: Option<LinkPath>,
    /// The browser is being asked.
    pub(super) measuring: bool,
    lingering: bool,
}

/// How far a connection has come. What is done behind the link's back goes on only while this is there.
#[derive(Default)]
struct Progress {
    /// [`LinkEvent::Open`] was told.
    opened: Cell<bool>,
    /// An offer was answered.
    negotiated: Cell<bool>,
    /// ICE has reported `connected` before.
    connected: Cell<bool>,
    /// An offer of this side's restarts ICE.
    restarting: Cell<bool>,
}

impl Link {
    /// Puts a connection to use; the offerer's offer follows as a [`LinkEvent::LocalDescription`].
    pub(super) fn open(
        prepared: Prepared,
        role: Role,
        ice_servers: &[IceServer],
        on_event: impl Fn(LinkEvent) + Clone + 'static,
        on_stream: impl Fn(MediaStream) + 'static,
    ) -> Result<Self, JsValue> {
        let (connection, channels) = prepared.take(ice_servers)?;
        let progress = Rc::new(Progress::default());
        let mut listeners = vec![
            Listener::new(&connection, "icecandidate", {
                let on_event = on_event.clone();
                move |event| {
                    if let Some(candidate) = event.dyn_ref::<RtcPeerConnectionIceEvent>().and_then(local_candidate) {
                        on_event(LinkEvent::LocalCandidate(candidate));
                    }
                }
            }),
            Listener::new(&connection, "connectionstatechange", {
                let (on_event, connection, progress) = (on_event.clone(), connection.clone(), progress.clone());
                move |_| match connection.connection_state() {
                    RtcPeerConnectionState::Connected => {
                        progress.restarting.set(false);
                        if progress.connected.replace(true) {
                            on_event(LinkEvent::Recovered);
                        }
                    }
                    RtcPeerConnectionState::Disconnected => on_event(LinkEvent::Trouble),
                    RtcPeerConnectionState::Failed => on_event(LinkEvent::Failed),
                    RtcPeerConnectionState::Closed => on_event(LinkEvent::Closed),
                    _ => {}
                }
            }),
            Listener::new(&connection, "negotiationneeded", {
                let (on_event, progress) = (on_event.clone(), progress.clone());
                // The first time it is the channels that need it, and the core that says when.
                move |_| {
                    if progress.negotiated.get() {
                        on_event(LinkEvent::NegotiationNeeded);
                    }
                }
            }),
        ];
        listeners.push(Listener::new(&connection, "track", move |event| {
            // A track of no stream is announced by nobody.
            if let Some(stream) =
                event.dyn_ref::<RtcTrackEvent>().and_then(|event| event.streams().get(0).dyn_into().ok())
            {
                on_stream(stream);
            }
        }));
        let opened = {
            let (on_event, connection, progress) = (on_event.clone(), connection.clone(), progress.clone());
            let channels = channels.clone();
            move |proven| {
                if !progress.opened.get() && (proven || channels.iter().all(|channel| channel.is_open())) {
                    progress.opened.set(true);
                    on_event(LinkEvent::Open { max_message: max_message(&connection) });
                }
            }
        };
        for channel in &channels {
            listeners.extend(channel.listen(opened.clone(), on_event.clone()));
        }
        let link = Self {
            connection,
            channels,
            listeners,
            progress,
            tracks: Tracks::default(),
            path: None,
            measuring: false,
            lingering: false,
        };
        if role == Role::Offerer {
            link.offer(None, on_event);
        }
        Ok(link)
    }

    /// Makes an offer, which follows as a [`LinkEvent::LocalDescription`].
    pub(super) fn offer(&self, restart: Option<&[IceServer]>, on_event: impl Fn(LinkEvent) + 'static) {
        let made = match restart {
            None => set_by_state(&self.connection),
            Some(servers) => {
                if !servers.is_empty() {
                    // If the browser refuses them it goes on with the old ones, which may do.
                    let _ = self.connection.set_configuration_with_configuration(&configuration(servers));
                }
                self.progress.restarting.set(true);
                self.restart()
            }
        };
        let offer = local_description(&self.connection, made, RtcSdpType::Offer);
        let teller = self.teller(on_event);
        spawn_local(async move {
            match offer.await {
                Ok(Some(sdp)) => teller.tell(LinkEvent::LocalDescription(Sdp::Offer(sdp))),
                // The other side's offer came in between, and this one was rolled back.
                Ok(None) => {}
                Err(_) => teller.refused(),
            }
        });
    }

    /// Sets an offer that restarts ICE.
    fn restart(&self) -> Promise {
        if self.connection.unchecked_ref::<Connection>().restart_ice().is_ok() {
            return set_by_state(&self.connection);
        }
        // Safari before 14.1 has no `restartIce`.
        let options = RtcOfferOptions::new();
        options.set_ice_restart(true);
        let offer = self.connection.create_offer_with_rtc_offer_options(&options);
        let connection = self.connection.clone();
        future_to_promise(async move {
            let offer = JsFuture::from(offer).await?;
            JsFuture::from(connection.set_local_description(offer.unchecked_ref())).await
        })
    }

    /// Sets the other side's description; the answer to an offer follows.
    pub(super) fn set_remote(&self, sdp: &Sdp, on_event: impl Fn(LinkEvent) + 'static) {
        let (kind, text) = match sdp {
            Sdp::Offer(text) => (RtcSdpType::Offer, text),
            Sdp::Answer(text) => (RtcSdpType::Answer, text),
        };
        let remote = RtcSessionDescriptionInit::new(kind);
        remote.set_sdp(text);
        let connection = self.connection.clone();
        // An own offer that is outstanding when another comes is rolled back by the browser.
        let set = promise(connection.unchecked_ref::<Connection>().set_remote_description(&remote));
        // The browser does one after the other: there is no need to come back here in between, and no gap for an offer
        // of this side to slip into.
        let answer = (kind == RtcSdpType::Offer)
            .then(|| local_description(&connection, set_by_state(&connection), RtcSdpType::Answer));
        let teller = self.teller(on_event);
        spawn_local(async move {
            if JsFuture::from(set).await.is_err() {
                if let Some(answer) = answer {
                    // Where there was nothing to answer, an offer was made instead.
                    let _ = answer.await;
                    take_back(&connection).await;
                }
                return teller.refused();
            }
            teller.tell(LinkEvent::RemoteSet);
            match answer {
                None => teller.answered(&connection),
                Some(answer) => match answer.await {
                    Ok(Some(sdp)) => {
                        teller.answered(&connection);
                        teller.tell(LinkEvent::LocalDescription(Sdp::Answer(sdp)));
                    }
                    Ok(None) => {}
                    Err(_) => teller.refused(),
                },
            }
        });
    }

    pub(super) fn add_candidate(&self, candidate: &Candidate) {
        let init = RtcIceCandidateInit::new(&candidate.candidate);
        init.set_sdp_mid(candidate.sdp_mid.as_deref());
        init.set_sdp_m_line_index(candidate.sdp_m_line_index);
        let added = promise(self.connection.unchecked_ref::<Connection>().add_ice_candidate(&init));
        spawn_local(async move {
            // One bad candidate is no reason to give up the others; if none is good the attempt times out.
            let _ = JsFuture::from(added).await;
        });
    }

    /// `Err` if the lane takes no more at all.
    pub(super) fn send(&self, lane: Lane, frame: Arc<[u8]>) -> Result<(), JsValue> {
        self.channels.get(lane.index()).ok_or(JsValue::UNDEFINED)?.send(frame)
    }

    /// Whether the lane's buffer is low now. Where it isn't, [`LinkEvent::Writable`] follows when it is.
    pub(super) fn await_writable(&self, lane: Lane) -> bool {
        self.channels.get(lane.index()).is_some_and(|channel| channel.await_writable())
    }

    /// Sends these tracks and no others.
    pub(super) fn send_media(&mut self, outgoing: &[Outgoing]) {
        self.tracks.send(&self.connection, outgoing);
    }

    pub(super) fn connection(&self) -> RtcPeerConnection {
        self.connection.clone()
    }

    fn teller<F: Fn(LinkEvent)>(&self, on_event: F) -> Teller<F> {
        Teller { progress: Rc::downgrade(&self.progress), on_event }
    }

    /// Closes the connection, at once if it holds nothing more to send, else as soon as that has gone out.
    pub(super) fn close(mut self) {
        self.listeners.clear();
        let busy = |channel: &Rc<LaneChannel>| channel.is_open() && channel.unsent() > 0;
        let channels: Vec<_> = self.channels.iter().filter(|channel| busy(channel)).cloned().collect();
        if channels.is_empty() {
            return;
        }
        self.lingering = true;
        let connection = self.connection.clone();
        spawn_local(async move {
            // The handlers live in this future and are freed with it.
            let mut held: Vec<Listener> = Vec::new();
            let mut timeout = None;
            let sent = Promise::new(&mut |resolve, _| {
                for channel in &channels {
                    let (channels, done) = (channels.clone(), resolve.clone());
                    held.push(channel.on_sent(move || {
                        if !channels.iter().any(busy) {
                            let _ = done.call0(&JsValue::UNDEFINED);
                        }
                    }));
                }
                timeout = Timeout::new(LINGER_MS, move || {
                    let _ = resolve.call0(&JsValue::UNDEFINED);
                });
            });
            if timeout.is_some() {
                let _ = JsFuture::from(sent).await;
            }
            close(&connection);
        });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.lingering {
            close(&self.connection);
        }
    }
}

/// Tells what becomes of a negotiation, unless its link has been closed meanwhile.
struct Teller<F> {
    progress: Weak<Progress>,
    on_event: F,
}

impl<F: Fn(LinkEvent)> Teller<F> {
    fn tell(&self, event: LinkEvent) {
        if self.progress.strong_count() > 0 {
            (self.on_event)(event);
        }
    }

    /// The browser has refused a description. One that is refused later leaves the connection as it was.
    fn refused(&self) {
        if let Some(progress) = self.progress.upgrade() {
            (self.on_event)(if progress.opened.get() { LinkEvent::Failed } else { LinkEvent::Refused });
        }
    }

    /// An offer has been answered, by either side.
    fn answered(&self, connection: &RtcPeerConnection) {
        let Some(progress) = self.progress.upgrade() else { return };
        progress.negotiated.set(true);
        // Where the old path still carries packets, a restart never shows in the state.
        if progress.restarting.take() && connection.connection_state() == RtcPeerConnectionState::Connected {
            (self.on_event)(LinkEvent::Recovered);
        }
    }
}

/// Makes the offer or answer that the connection's state calls for, and sets it.
fn set_by_state(connection: &RtcPeerConnection) -> Promise {
    promise(connection.unchecked_ref::<Connection>().set_local_description_by_state())
}

/// The text of this side's offer or answer, once it is set; none if by then it is another kind of description that
/// is.
fn local_description(
    connection: &RtcPeerConnection,
    set: Promise,
    kind: RtcSdpType,
) -> impl Future<Output = Result<Option<String>, JsValue>> + use<> {
    let connection = connection.clone();
    async move {
        JsFuture::from(set).await?;
        let description = match kind {
            // Not what was negotiated before: that is no offer any more.
            RtcSdpType::Offer => connection.pending_local_description(),
            _ => connection.current_local_description(),
        };
        Ok(description.filter(|description| description.type_() == kind).map(|description| description.sdp()))
    }
}

/// Takes back an offer of this side's that was told to nobody.
async fn take_back(connection: &RtcPeerConnection) {
    if connection.signaling_state() == RtcSignalingState::HaveLocalOffer {
        let rollback = RtcSessionDescriptionInit::new(RtcSdpType::Rollback);
        // Fails if the connection is closed, and then there is nothing to take back.
        let _ = JsFuture::from(connection.set_local_description(&rollback)).await;
    }
}

/// The largest message the other side takes.
fn max_message(connection: &RtcPeerConnection) -> usize {
    let told = get(connection, "sctp").and_then(|sctp| get(&sctp, "maxMessageSize")).and_then(|size| size.as_f64());
    // Infinity, where the other side sets no limit, becomes the largest number there is.
    told.filter(|size| *size >= 1.0).unwrap_or(DEFAULT_MAX_MESSAGE) as usize
}

fn local_candidate(event: &RtcPeerConnectionIceEvent) -> Option<Candidate> {
    let candidate = event.candidate()?;
    // An empty one says "no more", which nobody needs to hear.
    Some(candidate.candidate()).filter(|line| !line.is_empty()).map(|line| Candidate {
        candidate: line,
        sdp_mid: candidate.sdp_mid(),
        sdp_m_line_index: candidate.sdp_m_line_index(),
    })
}
