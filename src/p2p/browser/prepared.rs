//! A connection before it leads anywhere.

use std::rc::Rc;

use converge_signal::protocol::IceServer;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{RtcConfiguration, RtcIceServer, RtcPeerConnection, RtcSignalingState};

use super::channel::LaneChannel;
use super::ext::{Connection, close, get, promise};
use crate::lane::{Delivery, Lane};

/// A connection that waits to be used: making one, its threads and its certificate takes a browser some ten
/// milliseconds, which can pass while the socket is still being opened.
pub(super) struct Prepared(Option<Parts>);

type Parts = (RtcPeerConnection, Vec<Rc<LaneChannel>>);

impl Prepared {
    /// # Errors
    /// The browser's exception, if it doesn't let this page make connections.
    pub(super) fn new(lanes: &[Delivery]) -> Result<Self, JsValue> {
        let connection = RtcPeerConnection::new()?;
        if !get(&connection, "setLocalDescription").is_some_and(|method| method.is_function()) {
            close(&connection);
            return Err(JsValue::UNDEFINED);
        }
        let channels = (0..).zip(lanes).map(|(id, delivery)| LaneChannel::new(&connection, Lane(id), *delivery));
        match channels.collect() {
            Ok(channels) => Ok(Self(Some((connection, channels)))),
            Err(error) => {
                close(&connection);
                Err(error)
            }
        }
    }

    /// Puts it to use, with these servers.
    pub(super) fn take(mut self, ice_servers: &[IceServer]) -> Result<Parts, JsValue> {
        if !ice_servers.is_empty()
            && let Some((connection, _)) = &self.0
        {
            connection.set_configuration_with_configuration(&configuration(ice_servers))?;
        }
        self.0.take().ok_or(JsValue::UNDEFINED)
    }

    /// Has the browser make an offer ahead of time. It is not used, but what it took, the certificate above all, is there
    /// when the real one is made.
    ///
    /// Calls `refused` if the browser makes no offer.
    ///
    /// # Errors
    /// The browser's exception, if it throws in place of making one.
    pub(super) fn warm_up(self, refused: impl FnOnce() + 'static) -> Result<Self, JsValue> {
        if let Some((connection, _)) = &self.0 {
            let offer = promise(Ok(connection.unchecked_ref::<Connection>().create_offer()?));
            let connection = connection.clone();
            spawn_local(async move {
                // One that was closed meanwhile fails too, which is no loss.
                if JsFuture::from(offer).await.is_err() && connection.signaling_state() != RtcSignalingState::Closed {
                    refused();
                }
            });
        }
        Ok(self)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Some((connection, _)) = self.0.take() {
            close(&connection);
        }
    }
}

pub(super) fn configuration(ice_servers: &[IceServer]) -> RtcConfiguration {
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
