//! How this page is connected: the state in a few words, and what the panel says.

use converge_p2p::{Activity, Diagnosis, LinkChange, LinkReport, PeerState, RoomReport, Status};

use super::{ago, code_of, millis, quoted, size};

// The header.
pub(crate) const CONNECTION: &str = "Connection";

pub(crate) fn status(status: Status, links: usize) -> String {
    match (status, links) {
        (Status::Connected, 0) => "Connected".to_owned(),
        (Status::Connected, 1) => "1 direct link".to_owned(),
        (Status::Connected, links) => format!("{links} direct links"),
        (Status::Connecting, _) => "Connecting…".to_owned(),
        (Status::Reconnecting, _) => "Reconnecting…".to_owned(),
        (Status::Offline, _) => "Offline".to_owned(),
        (Status::Closed(_), _) => "Not connected".to_owned(),
    }
}

/// The banner: the fault, the things that still work, and a remedy; empty if all is well. `unreached`: joining takes longer
/// than it should.
pub(crate) fn banner(status: Status, unreached: bool) -> &'static str {
    match status {
        Status::Connecting if unreached => {
            "The meeting server has not been reached. It is tried again by itself. A firewall, a proxy, a VPN or an \
             extension may block WebSockets, or the server may be down: try another network, or load the page again \
             without extensions."
        }
        Status::Reconnecting => {
            "The meeting server is unreachable. You can go on talking; new people can't join until it is back."
        }
        Status::Offline => {
            "This device has no network, the browser reports, and nothing is heard. You are connected again as soon as there \
             is one; until then, messages wait."
        }
        _ => "",
    }
}

// The picture of the links.
pub(crate) const LINKS: &str = "Links";
pub(crate) const PERSON: &str = "Person";
pub(crate) const WAY: &str = "Way";
pub(crate) const ROUND_TRIP: &str = "Round trip";
pub(crate) const STATE: &str = "State";
/// What was not measured, in a table.
pub(crate) const NONE: &str = "–";

/// How many of this person's links are of which kind.
pub(crate) fn mesh(direct: usize, relayed: usize, broken: usize) -> String {
    let others = direct + relayed + broken;
    let others = if others == 1 { "1 other".to_owned() } else { format!("{others} others") };
    format!("You and {others}: {}.", kinds(direct, relayed, broken))
}

/// And how many of those between the others, after that.
pub(crate) fn mesh_between(own: String, direct: usize, relayed: usize, broken: usize) -> String {
    format!("{own} Between the others: {}.", kinds(direct, relayed, broken))
}

fn kinds(direct: usize, relayed: usize, broken: usize) -> String {
    let mut text = format!("{direct} direct");
    if relayed > 0 {
        text += &format!(", {relayed} relayed");
    }
    if broken > 0 {
        text += &format!(", {broken} not connected");
    }
    text
}

/// The kind of a link, as short as can be.
pub(crate) fn way(link: &LinkReport) -> &'static str {
    match link.path {
        _ if link.state != PeerState::Connected => "Not connected",
        _ if link.is_relayed() => "Relayed",
        Some(_) => "Direct",
        None => "Connected",
    }
}

/// The kind and the time.
pub(crate) fn link(link: &LinkReport) -> String {
    match link.round_trip_ms() {
        Some(rtt) if link.state == PeerState::Connected => format!("{}, {}", way(link), millis(rtt)),
        _ => way(link).to_owned(),
    }
}

// The panel.
pub(crate) const ALONE: &str = "Nobody else is here, so there is nobody to be connected to.";
pub(crate) const SERVER: &str = "Meeting server";
pub(crate) const REPORT: &str = "Report";
pub(crate) const REPORT_HAS: &str = "The report has ids and figures, no addresses, and nothing of what was said.";
pub(crate) const COPY_REPORT: &str = "Copy as JSON";
pub(crate) const COPIED: &str = "Report copied";
pub(crate) const CANNOT_COPY: &str =
    "This browser doesn't let the page copy. Here is the report, to be copied by hand:";

/// How it stands with the server, and what that means.
pub(crate) fn server(status: Status) -> &'static str {
    match status {
        Status::Connected => {
            "Connected. It introduces people who come to this room to each other; what you say does not pass through it."
        }
        Status::Connecting => "Not reached yet. Until it is, you can't meet anybody. It is being tried.",
        Status::Reconnecting => {
            "The server is unreachable. The people you are connected to still hear you; new ones can't join, and a link \
             that is lost can't be made again. It is tried again by itself: if that lasts, look at this device's network."
        }
        Status::Offline => {
            "This device has no network, the browser reports, and nothing is heard. What you send waits. Look at Wi-Fi or \
             the cable; everything comes back by itself when the network does."
        }
        Status::Closed(_) => "You are not in the room. Join again to meet the others.",
    }
}

