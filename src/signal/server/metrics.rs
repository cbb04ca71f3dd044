//! What there is to watch, in Prometheus' text format.

use std::fmt;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Signalling;
use crate::protocol::ErrorCode;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

impl Reason {
    fn of(code: ErrorCode) -> Self {
        // The protocol's own word for it.
        let name = serde_json::to_value(code).ok();
        Self { reason: name.as_ref().and_then(|name| name.as_str()).unwrap_or("unknown").to_owned() }
    }
}

/// The hub counts by itself; what it has counted is copied at each scrape.
pub(super) fn render(signalling: &Signalling) -> Response {
    let mut text = String::new();
    match write(signalling, &mut text) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn write(signalling: &Signalling, text: &mut String) -> fmt::Result {
    let counts = signalling.counts();
    let counters = signalling.counters();
    let (sent, turned_away) = {
        let state = signalling.shared.lock();
        (state.sent, state.turned_away.clone())
    };
    let mut registry = Registry::with_prefix("converge");
    for (name, help, value) in [
        ("connections", "Signalling sockets, joined or not", counts.connections),
        ("members", "Members of all topics together", counts.members),
        ("topics", "Topics with members", counts.topics),
    ] {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    }
    for (name, help, value) in [
        ("joins", "Peers that joined a topic", counters.joins),
        ("returns", "Peers that came back before they were missed", counters.returns),
        ("signals", "Signals carried from member to member", counters.signals),
        ("signal_bytes", "Bytes in these signals", counters.signal_bytes),
        ("sent_frames", "Frames sent", sent.frames),
        ("sent_bytes", "Bytes in these frames", sent.bytes),
    ] {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    }
    let leaves: Family<Reason, Counter> = Family::default();
    for (reason, count) in [("goodbye", counters.goodbyes), ("lost", counters.lost)] {
        leaves.get_or_create(&Reason { reason: reason.to_owned() }).inc_by(count);
    }
    registry.register("leaves", "Members that left", leaves);
    let refusals: Family<Reason, Counter> = Family::default();
    for (code, count) in counters.refusals.iter().chain(&turned_away) {
        refusals.get_or_create(&Reason::of(*code)).inc_by(*count);
    }
    registry.register("refusals", "What was refused, by the protocol's error code", refusals);
    encode(text, &registry)
}
