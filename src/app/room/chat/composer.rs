//! The field for a message, and to whom it goes.

use std::time::Duration;

use converge_p2p::PeerId;
use converge_p2p::hooks::{Peer, UseChannel, use_peers, use_presence, use_room};
use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::html::{Select, Textarea};
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;

use super::{Line, Profile, Said, Shared};
use crate::parts::list;

/// Who stops typing for this long is thinking.
const TYPING_PAUSE: Duration = Duration::from_secs(4);

#[component]
pub(super) fn Composer(channel: UseChannel<Said>) -> impl IntoView {
    let room = use_room();
    let profiles = use_presence::<Profile>();
    let Shared { lines, problem, to, ready, .. } = Shared::get();
    let asleep = Signal::derive(move || !ready.get());
    let field = NodeRef::<Textarea>::new();
    let typing = Typing::new(profiles.mine());
    let name_of = move |peer| Profile::name(profiles.peek(peer).as_ref(), peer);

    let send = move || {
        let (Some(field), Some(from)) = (field.get_untracked(), room.id().get_untracked()) else {
            return problem.set("Not connected yet: the message is kept.".to_owned());
        };
        let text = field.value();
        if text.trim().is_empty() {
            return;
        }
        let said = Said { text };
        let sent = match to.get_untracked() {
            Some(peer) => channel.send_to(peer, &said),
            None => channel.broadcast(&said),
        };
        match sent {
            Ok(()) => {
                let direct = to.get_untracked().map(|peer| format!("direct, to {}", name_of(peer)));
                let name = profiles.mine().with_untracked(|mine| Profile::name(Some(mine), from));
                let (text, direct, time) = (said.text, direct.unwrap_or_default(), String::new());
                lines.push(Line { from, name, text, direct, mine: true, time });
                field.set_value("");
                problem.set(String::new());
            }
            // The text stays in the field.
            Err(error) => problem.set(format!("Not sent: {error}.")),
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
        None => "Write to everyone".to_owned(),
        Some(peer) => format!("Only {} will get this", name_of(peer)),
    });
    view! {
        // Outside a dialog this method submits nowhere: before the page has come to life, what was written stays.
        <form class="composer" method="dialog" on:submit=submit>
            <p class="problem" role="alert">
                {Signal::<String>::from(problem)}
            </p>
            <Recipient/>
            <div class="composer-row">
                <label class="visually-hidden" for="message">
                    "Message"
                </label>
                <textarea
                    id="message"
                    class="field"
                    rows="1"
                    placeholder=hint
                    node_ref=field
                    on:keydown=key
                    on:input:target=move |event| {
                        if event.target().value().is_empty() { typing.stop() } else { typing.start() }
                    }
                    on:blur=move |_| typing.stop()
                ></textarea>
                <button class="button primary" type="submit" disabled=asleep>
                    "Send"
                </button>
            </div>
        </form>
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
            <label for="to">"To"</label>
            <select
                id="to"
                class="field"
                node_ref=select
                on:change:target=move |event| to.set(event.target().value().parse().ok())
            >
                <option value="">"Everyone"</option>
                {list(options, move |id| view! { <Addressee peer=room.peer(id)/> }.into_any())}
            </select>
        </div>
    }
    .into_any()
}

#[component]
fn Addressee(peer: Peer) -> impl IntoView {
    let profile = use_presence::<Profile>().of(peer.id());
    let here = use_peers();
    // The last one shown is kept, for whoever has gone shows none.
    let last = StoredValue::new(None);
    let label = Signal::derive(move || {
        let profile = profile.get();
        if profile.is_some() {
            last.set_value(profile);
        }
        let name = last.with_value(|last| Profile::name(last.as_ref(), peer.id()));
        if here.with(|here| here.contains(&peer)) { name } else { format!("{name} (left)") }
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
