//! Why two people hear each other or don't: the panel that explains the connections.

use converge_p2p::hooks::{use_peers, use_report};
use converge_p2p::{Activity, Diagnosis, LinkChange, LinkReport, PeerId, PeerState, RoomReport, Status};
use leptos::ev::KeyboardEvent;
use leptos::html::{Button, Section, Textarea};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::mesh::Mesh;
use super::{Copying, name_of};
use crate::parts::list;
use crate::{platform, words};

/// Whether the panel is open, and the button that opens it.
#[derive(Clone, Copy)]
pub(super) struct PanelState {
    pub(super) open: RwSignal<bool>,
    pub(super) button: NodeRef<Button>,
}

impl PanelState {
    pub(super) fn new() -> Self {
        Self { open: RwSignal::new(false), button: NodeRef::new() }
    }

    /// Closes the panel; the focus goes back to where it came from.
    pub(super) fn close(self) {
        self.open.set(false);
        if let Some(button) = self.button.get_untracked() {
            let _ = button.focus();
        }
    }
}

/// The panel, while it is open. It is made when it is opened: links are measured only while somebody looks.
#[component]
pub(super) fn ConnectionPanel(state: PanelState) -> impl IntoView {
    move || state.open.get().then(|| view! { <Panel state/> }.into_any())
}

#[component]
fn Panel(state: PanelState) -> impl IntoView {
    let panel = NodeRef::<Section>::new();
    Effect::new(move |_| {
        if let Some(panel) = panel.get() {
            let _ = panel.focus();
        }
    });
    let key = move |event: KeyboardEvent| {
        if event.key() == "Escape" {
            state.close();
        }
    };
    view! {
        <section class="panel" aria-label="Connection" tabindex="-1" node_ref=panel on:keydown=key>
            <div class="panel-head">
                <h2>"Connection"</h2>
                <button class="button" type="button" on:click=move |_| state.close()>
                    "Close"
                </button>
            </div>
            <ConnectionDoctor/>
        </section>
    }
    .into_any()
}

/// For the server and for each person: whether there is a connection, in plain words why not, what still works and what
/// to do; and below that the figures.
#[component]
pub(crate) fn ConnectionDoctor() -> impl IntoView {
    let report = use_report();
    let peers = use_peers();
    let ids = Signal::derive(move || peers.get().into_iter().map(|peer| peer.id()).collect());
    let not_alone = Signal::derive(move || !peers.with(Vec::is_empty));
    view! {
        <div class="doctor">
            <Mesh report/>
            <Server report/>
            {list(ids, move |peer| view! { <Person report peer/> }.into_any())}
            <p class="doctor-alone" hidden=not_alone>
                "Nobody else is here, so there is nobody to be connected to."
            </p>
            <CopyReport report/>
        </div>
    }
    .into_any()
}

#[component]
fn Server(report: Signal<Option<RoomReport>>) -> impl IntoView {
    let status = Memo::new(move |_| report.with(|report| report.as_ref().map_or(Status::Connecting, |it| it.status)));
    let said = Signal::derive(move || server_words(status.get()).to_owned());
    let tone = Signal::derive(move || match status.get() {
        Status::Connected => Tone::Good,
        Status::Connecting | Status::Reconnecting => Tone::Unsure,
        _ => Tone::Bad,
    });
    let facts = SERVER_FACTS.map(|(term, words)| {
        (term, Signal::derive(move || report.with(|report| report.as_ref().map(words)).unwrap_or_default()))
    });
    entry(Signal::stored("Meeting server".to_owned()), tone, said, &facts)
}

#[component]
fn Person(report: Signal<Option<RoomReport>>, peer: PeerId) -> impl IntoView {
    let link = Memo::new(move |_| {
        report.with(|report| {
            let report = report.as_ref()?;
            let link = report.links.iter().find(|link| link.peer == peer)?;
            Some((report.diagnose(link), link.clone()))
        })
    });
    let name = name_of(peer);
    let said = Signal::derive(move || {
        link.with(|link| link.as_ref().map(|(diagnosis, link)| advice(*diagnosis, link, &name.get())))
            .unwrap_or_default()
    });
    let tone = Signal::derive(move || {
        link.with(|link| link.as_ref().map_or(Tone::Unsure, |(diagnosis, _)| Tone::of(*diagnosis)))
    });
    let facts = LINK_FACTS.map(|(term, words)| {
        (term, Signal::derive(move || link.with(|link| link.as_ref().map(|(_, link)| words(link))).unwrap_or_default()))
    });
    entry(name, tone, said, &facts)
}

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Good,
    /// On its way, or perhaps.
    Unsure,
    Bad,
}

