//! The field for a message, and to whom it goes.

use std::time::Duration;

use converge_p2p::hooks::{Peer, UseChannel, UseTransfers, use_peers, use_presence, use_room, use_transfers};
use converge_p2p::{LocalFile, PeerId, SendError};
use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::html::{Button, Input, Select, Textarea};
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;

use super::{Deliveries, Line, Profile, Said, Shared};
use crate::parts::list;
use crate::platform::{self, Moment};
use crate::room::name_of;
use crate::words;

/// Who stops typing for this long is thinking.
const TYPING_PAUSE: Duration = Duration::from_secs(4);

#[component]
pub(super) fn Composer(channel: UseChannel<Said>, attach: NodeRef<Button>, deliveries: Deliveries) -> impl IntoView {
    let room = use_room();
    let profiles = use_presence::<Profile>();
    let Shared { lines, problem, to, ready, .. } = Shared::get();
    let asleep = Signal::derive(move || !ready.get());
    let peers = use_peers();
    let field = NodeRef::<Textarea>::new();
    let typing = Typing::new(profiles.mine());
    let name_of = move |peer| Profile::name(profiles.peek(peer).as_ref(), peer);

    let send = move || {
        let (Some(field), Some(from)) = (field.get_untracked(), room.id().get_untracked()) else {
            return problem.set(words::chat::NOT_CONNECTED.to_owned());
        };
        let text = field.value();
        if text.trim().is_empty() {
            return;
        }
        let said = Said { id: deliveries.next(), text };
        let receivers: Vec<PeerId> = match to.get_untracked() {
            Some(peer) => vec![peer],
            None => peers.get_untracked().into_iter().map(Peer::id).collect(),
        };
        let sent = match to.get_untracked() {
            Some(peer) => channel.send_to(peer, &said),
            None => channel.broadcast(&said),
        };
        match sent {
            Ok(()) => {
                let direct = to.get_untracked().map(|peer| words::chat::direct_to(&name_of(peer)));
                let name = profiles.mine().with_untracked(|mine| Profile::name(Some(mine), from));
                let (text, direct, at) = (said.text.into(), direct.unwrap_or_default(), Moment::default());
                let receivers = receivers.into_iter().map(|peer| (peer, name_of(peer))).collect();
                let delivery = Some(deliveries.sent(said.id, receivers));
                lines.push(Line { from, name, text, direct, mine: true, at, delivery });
                field.set_value("");
                problem.set(String::new());
            }
            // The text stays in the field.
            Err(SendError::TooLarge { bytes, limit }) => problem.set(words::chat::too_large(bytes, limit)),
            Err(error) => problem.set(words::chat::not_sent(&error)),
        }
        typing.stop();
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        send();
    };
    // Enter sends, Shift and Enter begin a new line; an Enter that picks a word of an input method does neither.
    let key = move |event: KeyboardEvent| {
        if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
            event.prevent_default();
            send();
        }
    };
    let hint = Signal::derive(move || match to.get() {
        None => words::chat::TO_EVERYONE.to_owned(),
        Some(peer) => words::chat::to_one(&name_of(peer)),
    });
    view! {
        // Outside a dialog this method submits nowhere: before the page has come to life, what was written stays.
        <form class="composer" method="dialog" on:submit=submit>
            <p class="problem" role="alert">
                {Signal::<String>::from(problem)}
            </p>
            <div class="composer-row">
                <Recipient/>
                <Attach button=attach/>
            </div>
            <div class="composer-row">
                <label class="visually-hidden" for="message">
                    {words::chat::MESSAGE}
                </label>
                <textarea
                    id="message"
                    class="field"
                    rows="1"
                    placeholder=hint
                    node_ref=field
                    on:keydown=key
                    on:input:target=move |event| {
                        // The text itself may be millions of letters.
                        if event.target().text_length() == 0 { typing.stop() } else { typing.start() }
                    }
                    on:blur=move |_| typing.stop()
                ></textarea>
                <button class="button primary" type="submit" disabled=asleep>
                    {words::chat::SEND}
                </button>
            </div>
        </form>
    }
    .into_any()
}

