//! The buttons that share something, or no longer.

use converge_p2p::hooks::{UseMedia, use_room};
use converge_p2p::{Source, Status, StreamKind};
use leptos::prelude::*;

use super::devices::Devices;
use crate::parts::{Icon, icon, live};
use crate::room::Shared;
use crate::{platform, words};

/// `Camera`, `Microphone` and `Share screen`, and `Devices` to pick which.
#[component]
pub(crate) fn Controls() -> impl IntoView {
    let media = expect_context::<UseMedia>();
    let error =
        Signal::derive(move || media.error().get().map(|error| words::call::problem(&error)).unwrap_or_default());
    view! {
        <p class="problem call-problem" role="alert" use:live=error></p>
        <div class="call-controls" role="group" aria-label=words::call::SHARE_WITH_ROOM>
            {toggle(StreamKind::Camera, icon::CAMERA)}
            {toggle(StreamKind::Microphone, icon::MICROPHONE)}
            {toggle(StreamKind::Screen, icon::SCREEN)} <Devices/>
        </div>
    }
    .into_any()
}

/// What is to be shared: of the device that this person has picked.
pub(crate) fn source(kind: StreamKind) -> Source {
    let source = match kind {
        StreamKind::Camera => Source::camera(),
        StreamKind::Microphone => Source::microphone(),
        _ => Source::screen(),
    };
    platform::remembered_device(kind.as_str()).into_iter().fold(source, |source, device| source.device(device))
}

fn toggle(kind: StreamKind, path: &'static str) -> AnyView {
    let media = expect_context::<UseMedia>();
    let room = use_room();
    let ready = Shared::get().ready;
    let (on, asking) = (media.is_on(kind), media.is_asking(kind));
    // Before there is a room, there is nobody to share with.
    let joined = Signal::derive(move || !matches!(room.status().get(), Status::Connecting | Status::Closed(_)));
    let asleep = Signal::derive(move || !ready.get() || !joined.get() || asking.get());
    let pressed = Signal::derive(move || Some(on.get().to_string()));
    let title = Signal::derive(move || words::call::button_title(kind, joined.get().then(|| on.get())));
    view! {
        <button
            class="button quiet icon-button call-button"
            type="button"
            aria-label=words::call::button(kind)
            aria-pressed=pressed
            title=title
            disabled=asleep
            on:click=move |_| media.toggle(source(kind))
        >
            <Icon path/>
        </button>
    }
    .into_any()
}
