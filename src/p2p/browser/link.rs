//! One RTCPeerConnection and its data channel.

use converge_signal::protocol::IceServer;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    MessageEvent, RtcConfiguration, RtcDataChannel, RtcDataChannelInit, RtcDataChannelState, RtcDataChannelType,
    RtcIceCandidateInit, RtcIceServer, RtcPeerConnection, RtcPeerConnectionIceEvent, RtcPeerConnectionState,
    RtcSdpType, RtcSessionDescriptionInit,
};

use super::ext::Connection;
use super::listen::{Listener, Timeout};
use crate::link::{Candidate, Role};
use crate::room::LinkEvent;

/// Over this many buffered bytes the core is asked to hold back, under the low mark to go on. The marks suit one
/// round trip of a fast link; Chrome fails a channel whose buffer passes 16 MiB.
const HIGH_WATER: u32 = 256 * 1024;
const LOW_WATER: u32 = 128 * 1024;

/// How long a closing connection may take to send what it still holds.
const LINGER_MS: i32 = 500;

pub(super) struct Link {
    connection: RtcPeerConnection,
    channel: RtcDataChannel,
    role: Role,
    listeners: Vec<Listener>,
    congested: bool,
    lingering: bool,
}

/// A connection that waits to be used: making one, its threads and its certificate takes a browser some ten
/// milliseconds, which can pass while the socket is still being opened.
pub(super) struct Prepared(Option<(RtcPeerConnection, RtcDataChannel)>);

impl Prepared {
    pub(super) fn new() -> Result<Self, JsValue> {
        let connection = RtcPeerConnection::new()?;
        let init = RtcDataChannelInit::new();
        // Both ends make the channel with the same id: no message is needed to announce it, and none can be missed.
        init.set_negotiated(true);
        init.set_id(0);
        let channel = connection.create_data_channel_with_data_channel_dict("converge", &init);
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        channel.set_buffered_amount_low_threshold(LOW_WATER);
        Ok(Self(Some((connection, channel))))
    }

    /// Has the browser make an offer ahead of time. It is not used, but what it took, the certificate above all, is there
    /// when the real one is made.
    pub(super) fn warm_up(self) -> Self {
        if let Some((connection, _)) = &self.0 {
            let offer = connection.create_offer();
            spawn_local(async move {
                // Fails if the connection is closed meanwhile, which is no loss.
                let _ = JsFuture::from(offer).await;
            });
        }
        self
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Some((connection, _)) = self.0.take() {
            connection.close();
        }
    }
}

impl Link {
    /// Puts a connection to use; the offerer's offer follows as a [`LinkEvent::LocalDescription`].
    pub(super) fn open(
        mut prepared: Prepared,
        role: Role,
        ice_servers: &[IceServer],
        on_event: impl Fn(LinkEvent) + Clone + 'static,
    ) -> Result<Self, JsValue> {
        if !ice_servers.is_empty()
            && let Some((connection, _)) = &prepared.0
        {
            connection.set_configuration_with_configuration(&configuration(ice_servers))?;
        }
        let Some((connection, channel)) = prepared.0.take() else { return Err(JsValue::UNDEFINED) };
        let listeners = vec![
            Listener::new(&connection, "icecandidate", {
                let on_event = on_event.clone();
                move |event| {
                    if let Some(candidate) = event.dyn_ref::<RtcPeerConnectionIceEvent>().and_then(local_candidate) {
                        on_event(LinkEvent::LocalCandidate(candidate));
                    }
                }
            }),
            Listener::new(&connection, "connectionstatechange", {
                let (on_event, connection) = (on_event.clone(), connection.clone());
                move |_| match connection.connection_state() {
                    RtcPeerConnectionState::Failed | RtcPeerConnectionState::Closed => on_event(LinkEvent::Closed),
                    RtcPeerConnectionState::Disconnected => on_event(LinkEvent::Trouble),
                    _ => {}
                }
            }),
            Listener::new(&channel, "open", {
                let on_event = on_event.clone();
                move |_| on_event(LinkEvent::Open)
            }),
            Listener::new(&channel, "message", {
                let on_event = on_event.clone();
                move |event| {
                    let Some(data) = event.dyn_ref::<MessageEvent>().map(MessageEvent::data) else { return };
                    // Text is no frame of ours; passed on empty, the core refuses it.
                    let bytes = data.dyn_into::<ArrayBuffer>().map(|buffer| Uint8Array::new(&buffer).to_vec());
                    on_event(LinkEvent::Frame(bytes.unwrap_or_default()));
                }
            }),
            Listener::new(&channel, "close", {
                let on_event = on_event.clone();
                move |_| on_event(LinkEvent::Closed)
            }),
            Listener::new(&channel, "bufferedamountlow", {
                let on_event = on_event.clone();
                move |_| on_event(LinkEvent::Writable)
            }),
        ];
        let link = Self { connection, channel, role, listeners, congested: false, lingering: false };
        if role == Role::Offerer {
            let connection = link.connection.clone();
            spawn_local(async move {
                match describe(&connection).await {
                    Ok(sdp) => on_event(LinkEvent::LocalDescription(sdp)),
                    Err(_) => on_event(LinkEvent::Closed),
                }
            });
        }
        Ok(link)
    }

