//! The field for a message.

use converge_p2p::hooks::{Peer, UseChannel, use_peers, use_presence, use_room};
use converge_p2p::{PeerId, SendError};
use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::html::{Button, Textarea};
use leptos::prelude::*;

use super::attach::Attach;
use super::recipient::Recipient;
use super::typing::Typing;
use super::{Deliveries, Line, Profile, Said, Shared};
use crate::parts::{leave_alone, live};
use crate::platform::{self, Moment};
use crate::words;

#[component]
pub(super) fn Composer(channel: UseChannel<Said>, attach: NodeRef<Button>, deliveries: Deliveries) -> impl IntoView {
    let room = use_room();
    let profiles = use_presence::<Profile>();
    let Shared { lines, problem, to, ready, .. } = Shared::get();
    let asleep = Signal::derive(move || !ready.get());
    let peers = use_peers();
    let field = NodeRef::<Textarea>::new();
    let typing = Typing::new(profiles.mine());
    let names = Shared::get().names;
    let name_of = move |peer| names.peek(peer, profiles.peek(peer).as_ref());

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
            Some(peer) => channel.send_to(peer, &said).map(|()| Vec::new()),
            None => channel.broadcast(&said).map(|sent| sent.missed),
        };
        match sent {
            Ok(missed) => {
                let direct = to.get_untracked().map(|peer| words::chat::direct_to(&name_of(peer)));
                let name = profiles.mine().with_untracked(|mine| names.author(from, Some(mine)));
                let (text, direct, at) = (said.text.into(), direct.unwrap_or_default(), Moment::default());
                let receivers = receivers.into_iter().map(|peer| (peer, name_of(peer))).collect();
                let delivery = Some(deliveries.sent(said.id, receivers, &missed));
                lines.push(Line { from, name, text, direct, mine: true, at, delivery });
                field.set_value("");
                platform::fit_height(&field);
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
        // A click on the button has taken the focus: what is typed next is meant for the field.
        platform::focus("message");
    };
    // Enter sends, Shift and Enter begin a new line; an Enter that picks a word of an input method does neither.
    let key = move |event: KeyboardEvent| {
        if platform::key(&event).is_some_and(|key| key.name == "Enter" && !key.shift && !key.composing) {
            event.prevent_default();
            send();
        }
    };
    let hint = Signal::derive(move || match to.get() {
        None => words::chat::TO_EVERYONE.to_owned(),
        Some(peer) => words::chat::to_one(&names.get(peer, profiles.of(peer).get().as_ref())),
    });
    view! {
        // Outside a dialog this method submits nowhere: before the page has come to life, what was written stays.
        <form class="composer" method="dialog" on:submit=submit>
            <p class="problem" role="alert" use:live=Signal::from(problem)></p>
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
                    dir="auto"
                    {..leave_alone()}
                    placeholder=hint
                    node_ref=field
                    on:keydown=key
                    on:input=move |_| {
                        let Some(field) = field.get_untracked() else { return };
                        platform::fit_height(&field);
                        // The text itself may be millions of letters.
                        if field.text_length() == 0 { typing.stop() } else { typing.start() }
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
