//! Two peers meeting, right here: what the rest of the page talks about.

use converge_p2p::hooks::{provide_room, use_channel, use_link, use_peers};
use converge_p2p::{CloseReason, Identity, Options, PeerId, PeerState, Status};
use leptos::html::Input;
use leptos::prelude::*;

use super::picture::Picture;
use crate::parts::live;
use crate::{platform, words};

/// So many of the last lines are shown.
const LINES: usize = 3;

/// As the picture has them.
const TINTS: [u8; 2] = [7, 3];

/// What the two have in common, while they are there.
#[derive(Clone)]
struct Meeting {
    topic: String,
    ada: Identity,
    ben: Identity,
}

impl Meeting {
    /// None where the browser has no source of randomness.
    fn new() -> Option<Self> {
        let identity = || Some(Identity::from_secret(&platform::random_bytes()?, 0));
        let (ada, ben) = (identity()?, identity()?);
        // Nobody else knows this name.
        Some(Self { topic: format!("demo-{}", ada.id()), ada, ben })
    }
}

/// A picture, and a button that turns it into the real thing: two rooms' members in one page, made by the hooks that
/// applications use. The server counts them among those who are here, which they are.
#[island]
pub(crate) fn Demo() -> impl IntoView {
    let meeting = RwSignal::new(None::<Meeting>);
    let problem = RwSignal::new("");
    let ready = RwSignal::new(false);
    Effect::new(move |_| ready.set(true));
    let start = move |_| match Meeting::new() {
        Some(new) => meeting.set(Some(new)),
        None => problem.set(words::landing::NO_KEYS),
    };
    let asleep = Signal::derive(move || !ready.get());
    let body = move || match meeting.get() {
        None => view! {
            <Picture/>
            <button class="button primary demo-button" type="button" disabled=asleep on:click=start>
                {words::landing::DEMO_START}
            </button>
            <p class="problem" role="alert">
                {problem}
            </p>
        }
        .into_any(),
        Some(Meeting { topic, ada, ben }) => view! {
            <div class="demo-sides">
                // Each in a function of its own: a room is provided to all that is below, and these two stand side by side.
                {
                    let topic = topic.clone();
                    move || view! { <Side who=0 topic=topic.clone() identity=ada.clone()/> }
                }
                {move || view! { <Side who=1 topic=topic.clone() identity=ben.clone()/> }}
            </div>
            <button class="button demo-button" type="button" on:click=move |_| meeting.set(None)>
                {words::landing::DEMO_STOP}
            </button>
        }
        .into_any(),
    };
    view! {
        <section class="demo" aria-label=words::landing::DEMO>
            {body}
        </section>
    }
    .into_any()
}

/// One of the two, with a room of its own that it leaves when it goes.
#[component]
fn Side(who: usize, topic: String, identity: Identity) -> impl IntoView {
    let (name, first) = words::landing::DEMO_SIDES[who];
    let class = format!("demo-side tint-{}", TINTS[who]);
    let room = provide_room(Options::new(topic).identity(identity));
    let chat = use_channel::<String>("chat");
    let peers = use_peers();
    let other = Signal::derive(move || peers.with(|peers| peers.first().map(|peer| peer.id())));
    let field = NodeRef::<Input>::new();
    let lines = RwSignal::new(Vec::<(bool, String)>::new());
    let push = move |mine: bool, text: String| {
        lines.update(|lines| {
            lines.push((mine, text));
            let surplus = lines.len().saturating_sub(LINES);
            lines.drain(..surplus);
        });
    };
    chat.on_message(move |message| push(false, message.value));
    let problem = RwSignal::new(String::new());
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(field) = field.get_untracked() else { return };
        let text = field.value();
        if text.trim().is_empty() {
            return;
        }
        match chat.broadcast(&text) {
            Ok(_) => {
                push(true, text);
                field.set_value("");
                problem.set(String::new());
            }
            Err(error) => problem.set(words::chat::not_sent(&error)),
        }
    };
    let closed = Signal::derive(move || room.status().get().reason());
    let waiting = Signal::derive(move || match (room.status().get(), other.get()) {
        (Status::Closed(CloseReason::Denied), _) => words::landing::INVITATION_ONLY.to_owned(),
        (Status::Closed(_), _) => words::landing::NOBODY_LET_IN.to_owned(),
        (Status::Offline, _) => words::landing::OFFLINE.to_owned(),
        (_, Some(_)) => String::new(),
        (Status::Reconnecting, None) => words::landing::SERVER_AWAY.to_owned(),
        (_, None) => words::landing::LOOKING.to_owned(),
    });
    let found = move || other.get().filter(|_| closed.get().is_none()).map(|peer| view! { <Way peer/> });
    let rows = move || {
        let row = |(mine, text): (bool, String)| {
            let class = if mine { "demo-line mine" } else { "demo-line" };
            view! { <p class=class>{text}</p> }
        };
        lines.get().into_iter().map(row).collect::<Vec<_>>()
    };
    let label = words::landing::message_from(name);
    view! {
        <div class=class role="group" aria-label=name>
            <p class="demo-name">{name}</p>
            <p class="demo-state" role="status">
                <span use:live=waiting></span>
                {found}
            </p>
            <div class="demo-lines" translate="no">
                {rows}
            </div>
            <p class="problem" use:live=Signal::from(problem)></p>
            <form class="field-row" on:submit=send>
                <input class="field" aria-label=label value=first autocomplete="off" node_ref=field/>
                <button class="button" type="submit">
                    {words::landing::DEMO_SEND}
                </button>
            </form>
        </div>
    }
    .into_any()
}

/// How the two are connected, as it is measured.
#[component]
fn Way(peer: PeerId) -> impl IntoView {
    let link = use_link(peer);
    let text = Signal::derive(move || {
        link.with(|link| match link {
            Some(link) if link.state == PeerState::Connected => words::connection::link(link),
            _ => words::landing::found(&words::name_of(peer)),
        })
    });
    view! { <span use:live=text></span> }
}
