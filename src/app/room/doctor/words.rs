//! What the doctor says.

use converge_p2p::{Activity, Diagnosis, LinkChange, LinkReport, PeerState, RoomReport, Status};

use crate::words;

/// How it stands with the server, and what that means.
pub(super) fn server_words(status: Status) -> &'static str {
    match status {
        Status::Connected => {
            "Connected. It introduces people who come to this room to each other; what you say does not pass through it."
        }
        Status::Connecting => "Not reached yet. Until it is, you can't meet anybody. It is being tried.",
        Status::Reconnecting => {
            "The server is unreachable. The people you are connected to still hear you; new ones can't join, and a link \
             that is lost can't be made anew. It is tried again by itself: if that lasts, look at this device's network."
        }
        Status::Offline => {
            "This device has no network, says the browser. What you send waits. Look at Wi-Fi or the cable; everything \
             comes back by itself when the network does."
        }
        Status::Closed(_) => "You are not in the room. Join again to meet the others.",
    }
}

/// Why the two are connected or not, what still works, and what to do.
pub(super) fn advice(diagnosis: Diagnosis, link: &LinkReport, name: &str) -> String {
    match diagnosis {
        Diagnosis::Fine if link.path.is_none() => format!("Connected to {name}."),
        Diagnosis::Fine => format!("Connected to {name}, direct: nothing stands between the two browsers."),
        Diagnosis::Relayed => format!(
            "Connected to {name} through a relay, since no direct way was found. Everything works, a little later. The \
             relay passes on what it can't read."
        ),
        Diagnosis::Offline => {
            "This device has no network, so nothing gets through. What you send waits. Look at Wi-Fi \
             or the cable; the link mends itself when the network is back."
                .to_owned()
        }
        Diagnosis::Version => format!(
            "Not connected: your page and {name}'s are of different versions and don't understand each other. Load both \
             pages again."
        ),
        Diagnosis::Protocol => format!(
            "Not connected: what {name}'s page sends makes no sense to this one. The others are not affected. {name} \
             should load the page again."
        ),
        Diagnosis::Overload => format!(
            "Not connected: more was sent to this page at once than it can hold, so it has closed the link to {name}. The \
             others are not affected. It is tried again by itself in a while."
        ),
        Diagnosis::Mending => format!(
            "The link to {name} was lost and is being mended. Messages and files of both sides wait, and go on where they \
             were. That takes some seconds; there is nothing to do."
        ),
        Diagnosis::Asleep => format!(
            "Nothing is heard of {name}, and the server has lost them too: their device sleeps, has no network, or is off. \
             What you send waits for a while. {name} should look at the page again."
        ),
        Diagnosis::ServerUnreachable => format!(
            "Not connected to {name}, and the server that would introduce the two of you is unreachable. Links to others \
             live on, and what you send to {name} waits. It is tried again by itself."
        ),
        Diagnosis::Connecting => format!("Being connected to {name}. What you send waits until then."),
        Diagnosis::NoRelay => format!(
            "Not connected: no way was found between your network and {name}'s, and this server offers no relay to go \
             through. It is tried again from time to time, and what you send waits. Another network helps, for instance \
             a phone's; for good, whoever runs the server adds a TURN server."
        ),
        Diagnosis::NoWay => format!(
            "Not connected: no way was found between your network and {name}'s, not even through the relay. A firewall or \
             a VPN may be in the way of one of you. It is tried again from time to time, and what you send waits. Try \
             another network, or without the VPN."
        ),
        _ => format!("The link to {name} is in a state that this page has no words for."),
    }
}

pub(super) type Facts<T, const N: usize> = [(&'static str, fn(&T) -> String); N];

pub(super) const SERVER_FACTS: Facts<RoomReport, 3> = [
    ("State", |report| report.status.as_str().to_owned()),
    ("STUN servers", |report| report.stun_servers.to_string()),
    ("TURN servers", |report| report.turn_servers.to_string()),
];

pub(super) const LINK_FACTS: Facts<LinkReport, 9> = [
    ("State", |link| match activity_words(link.activity) {
        "" => state_words(link.state).to_owned(),
        activity => format!("{}, {activity}", state_words(link.state)),
    }),
    ("Last change", |link| format!("{}, {}", change_words(link.last_change), words::ago(link.changed_ms))),
    ("Last heard", |link| link.heard_ms.map_or_else(|| "never".to_owned(), words::ago)),
    ("Way", |link| match &link.path {
        Some(path) => {
            let way = if path.is_relayed() { "relayed" } else { "direct" };
            format!("{way}: {} to {}, {}", path.local, path.remote, path.protocol)
        }
        None => "not known".to_owned(),
    }),
    ("Round trip", |link| {
        let measured = link.rtt_ms.map(|rtt| (rtt + 0.5) as u32);
        match measured.or_else(|| link.path.as_ref()?.rtt_ms) {
            Some(0) => "under 1 ms".to_owned(),
            Some(rtt) => format!("{rtt} ms"),
            None => "not measured".to_owned(),
        }
    }),
    ("Sent", |link| words::size(link.sent_bytes)),
    ("Received", |link| words::size(link.received_bytes)),
    ("Queued", |link| words::size(link.queued_bytes as u64)),
    ("Attempts", |link| {
        format!("connections: {}, ICE restarts: {}, failed: {}", link.connections, link.restarts, link.failures)
    }),
];

/// How a member can be reached, in a word.
pub(crate) fn state_words(state: PeerState) -> &'static str {
    match state {
        PeerState::Connecting => "connecting",
        PeerState::Connected => "connected",
        _ => "unreachable",
    }
}

/// What somebody does, where it is worth saying.
pub(crate) fn activity_words(activity: Activity) -> &'static str {
    match activity {
        Activity::Active => "",
        Activity::Idle => "idle",
        Activity::Hidden => "page hidden",
        Activity::Stale => "reconnecting…",
    }
}

fn change_words(change: LinkChange) -> &'static str {
    match change {
        LinkChange::Met => "met",
        LinkChange::Dialling => "connecting",
        LinkChange::Opened => "connected",
        LinkChange::Resumed => "connected again",
        LinkChange::Disconnected => "packets don't get through",
        LinkChange::Restarting => "looking for another way",
        LinkChange::Recovered => "packets get through again",
        LinkChange::Lost => "the connection was lost",
        LinkChange::Silent => "no answer; connecting anew",
        LinkChange::DialFailed => "no connection came about in time",
        LinkChange::Replaced => "their page was loaded again",
        LinkChange::Version => "another version of the page",
        LinkChange::Lanes => "another set of lanes",
        LinkChange::Protocol => "the protocol was broken",
        LinkChange::Overload => "too much came at once",
        _ => "something new",
    }
}