    /// Sets the other side's description; an answerer's answer follows.
    pub(super) fn set_remote(&self, sdp: &str, on_event: impl Fn(LinkEvent) + 'static) {
        let connection = self.connection.clone();
        let role = self.role;
        let remote = RtcSessionDescriptionInit::new(match role {
            Role::Offerer => RtcSdpType::Answer,
            Role::Answerer => RtcSdpType::Offer,
        });
        remote.set_sdp(sdp);
        let set = connection.set_remote_description(&remote);
        // The browser does one after the other: there is no need to come back here in between.
        let answer = (role == Role::Answerer).then(|| describe(&connection));
        spawn_local(async move {
            // The browser refuses what is no description: the attempt has failed, as if nothing had come.
            if JsFuture::from(set).await.is_err() {
                return on_event(LinkEvent::Closed);
            }
            on_event(LinkEvent::RemoteSet);
            if let Some(answer) = answer {
                match answer.await {
                    Ok(sdp) => on_event(LinkEvent::LocalDescription(sdp)),
                    Err(_) => on_event(LinkEvent::Closed),
                }
            }
        });
    }

    pub(super) fn add_candidate(&self, candidate: &Candidate) {
        let init = RtcIceCandidateInit::new(&candidate.candidate);
        init.set_sdp_mid(candidate.sdp_mid.as_deref());
        init.set_sdp_m_line_index(candidate.sdp_m_line_index);
        let added = self.connection.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init));
        spawn_local(async move {
            // One bad candidate is no reason to give up the others; if none is good the attempt times out.
            let _ = JsFuture::from(added).await;
        });
    }

    /// Sends a frame. `Err` if the channel takes no more at all; `Ok(true)` if the core should hold back now.
    pub(super) fn send(&mut self, frame: &[u8]) -> Result<bool, JsValue> {
        self.channel.send_with_u8_array(frame)?;
        let congested = self.channel.buffered_amount() > HIGH_WATER;
        let newly = congested && !self.congested;
        self.congested = congested;
        Ok(newly)
    }

    pub(super) fn writable(&mut self) {
        self.congested = false;
    }

    /// Closes the connection, at once if it holds nothing more to send, else as soon as that has gone out.
    pub(super) fn close(mut self) {
        self.listeners.clear();
        if self.channel.ready_state() != RtcDataChannelState::Open || self.channel.buffered_amount() == 0 {
            return;
        }
        self.lingering = true;
        self.channel.set_buffered_amount_low_threshold(0);
        let (connection, channel) = (self.connection.clone(), self.channel.clone());
        spawn_local(async move {
            // Both handlers live in this future and are freed with it.
            let mut held: Vec<Listener> = Vec::new();
            let mut timeout = None;
            let sent = js_sys::Promise::new(&mut |resolve, _| {
                let done = resolve.clone();
                held.push(Listener::new(&channel, "bufferedamountlow", move |_| {
                    let _ = done.call0(&JsValue::UNDEFINED);
                }));
                timeout = Timeout::new(LINGER_MS, move || {
                    let _ = resolve.call0(&JsValue::UNDEFINED);
                });
            });
            if timeout.is_some() {
                let _ = JsFuture::from(sent).await;
            }
            connection.close();
        });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.lingering {
            self.connection.close();
        }
    }
}

/// Makes and sets this side's description; resolves to its text.
fn describe(connection: &RtcPeerConnection) -> impl Future<Output = Result<String, JsValue>> + use<> {
    let set = connection.unchecked_ref::<Connection>().set_local_description_by_state();
    let connection = connection.clone();
    async move {
        JsFuture::from(set).await?;
        connection.local_description().map(|description| description.sdp()).ok_or(JsValue::UNDEFINED)
    }
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

fn configuration(ice_servers: &[IceServer]) -> RtcConfiguration {
    let configuration = RtcConfiguration::new();
    let servers: js_sys::Array = ice_servers
        .iter()
        .map(|server| {
            let entry = RtcIceServer::new();
            let urls: js_sys::Array = server.urls.iter().map(|url| JsValue::from_str(url)).collect();
            entry.set_urls(&urls);
            if let Some(username) = &server.username {
                entry.set_username(username);
            }
            if let Some(credential) = &server.credential {
                entry.set_credential(credential);
            }
            JsValue::from(entry)
        })
        .collect();
    configuration.set_ice_servers(&servers);
    configuration
}
