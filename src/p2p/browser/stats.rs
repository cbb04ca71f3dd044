//! What the browser measures of a connection.

use js_sys::Map;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::RtcPeerConnection;

use super::ext::{Connection, get, promise};
use crate::report::LinkPath;

/// Which way packets take: the candidate pair that is in use.
pub(super) async fn path(connection: &RtcPeerConnection) -> Option<LinkPath> {
    let stats = promise(connection.unchecked_ref::<Connection>().get_stats());
    let report: Map = JsFuture::from(stats).await.ok().filter(JsValue::is_object)?.unchecked_into();
    let mut by_transport = None;
    let mut by_flag = None;
    // An `RTCStatsReport` is read as a `Map` is.
    report.for_each(&mut |entry: JsValue, id: JsValue| match text(&entry, "type").as_deref() {
        Some("transport") => by_transport = by_transport.take().or_else(|| get(&entry, "selectedCandidatePairId")),
        Some("candidate-pair") if in_use(&entry) => by_flag = Some(id),
        _ => {}
    });
    // Firefox had no "transport" for long; where there is one it is exact.
    let pair = report.get(&by_transport.or(by_flag)?);
    let end = |name| Some(report.get(&get(&pair, name)?));
    let (local, remote) = (end("localCandidateId")?, end("remoteCandidateId")?);
    let rtt = get(&pair, "currentRoundTripTime").and_then(|seconds| seconds.as_f64());
    Some(LinkPath {
        local: text(&local, "candidateType")?,
        // Firefox hides a candidate that it has only seen packets from.
        remote: text(&remote, "candidateType").unwrap_or_else(|| "prflx".to_owned()),
        protocol: text(&local, "protocol")?,
        rtt_ms: rtt.map(|seconds| (seconds * 1000.0).round() as u32),
    })
}

fn in_use(pair: &JsValue) -> bool {
    let flag = |name| get(pair, name).is_some_and(|value| value.is_truthy());
    flag("selected") || flag("nominated") && text(pair, "state").as_deref() == Some("succeeded")
}

fn text(entry: &JsValue, name: &str) -> Option<String> {
    get(entry, name)?.as_string()
}
