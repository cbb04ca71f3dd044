//! Why two people hear each other or don't: the panel that explains the connections.

mod copy;

use converge_p2p::hooks::{use_peers, use_report};
use converge_p2p::{Diagnosis, PeerId, RoomReport, Status};
use leptos::ev::KeyboardEvent;
use leptos::html::{Button, Section};
use leptos::prelude::*;

use self::copy::CopyReport;
use super::mesh::Mesh;
use super::name_of;
use crate::parts::{list, live};
use crate::platform;
use crate::words::connection as words;
use crate::words::page::CLOSE;

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
        if platform::key(&event).is_some_and(|key| key.name == "Escape") {
            state.close();
        }
    };
    view! {
        <section class="panel" aria-label=words::CONNECTION tabindex="-1" node_ref=panel on:keydown=key>
            <div class="panel-head">
                <h2>{words::CONNECTION}</h2>
                <button class="button" type="button" on:click=move |_| state.close()>
                    {CLOSE}
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
                {words::ALONE}
            </p>
            <CopyReport report/>
        </div>
    }
    .into_any()
}

#[component]
fn Server(report: Signal<Option<RoomReport>>) -> impl IntoView {
    let status = Memo::new(move |_| report.with(|report| report.as_ref().map_or(Status::Connecting, |it| it.status)));
    let said = Signal::derive(move || words::server(status.get()).to_owned());
    let tone = Signal::derive(move || match status.get() {
        Status::Connected => Tone::Good,
        Status::Connecting | Status::Reconnecting => Tone::Unsure,
        _ => Tone::Bad,
    });
    let facts = words::SERVER_FACTS.map(|(term, told)| {
        (term, Signal::derive(move || report.with(|report| report.as_ref().map(told)).unwrap_or_default()))
    });
    entry(Signal::stored(words::SERVER.to_owned()), tone, said, &facts)
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
        link.with(|link| link.as_ref().map(|(diagnosis, link)| words::advice(*diagnosis, link, &name.get())))
            .unwrap_or_default()
    });
    let tone = Signal::derive(move || {
        link.with(|link| link.as_ref().map_or(Tone::Unsure, |(diagnosis, _)| Tone::of(*diagnosis)))
    });
    let facts = words::LINK_FACTS.map(|(term, told)| {
        (term, Signal::derive(move || link.with(|link| link.as_ref().map(|(_, link)| told(link))).unwrap_or_default()))
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
                    <dd use:live=text></dd>
                </div>
            }
            .into_any()
        })
        .collect();
    view! {
        <article class="doctor-entry">
            <h3 class=class>
                <bdi translate="no">{heading}</bdi>
            </h3>
            <p class="doctor-said" use:live=said></p>
            <dl class="fact-rows">{facts}</dl>
        </article>
    }
    .into_any()
}