/// Offers files to whom messages go.
pub(super) fn send_files(
    transfers: UseTransfers,
    peers: Signal<Vec<Peer>>,
    to: Option<PeerId>,
    problem: RwSignal<String>,
    files: Vec<LocalFile>,
) {
    if files.is_empty() {
        return;
    }
    if to.is_none() && peers.with_untracked(Vec::is_empty) {
        return problem.set(words::chat::NOBODY_FOR_FILE.to_owned());
    }
    problem.set(String::new());
    for file in files {
        let name = file.name().to_owned();
        if let Err(error) = transfers.send(to, file) {
            problem.set(words::chat::file_not_sent(&name, &error));
        }
    }
}

/// Files go to whom messages go.
#[component]
fn Attach(button: NodeRef<Button>) -> impl IntoView {
    let (transfers, peers) = (use_transfers(), use_peers());
    let Shared { problem, to, ready, .. } = Shared::get();
    let asleep = Signal::derive(move || !ready.get());
    let field = NodeRef::<Input>::new();
    let choose = move |_| {
        if let Some(field) = field.get_untracked() {
            field.click();
        }
    };
    let chosen = move |_| {
        let files = field.get_untracked().map(|field| platform::take_files(&field)).unwrap_or_default();
        send_files(transfers, peers, to.get_untracked(), problem, files);
    };
    view! {
        <div class="attach">
            <label class="visually-hidden" for="file">
                {words::chat::FILE}
            </label>
            // Reached by the button, which keyboards and eyes find.
            <input
                id="file"
                class="visually-hidden"
                type="file"
                multiple
                tabindex="-1"
                disabled=asleep
                node_ref=field
                on:change=chosen
            />
            <button class="button" type="button" disabled=asleep node_ref=button on:click=choose>
                {words::chat::ATTACH}
            </button>
        </div>
    }
    .into_any()
}

/// Everyone, or one of those who are here.
#[component]
fn Recipient() -> impl IntoView {
    let (room, to) = (use_room(), Shared::get().to);
    let peers = use_peers();
    let select = NodeRef::<Select>::new();
    // Somebody who was chosen and has gone stays in the list: what was meant for one must not go to all.
    let options = Signal::derive(move || {
        let mut options: Vec<PeerId> = peers.get().into_iter().map(|peer| peer.id()).collect();
        options.extend(to.get().filter(|to| !options.contains(to)));
        options
    });
    // The browser chooses another option by itself when the list around the chosen one changes.
    Effect::new(move |_| {
        options.with(|_| ());
        let value = to.get().map(|to| to.to_string()).unwrap_or_default();
        request_animation_frame(move || {
            if let Some(select) = select.try_get_untracked().flatten()
                && select.value() != value
            {
                select.set_value(&value);
            }
        });
    });
    view! {
        <div class="recipient">
            <label for="to">{words::chat::TO}</label>
            <select
                id="to"
                class="field"
                node_ref=select
                on:change:target=move |event| to.set(event.target().value().parse().ok())
            >
                <option value="">{words::chat::EVERYONE}</option>
                {list(options, move |id| view! { <Addressee peer=room.peer(id)/> }.into_any())}
            </select>
        </div>
    }
    .into_any()
}

#[component]
fn Addressee(peer: Peer) -> impl IntoView {
    let here = use_peers();
    let name = name_of(peer.id());
    let label = Signal::derive(move || {
        let name = name.get();
        if here.with(|here| here.contains(&peer)) { name } else { words::chat::has_left(&name) }
    });
    view! { <option value=peer.id().to_string()>{label}</option> }
}

/// Whether this person is shown as typing.
#[derive(Clone, Copy)]
struct Typing {
    mine: RwSignal<Profile>,
    pause: StoredValue<Option<TimeoutHandle>>,
}

impl Typing {
    fn new(mine: RwSignal<Profile>) -> Self {
        let typing = Self { mine, pause: StoredValue::new(None) };
        on_cleanup(move || typing.cancel());
        typing
    }

    fn start(self) {
        self.cancel();
        self.show(true);
        self.pause.set_value(set_timeout_with_handle(move || self.show(false), TYPING_PAUSE).ok());
    }

    fn stop(self) {
        self.cancel();
        self.show(false);
    }

    fn cancel(self) {
        if let Some(pause) = self.pause.try_update_value(Option::take).flatten() {
            pause.clear();
        }
    }

    fn show(self, typing: bool) {
        if self.mine.try_with_untracked(|mine| mine.typing != typing) == Some(true) {
            self.mine.update(|mine| mine.typing = typing);
        }
    }
}