impl Tone {
    fn of(diagnosis: Diagnosis) -> Self {
        match diagnosis {
            Diagnosis::Fine | Diagnosis::Relayed => Self::Good,
            Diagnosis::Connecting | Diagnosis::Mending => Self::Unsure,
            _ => Self::Bad,
        }
    }
}

/// One that this page is connected to, or not.
fn entry(
    heading: Signal<String>,
    tone: Signal<Tone>,
    said: Signal<String>,
    facts: &[(&'static str, Signal<String>)],
) -> AnyView {
    let class = Signal::derive(move || {
        let class = match tone.get() {
            Tone::Good => "doctor-heading good",
            Tone::Unsure => "doctor-heading unsure",
            Tone::Bad => "doctor-heading bad",
        };
        class.to_owned()
    });
    let facts: Vec<AnyView> = facts
        .iter()
        .map(|&(term, text)| {
            view! {
                <div class="fact-row">
                    <dt>{term}</dt>
                    <dd>{text}</dd>
                </div>
            }
            .into_any()
        })
        .collect();
    view! {
        <article class="doctor-entry">
            <h3 class=class>{heading}</h3>
            <p class="doctor-said">{said}</p>
            <dl class="fact-rows">{facts}</dl>
        </article>
    }
    .into_any()
}

/// Copies the whole report, or shows it where that is not allowed.
#[component]
fn CopyReport(report: Signal<Option<RoomReport>>) -> impl IntoView {
    let copying = RwSignal::new(Copying::NotYet);
    let field = NodeRef::<Textarea>::new();
    let copy = move |_| {
        let json = report.with_untracked(|report| report.as_ref().map(serde_json::to_string_pretty));
        let Some(Ok(json)) = json else { return };
        spawn_local(async move {
            let copied = platform::copy(json.clone()).await;
            copying.try_set(if copied { Copying::Copied } else { Copying::Shown(json) });
        });
    };
    let said = Signal::derive(move || {
        let said = match copying.get() {
            Copying::NotYet => "",
            Copying::Copied => "Report copied",
            Copying::Shown(_) => "This browser doesn't let the page copy. Here is the report, to be copied by hand:",
        };
        said.to_owned()
    });
    let text = Signal::derive(move || match copying.get() {
        Copying::Shown(text) => text,
        _ => String::new(),
    });
    let hidden = Signal::derive(move || text.with(String::is_empty));
    let select = move |_| {
        if let Some(field) = field.get_untracked() {
            field.select();
        }
    };
    view! {
        <div class="doctor-copy">
            <p class="doctor-note">"The report has ids and figures, no addresses, and nothing of what was said."</p>
            <button class="button" type="button" on:click=copy>
                "Copy as JSON"
            </button>
            <p role="status">{said}</p>
            <textarea
                class="field doctor-report"
                aria-label="Report"
                rows="8"
                readonly
                hidden=hidden
                prop:value=text
                node_ref=field
                on:focus=select
            ></textarea>
        </div>
    }
    .into_any()
}

fn server_words(status: Status) -> &'static str {
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
fn advice(diagnosis: Diagnosis, link: &LinkReport, name: &str) -> String {
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

type Facts<T, const N: usize> = [(&'static str, fn(&T) -> String); N];

const SERVER_FACTS: Facts<RoomReport, 3> = [
    ("State", |report| report.status.as_str().to_owned()),
    ("STUN servers", |report| report.stun_servers.to_string()),
    ("TURN servers", |report| report.turn_servers.to_string()),
];

const LINK_FACTS: Facts<LinkReport, 9> = [
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
pub(super) fn state_words(state: PeerState) -> &'static str {
    match state {
        PeerState::Connecting => "connecting",
        PeerState::Connected => "connected",
        _ => "unreachable",
    }
}

/// What somebody does, where it is worth saying.
pub(super) fn activity_words(activity: Activity) -> &'static str {
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
