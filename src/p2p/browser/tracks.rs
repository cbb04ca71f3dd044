//! What one link carries of camera, microphone and screen, in both directions.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    MediaStream, MediaStreamTrack, RtcPeerConnection, RtcRtpSender, RtcRtpTransceiver, RtcRtpTransceiverDirection,
    RtcRtpTransceiverInit,
};

use super::ext::{Connection, Sender, get, promise};
use super::listen::Listener;

/// A track that is to go over a link.
#[derive(Clone)]
pub(super) struct Outgoing {
    /// By its id the other side knows which stream this is.
    pub(super) stream: MediaStream,
    pub(super) track: MediaStreamTrack,
    /// For a picture: at most so many bits a second.
    pub(super) bits: Option<u32>,
}

#[derive(Default)]
pub(super) struct Tracks {
    /// With those that send nothing at the moment: each that is made stays in every description from then on, so it is
    /// used again when something of the same stream is to be sent.
    senders: Vec<Sending>,
    incoming: Vec<(MediaStream, Listener)>,
}

struct Sending {
    msid: String,
    /// `audio` or `video`.
    kind: String,
    transceiver: RtcRtpTransceiver,
    track: Option<MediaStreamTrack>,
    bits: Option<u32>,
}

impl Tracks {
    /// Sends these tracks and no others. The browser says that there is something to negotiate, if there is.
    pub(super) fn send(&mut self, connection: &RtcPeerConnection, wanted: &[Outgoing]) {
        for sender in &mut self.senders {
            if sender.track.is_some() && !wanted.iter().any(|outgoing| sender.is_for(outgoing)) {
                sender.track = None;
                replace(&sender.transceiver.sender(), None);
                set_direction(&sender.transceiver, "inactive");
            }
        }
        for outgoing in wanted {
            match self.senders.iter_mut().find(|sender| sender.is_for(outgoing)) {
                Some(sender) => sender.update(outgoing),
                // A connection that was closed meanwhile carries no more: its link is about to hear of that.
                None => self.senders.extend(Sending::new(connection, outgoing).ok()),
            }
        }
    }

    /// Adds a stream of which a track arrived. `removed` listens for tracks that the sender removes.
    pub(super) fn arrived(&mut self, stream: MediaStream, removed: Listener) {
        // The browser takes the tracks out of what is over.
        self.incoming.retain(|(known, _)| known.id() != stream.id() && known.get_tracks().length() > 0);
        self.incoming.push((stream, removed));
    }

    /// The stream that the browser calls so, if it is arriving.
    pub(super) fn incoming(&self, msid: &str) -> Option<&MediaStream> {
        let mut incoming = self.incoming.iter().map(|(stream, _)| stream);
        incoming.find(|stream| stream.id() == msid && stream.get_tracks().length() > 0)
    }

    /// Lets the sound through, or not.
    pub(super) fn mute(&self, muted: bool) {
        for (stream, _) in &self.incoming {
            for track in stream.get_audio_tracks() {
                track.unchecked_into::<MediaStreamTrack>().set_enabled(!muted);
            }
        }
    }
}

impl Sending {
    fn new(connection: &RtcPeerConnection, outgoing: &Outgoing) -> Result<Self, JsValue> {
        let init = RtcRtpTransceiverInit::new();
        init.set_direction(RtcRtpTransceiverDirection::Sendonly);
        init.set_streams(&js_sys::Array::of1(&outgoing.stream));
        let Outgoing { stream, track, bits } = outgoing.clone();
        let transceiver = connection.unchecked_ref::<Connection>().add_transceiver(&track, &init)?;
        limit(&transceiver.sender(), bits);
        Ok(Self { msid: stream.id(), kind: track.kind(), transceiver, track: Some(track), bits })
    }

    fn is_for(&self, outgoing: &Outgoing) -> bool {
        self.msid == outgoing.stream.id() && self.kind == outgoing.track.kind()
    }

    fn update(&mut self, outgoing: &Outgoing) {
        let Outgoing { track, bits, .. } = outgoing.clone();
        let sender = self.transceiver.sender();
        if self.track.is_none() {
            set_direction(&self.transceiver, "sendonly");
        }
        if self.track.as_ref() != Some(&track) {
            replace(&sender, Some(&track));
        }
        if self.bits != bits {
            limit(&sender, bits);
        }
        (self.track, self.bits) = (Some(track), bits);
    }
}

fn replace(sender: &RtcRtpSender, track: Option<&MediaStreamTrack>) {
    settle(promise(sender.unchecked_ref::<Sender>().replace_track(track)));
}

fn set_direction(transceiver: &RtcRtpTransceiver, direction: &str) {
    // Throws once the connection is closed: then nothing is sent in either direction.
    let _ = js_sys::Reflect::set(transceiver, &"direction".into(), &direction.into());
}

/// Has a sender take at most so many bits a second.
fn limit(sender: &RtcRtpSender, bits: Option<u32>) {
    let Some(bits) = bits else { return };
    let sender: &Sender = sender.unchecked_ref();
    let Ok(parameters) = sender.parameters() else { return };
    let encoding = get(&parameters, "encodings").map(|encodings| js_sys::Array::from(&encodings).get(0));
    let Some(encoding) = encoding.filter(JsValue::is_object) else { return };
    // Fails for what is no object.
    let _ = js_sys::Reflect::set(&encoding, &"maxBitrate".into(), &bits.into());
    settle(promise(sender.set_parameters(&parameters)));
}

/// Lets a promise come to what it may: a sender whose link is being closed, or is of a kind that takes no parameters yet,
/// refuses; then it sends as it did.
fn settle(promise: js_sys::Promise) {
    spawn_local(async move {
        let _ = JsFuture::from(promise).await;
    });
}