/// Why the two are connected or not, what still works, and what to do.
pub(crate) fn advice(diagnosis: Diagnosis, link: &LinkReport, name: &str) -> String {
    let name = quoted(name);
    match diagnosis {
        Diagnosis::Fine if link.path.is_none() => format!("Connected to {name}."),
        Diagnosis::Fine => format!("Connected to {name}, direct: nothing stands between the two browsers."),
        Diagnosis::Relayed => format!(
            "Connected to {name} through a relay, since no direct way was found. Everything works, a little later. The \
             relay passes on what it can't read."
        ),
        Diagnosis::Offline => {
            "This device has no network, so nothing gets through. What you send waits. Look at Wi-Fi \
             or the cable; the link recovers by itself when the network is back."
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
            "Not connected: {name}'s page sent more than this one can take, so it has closed the link. The others are not \
             affected. It is tried again by itself in a while."
        ),
        Diagnosis::Stalled => format!(
            "Not connected: {name}'s page answers, but takes no messages, so this one has closed the link. The others are not \
             affected. It is tried again by itself in a while."
        ),
        Diagnosis::TooManyOffers => format!(
            "Not connected: {name}'s page asked to negotiate the link again and again, so this one has closed it. The others \
             are not affected. It is tried again by itself in a while."
        ),
        Diagnosis::Refused => format!(
            "Not connected: this browser refuses the connection to {name}. An extension or a setting may interfere with \
             WebRTC here, or {name}'s page offers what this browser does not know. It is tried again from time to time. \
             Load both pages again without extensions, or try another browser."
        ),
        Diagnosis::NoCandidates => format!(
            "Not connected: this browser gathers no address that {name} could connect to. A setting, an extension or a \
             policy of this device keeps it from using UDP. Allow WebRTC to use UDP, or try another browser or device; \
             a TURN server over TCP, added by the person who runs the server, helps too."
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

/// What each figure is called, and how it is found in a report.
pub(crate) type Facts<T, const N: usize> = [(&'static str, fn(&T) -> String); N];

pub(crate) const SERVER_FACTS: Facts<RoomReport, 4> = [
    ("Your code", |report| report.id.map(code_of).unwrap_or_default()),
    (STATE, |report| report.status.as_str().to_owned()),
    ("STUN servers", |report| report.stun_servers.to_string()),
    ("TURN servers", |report| report.turn_servers.to_string()),
];

pub(crate) const LINK_FACTS: Facts<LinkReport, 11> = [
    ("Code", |link| code_of(link.peer)),
    (STATE, |link| match activity(link.activity) {
        "" => state(link.state).to_owned(),
        activity => format!("{}, {activity}", state(link.state)),
    }),
    ("Last change", |link| format!("{}, {}", change(link.last_change), ago(link.changed_ms))),
    ("Last heard", |link| link.heard_ms.map_or_else(|| "never".to_owned(), ago)),
    (WAY, |link| match &link.path {
        Some(path) => {
            let way = if path.is_relayed() { "relayed" } else { "direct" };
            format!("{way}: {} to {}, {}", path.local, path.remote, path.protocol)
        }
        None => "not known".to_owned(),
    }),
    (ROUND_TRIP, |link| link.round_trip_ms().map_or_else(|| "not measured".to_owned(), millis)),
    ("Sent", |link| size(link.sent_bytes)),
    ("Received", |link| size(link.received_bytes)),
    ("Queued", |link| size(link.queued_bytes as u64)),
    ("Attempts", |link| {
        format!("connections: {}, ICE restarts: {}, failed: {}", link.connections, link.restarts, link.failures)
    }),
    ("Fault", |link| link.fault.as_ref().map_or_else(|| NONE.to_owned(), ToString::to_string)),
];

/// How a member can be reached, in a word.
pub(crate) fn state(state: PeerState) -> &'static str {
    match state {
        PeerState::Connecting => "connecting",
        PeerState::Connected => "connected",
        _ => "unreachable",
    }
}

/// What somebody does, where it is worth saying.
pub(crate) fn activity(activity: Activity) -> &'static str {
    match activity {
        Activity::Active => "",
        Activity::Idle => "idle",
        Activity::Hidden => "page hidden",
        Activity::Stale => "reconnecting…",
    }
}

fn change(change: LinkChange) -> &'static str {
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
        LinkChange::Overload => "their page sent too much",
        LinkChange::Stalled => "their page took no messages",
        LinkChange::TooManyOffers => "too many offers came",
        LinkChange::Refused => "the browser refused the connection",
        _ => "something new",
    }
}
