//! The two ways into a room: open one, or follow an invitation.

use leptos::html::Input;
use leptos::prelude::*;

use super::code::checked;
use crate::{platform, words};

const HELP: &str = "Anyone who knows the name can come in.";

/// A topic with a suggestion already in it, and one button. Works without JavaScript, by way of the server's route at
/// `/r`, which leads on to the room that the form names.
#[island]
pub(super) fn OpenForm(suggestion: String) -> impl IntoView {
    let field = NodeRef::<Input>::new();
    let help = RwSignal::new(HELP);
    let open = move |event| go(event, field, help);
    view! {
        <form class="open" method="get" action="/r" on:submit=open>
            <label for="topic">"Room"</label>
            <div class="field-row">
                <input
                    id="topic"
                    class="field"
                    name="topic"
                    value=suggestion
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    required
                    aria-describedby="topic-help"
                    node_ref=field
                    on:input=move |_| help.set(HELP)
                />
                <button class="button primary" type="submit">
                    "Open room"
                </button>
            </div>
            <p id="topic-help" class="help" role="status">
                {help}
            </p>
        </form>
    }
}

/// For those who were told a room's name, or were sent its link and see this page first.
#[island]
pub(super) fn JoinForm() -> impl IntoView {
    let field = NodeRef::<Input>::new();
    let help = RwSignal::new("");
    let join = move |event| go(event, field, help);
    view! {
        <form class="open join" method="get" action="/r" on:submit=join>
            <label for="code">"Have a link or a code?"</label>
            <div class="field-row">
                <input
                    id="code"
                    class="field"
                    name="topic"
                    placeholder="amber-otter-417"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    required
                    aria-describedby="code-help"
                    node_ref=field
                    on:input=move |_| help.set("")
                />
                <button class="button" type="submit">
                    "Join"
                </button>
            </div>
            <p id="code-help" class="help" role="status">
                {help}
            </p>
        </form>
    }
}

fn go(event: leptos::ev::SubmitEvent, field: NodeRef<Input>, help: RwSignal<&'static str>) {
    event.prevent_default();
    // The field itself is asked: browsers fill it in again after a reload, and tell nobody.
    let topic = field.get_untracked().map(|field| field.value()).unwrap_or_default();
    match checked(&topic) {
        Ok(topic) => platform::go_to(&words::room_path(&topic)),
        Err(text) => help.set(text),
    }
}
