//! What to do while nobody else is here.

use converge_p2p::hooks::use_peers;
use leptos::prelude::*;

use crate::parts::Qr;
use crate::{platform, words};

/// The link to this room, for others to read and for a camera; hidden while somebody else is here.
#[component]
pub(super) fn Alone() -> impl IntoView {
    let peers = use_peers();
    let accompanied = Signal::derive(move || !peers.with(Vec::is_empty));
    let link = RwSignal::new(String::new());
    Effect::new(move |_| link.set(platform::invite_link().unwrap_or_default()));
    view! {
        // Scrolls where the screen is small, by keyboard too.
        <div class="alone-card" role="group" aria-label=words::room::INVITATION tabindex="0" hidden=accompanied>
            <h2 class="alone-heading">{words::room::NOBODY_ELSE}</h2>
            <p>{words::room::SEND_THIS_LINK}</p>
            <p class="alone-link">{Signal::<String>::from(link)}</p>
            <Qr text=link/>
        </div>
    }
    .into_any()
}
