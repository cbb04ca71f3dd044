//! One lane of a connection: its data channel.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{
    MessageEvent, RtcDataChannel, RtcDataChannelInit, RtcDataChannelState, RtcDataChannelType, RtcPeerConnection,
};

use super::ext::Connection;
use super::listen::Listener;
use crate::lane::{Delivery, Lane};
use crate::room::LinkEvent;

/// More is asked for when so many bytes are left to send. For messages: what a fast link (50 Mbit/s) sends in the 10 ms
/// that asking may take, so that it never runs dry; and little, for what is in the browser's buffer can't be overtaken.
const LOW_WATER: u32 = 64 * 1024;

/// For files, where only the rate counts: the same for 200 Mbit/s. Chrome fails a channel whose buffer passes 16 MiB,
/// far above this and what the core hands over at a time.
const LOW_WATER_BULK: u32 = 256 * 1024;

pub(super) struct LaneChannel {
    lane: Lane,
    channel: RtcDataChannel,
    /// What was sent before the channel was open. Nearly always empty: the lanes of a connection open within one turn
    /// of the event loop.
    early: RefCell<Vec<Arc<[u8]>>>,
    /// The core waits for the buffer to run low.
    awaited: Cell<bool>,
}

impl LaneChannel {
    pub(super) fn new(connection: &RtcPeerConnection, lane: Lane, delivery: Delivery) -> Result<Rc<Self>, JsValue> {
        let init = RtcDataChannelInit::new();
        // Both ends make the channel with the same id: no message is needed to announce it, and none can be missed.
        init.set_negotiated(true);
        init.set_id(lane.id());
        match delivery {
            Delivery::Reliable => {}
            Delivery::Retransmits { ordered, times } => {
                init.set_ordered(ordered);
                init.set_max_retransmits(times);
            }
            Delivery::Lifetime { ordered, millis } => {
                init.set_ordered(ordered);
                init.set_max_packet_life_time(millis);
            }
        }
        let channel = connection.unchecked_ref::<Connection>().create_data_channel("converge", &init)?;
        let channel: RtcDataChannel = channel.dyn_into()?;
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        channel.set_buffered_amount_low_threshold(if lane == Lane::BULK { LOW_WATER_BULK } else { LOW_WATER });
        Ok(Rc::new(Self { lane, channel, early: RefCell::default(), awaited: Cell::new(false) }))
    }

    pub(super) fn is_open(&self) -> bool {
        self.channel.ready_state() == RtcDataChannelState::Open
    }

    /// How many bytes have not been handed to the network yet.
    pub(super) fn unsent(&self) -> u32 {
        self.channel.buffered_amount()
    }

    /// `Err` if the channel takes no more at all.
    pub(super) fn send(&self, frame: Arc<[u8]>) -> Result<(), JsValue> {
        if self.channel.ready_state() == RtcDataChannelState::Connecting {
            self.early.borrow_mut().push(frame);
            return Ok(());
        }
        self.channel.send_with_u8_array(&frame)
    }

    /// Whether the buffer is low now. Where it isn't, [`LinkEvent::Writable`] follows when it is.
    pub(super) fn await_writable(&self) -> bool {
        let writable = self.is_open() && self.is_low();
        self.awaited.set(!writable);
        writable
    }

    fn is_low(&self) -> bool {
        self.channel.buffered_amount() <= self.channel.buffered_amount_low_threshold()
    }

    /// Handlers for as long as the link is used. `opened` is called when this channel has opened, and with `true` for
    /// each message: it proves that the connection works, whichever channels have not been said to be open yet.
    pub(super) fn listen(
        self: &Rc<Self>,
        opened: impl Fn(bool) + Clone + 'static,
        on_event: impl Fn(LinkEvent) + Clone + 'static,
    ) -> [Listener; 4] {
        let lane = self.lane;
        [
            Listener::new(&self.channel, "open", {
                let (this, opened, on_event) = (self.clone(), opened.clone(), on_event.clone());
                move |_| {
                    let early = this.early.take();
                    if early.into_iter().any(|frame| this.send(frame).is_err()) {
                        return on_event(LinkEvent::Closed);
                    }
                    opened(false);
                    if this.is_low() && this.awaited.take() {
                        on_event(LinkEvent::Writable { lane });
                    }
                }
            }),
            Listener::new(&self.channel, "message", {
                let (opened, on_event) = (opened, on_event.clone());
                move |event| {
                    let Some(data) = event.dyn_ref::<MessageEvent>().map(MessageEvent::data) else { return };
                    opened(true);
                    // Text is no frame of ours; passed on empty, the core refuses it.
                    let bytes = data.dyn_into::<ArrayBuffer>().map(|buffer| Uint8Array::new(&buffer).to_vec());
                    on_event(LinkEvent::Frame { lane, bytes: bytes.unwrap_or_default() });
                }
            }),
            Listener::new(&self.channel, "bufferedamountlow", {
                let (this, on_event) = (self.clone(), on_event.clone());
                move |_| {
                    if this.awaited.take() {
                        on_event(LinkEvent::Writable { lane });
                    }
                }
            }),
            Listener::new(&self.channel, "close", move |_| on_event(LinkEvent::Closed)),
        ]
    }

    /// Calls `done` whenever everything has been handed to the network.
    pub(super) fn on_sent(&self, done: impl Fn() + 'static) -> Listener {
        self.channel.set_buffered_amount_low_threshold(0);
        Listener::new(&self.channel, "bufferedamountlow", move |_| done())
    }
}
