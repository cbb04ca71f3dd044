//! The ways to ask others in: a link, the device's own way to send it, and a code for their camera.

use converge_p2p::hooks::use_room;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Shared;
use crate::parts::{Dialog, Icon, Qr, icon, live};
use crate::platform;
use crate::words::room as words;

/// The button, and the dialog it opens.
#[component]
pub(super) fn Share() -> impl IntoView {
    let ready = Shared::get().ready;
    let asleep = Signal::derive(move || !ready.get());
    let open = RwSignal::new(false);
    view! {
        <button
            class="button"
            type="button"
            title=words::SHARE
            aria-haspopup="dialog"
            disabled=asleep
            on:click=move |_| open.set(true)
        >
            <Icon path=icon::SHARE/>
            <span class="button-text">{words::SHARE}</span>
        </button>
        <Dialog open title=words::SHARE>
            <Invitation/>
        </Dialog>
    }
    .into_any()
}

/// What is in the dialog; made in the browser only.
#[component]
fn Invitation() -> impl IntoView {
    let room = use_room();
    let link = StoredValue::new(platform::invite_link().unwrap_or_default());
    let field = NodeRef::<Input>::new();
    let said = RwSignal::new(String::new());
    let select = move || {
        if let Some(field) = field.try_get_untracked().flatten() {
            field.select();
        }
    };
    let copy = move |_| {
        spawn_local(async move {
            let text = if platform::copy(link.get_value()).await {
                words::LINK_COPIED
            } else {
                select();
                words::LINK_SELECTED
            };
            said.try_set(text.to_owned());
        });
    };
    let send = move |_| {
        spawn_local(async move { platform::share(&room.topic().get_untracked(), &link.get_value()).await });
    };
    let send = platform::can_share().then(|| {
        view! {
            <button class="button" type="button" on:click=send>
                {words::SEND_LINK}
            </button>
        }
        .into_any()
    });
    view! {
        <div class="share">
            <p class="share-why">{words::WHO_CAN_COME}</p>
            <label class="visually-hidden" for="room-link">
                {words::LINK}
            </label>
            <input
                id="room-link"
                class="field"
                readonly
                value=link.get_value()
                node_ref=field
                on:focus=move |_| select()
            />
            <div class="share-actions">
                <button class="button primary" type="button" on:click=copy>
                    {words::COPY_LINK}
                </button>
                {send}
            </div>
            <p class="share-said" role="status" use:live=Signal::from(said)></p>
            <Qr text=Signal::stored(link.get_value()) label=words::QR/>
            <p class="share-why">{words::POINT_CAMERA}</p>
        </div>
    }
    .into_any()
}
