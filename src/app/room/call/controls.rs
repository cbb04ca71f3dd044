//! The buttons that share something, or no longer.

use converge_p2p::hooks::{UseMedia, use_room};
use converge_p2p::{MediaError, Source, Status, StreamKind};
use leptos::prelude::*;

use super::devices::Devices;
use crate::parts::{Icon, icon};
use crate::platform;
use crate::room::Shared;

/// `Camera`, `Microphone` and `Share screen`, and `Devices` to pick which.
#[component]
pub(crate) fn Controls() -> impl IntoView {
    let media = expect_context::<UseMedia>();
    let error = Signal::derive(move || media.error().get().map(|error| problem(&error)).unwrap_or_default());
    view! {
        <p class="problem call-problem" role="alert">
            {error}
        </p>
        <div class="call-controls" role="group" aria-label="Share with the room">
            {toggle(StreamKind::Camera, "Camera", icon::CAMERA)}
            {toggle(StreamKind::Microphone, "Microphone", icon::MICROPHONE)}
            {toggle(StreamKind::Screen, "Share screen", icon::SCREEN)} <Devices/>
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

fn toggle(kind: StreamKind, label: &'static str, path: &'static str) -> AnyView {
    let media = expect_context::<UseMedia>();
    let room = use_room();
    let ready = Shared::get().ready;
    let (on, asking) = (media.is_on(kind), media.is_asking(kind));
    // Before there is a room, there is nobody to share with.
    let asleep = Signal::derive(move || {
        let joined = !matches!(room.status().get(), Status::Connecting | Status::Closed(_));
        !ready.get() || !joined || asking.get()
    });
    let pressed = Signal::derive(move || Some(on.get().to_string()));
    let title = Signal::derive(move || {
        let doing = if on.get() { "on, press to turn it off" } else { "off, press to turn it on" };
        format!("{label}: {doing}")
    });
    view! {
        <button
            class="button quiet icon-button call-button"
            type="button"
            aria-label=label
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

/// What went wrong, what still works, and what to do.
fn problem(error: &MediaError) -> String {
    let what = |kind: &StreamKind| kind.as_str();
    match error {
        MediaError::Insecure => "Browsers let a page use cameras, microphones and screens only over https, or on the \
                                 machine that serves it. Everything else here works."
            .to_owned(),
        MediaError::Unsupported { kind: StreamKind::Screen } => {
            "This browser can't share a screen; browsers of phones can't. You see what others share.".to_owned()
        }
        MediaError::Unsupported { .. } => {
            "This browser can't share that. You see and hear what others share.".to_owned()
        }
        MediaError::Denied { kind: StreamKind::Screen } => {
            "Nothing is shared: no screen was picked, or the browser may not record the screen. The system's privacy \
             settings say which programs may."
                .to_owned()
        }
        MediaError::Denied { kind } => format!(
            "The {} may not be used. Allow it for this page, by the sign beside its address, and in the system's privacy \
             settings; then press the button again. You see and hear the others all the same.",
            what(kind)
        ),
        MediaError::NoDevice { kind } => {
            format!("There is no {} on this device: connect one, then try again.", what(kind))
        }
        MediaError::InUse { kind } => {
            format!("The {} does not answer: perhaps another program uses it. Close that, then try again.", what(kind))
        }
        MediaError::RoomTooLarge { others } => format!(
            "{others} others are here. What you share goes to each of them by itself, and more than {} are too many for \
             one connection. Messages, files and pointers reach everybody.",
            converge_p2p::MAX_VIEWERS
        ),
        error => format!("That didn't work: {error}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_was_refused_and_what_to_do() {
        let text = problem(&MediaError::Denied { kind: StreamKind::Camera });
        assert!(text.starts_with("The camera may not be used. Allow it"), "{text}");
        let text = problem(&MediaError::RoomTooLarge { others: 12 });
        assert!(text.starts_with("12 others are here.") && text.contains("more than 8"), "{text}");
    }
}
