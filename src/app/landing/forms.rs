//! The two ways into a room: open one, or follow an invitation.

use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;

use super::code::checked;
use crate::parts::{leave_alone, live};
use crate::paths::room_path;
use crate::platform;
use crate::words::EXAMPLE;
use crate::words::landing::{HAVE_LINK, JOIN, OPEN, ROOM, WHO_CAN_COME};

/// A topic with a suggestion already in it, and one button.
#[island]
pub(super) fn OpenForm(
    suggestion: String,
    /// What is wrong with what was typed before the page came to life.
    problem: String,
) -> impl IntoView {
    form("topic", ROOM, OPEN, WHO_CAN_COME, problem, &suggestion, "")
}

/// For those who were told a room's name, or were sent its link and see this page first.
#[island]
pub(super) fn JoinForm() -> impl IntoView {
    form("code", HAVE_LINK, JOIN, "", String::new(), "", EXAMPLE)
}

/// A field that names a room, and the way there. Works without JavaScript, by way of the server's route at `/r`, which leads
/// on to the room that the form names.
fn form(
    id: &'static str,
    label: &'static str,
    action: &'static str,
    hint: &'static str,
    problem: String,
    value: &str,
    placeholder: &'static str,
) -> AnyView {
    let field = NodeRef::<Input>::new();
    let help = RwSignal::new(if problem.is_empty() { hint.to_owned() } else { problem });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        // The field itself is asked: browsers fill it in again after a reload, and tell nobody.
        let topic = field.get_untracked().map(|field| field.value()).unwrap_or_default();
        match checked(&topic) {
            Ok(topic) => platform::go_to(&room_path(&topic)),
            Err(text) => help.set(text.to_owned()),
        }
    };
    let help_id = format!("{id}-help");
    let class = if placeholder.is_empty() { "button primary" } else { "button" };
    view! {
        <form class="open" method="get" action="/r" on:submit=submit>
            <label for=id>{label}</label>
            <div class="field-row">
                <input
                    id=id
                    class="field"
                    name="topic"
                    value=value.to_owned()
                    placeholder=placeholder
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    required
                    aria-describedby=help_id.clone()
                    node_ref=field
                    on:input=move |_| help.set(hint.to_owned())
                    dir="auto"
                    {..leave_alone()}
                />
                <button class=class type="submit">
                    {action}
                </button>
            </div>
            <p id=help_id class="help" role="status" use:live=Signal::from(help)>
                {help.get_untracked()}
            </p>
        </form>
    }
    .into_any()
}
