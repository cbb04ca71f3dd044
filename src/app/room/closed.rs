//! What is shown in place of the room when it is closed.

use converge_p2p::CloseReason;
use converge_p2p::hooks::{RoomError, use_room};
use leptos::html::Input;
use leptos::prelude::*;

use super::Shared;
use crate::parts::{leave_alone, live};
use crate::{platform, words};

/// Why, what it means, and what can be done; hidden while the room is open.
#[component]
pub(super) fn Closed() -> impl IntoView {
    let room = use_room();
    let reason = Signal::derive(move || room.status().get().reason());
    let heading = Signal::derive(move || reason.get().map(words::room::closed).unwrap_or_default().to_owned());
    let text = Signal::derive(move || match reason.get().map(words::room::closed_meaning) {
        None => String::new(),
        Some(Some(text)) => text.to_owned(),
        Some(None) => match room.error().get() {
            Some(RoomError::Server { code, .. }) => words::room::refused(code).to_owned(),
            Some(error) => error.to_string(),
            None => words::room::REFUSED.to_owned(),
        },
    });
    let is_unknown = |reason: Option<CloseReason>| reason.is_some_and(|it| words::room::closed_meaning(it).is_none());
    let foreign = Signal::derive(move || match room.error().get() {
        Some(RoomError::Server { message, .. }) if is_unknown(reason.get()) && !message.trim().is_empty() => {
            words::foreign(&message)
        }
        _ => String::new(),
    });
    let no_foreign = Signal::derive(move || foreign.with(String::is_empty));
    let open = Signal::derive(move || reason.get().is_none());
    let denied = Signal::derive(move || reason.get() == Some(CloseReason::Denied));
    // Without another token it would be the same again.
    let hopeless = Signal::derive(move || reason.get() == Some(CloseReason::Unsupported) || denied.get());
    view! {
        <section class="notice" role="alert" hidden=open>
            <h2 use:live=heading></h2>
            <p use:live=text></p>
            <p class="notice-foreign" hidden=no_foreign>
                {words::room::SERVER_SAYS} <bdi translate="no" use:live=foreign></bdi>
            </p>
            <InvitationForm hidden=Signal::derive(move || !denied.get())/>
            <p class="notice-actions">
                <button class="button primary" type="button" hidden=hopeless on:click=move |_| room.rejoin()>
                    {words::room::JOIN_AGAIN}
                </button>
                <a class="button" href="/">
                    {words::room::OPEN_ANOTHER}
                </a>
            </p>
        </section>
    }
}

/// Where a token is given, on a server that asks for one.
#[component]
fn InvitationForm(
    /// While there is no need for it.
    hidden: Signal<bool>,
) -> impl IntoView {
    let room = use_room();
    let shared = Shared::get();
    let field = NodeRef::<Input>::new();
    let join = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(field) = field.get_untracked() else { return };
        // Whoever copies from a terminal or a mail brings line ends along.
        let token = field.value().split_whitespace().collect::<String>();
        if token.is_empty() {
            return;
        }
        field.set_value("");
        platform::remember_token(&room.topic().get_untracked(), &token);
        if shared.token.get_untracked().as_ref() == Some(&token) {
            // The very same: the server may have changed its mind.
            room.rejoin();
        } else {
            shared.token.set(Some(token));
        }
    };
    view! {
        <form class="invitation" hidden=hidden on:submit=join>
            <label for="token">{words::room::TOKEN}</label>
            <div class="field-row">
                <input
                    id="token"
                    class="field"
                    type="password"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    required
                    {..leave_alone()}
                    node_ref=field
                />
                <button class="button primary" type="submit">
                    {words::room::JOIN}
                </button>
            </div>
        </form>
    }
}
