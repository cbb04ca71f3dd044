//! Cameras, microphones and screens.

use converge_p2p::{MAX_VIEWERS, MediaError, StreamKind, ViewerState};

pub(crate) const VIDEOS: &str = "Videos";
pub(crate) const SHARE_WITH_ROOM: &str = "Share with the room";

/// The button that shares it, and the field that picks which.
pub(crate) fn button(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Camera => "Camera",
        StreamKind::Microphone => "Microphone",
        _ => "Share screen",
    }
}

/// The button's title: the state of its device, and the effect of a press. `on` is `None` until the room is joined.
pub(crate) fn button_title(kind: StreamKind, on: Option<bool>) -> String {
    let doing = match on {
        None => "waits until you are in the room",
        Some(true) => "on, press to turn it off",
        Some(false) => "off, press to turn it on",
    };
    format!("{}: {doing}", button(kind))
}

/// Within a sentence.
fn thing(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Camera => "camera",
        StreamKind::Microphone => "microphone",
        _ => "screen",
    }
}

/// A stream, by whose it is and what; `own` is this person's.
pub(crate) fn tile(name: &str, kind: StreamKind, own: bool) -> String {
    let you = if own { " (you)" } else { "" };
    format!("{name}’s {}{you}", thing(kind))
}

pub(crate) const TOO_MANY: &str = "too many are here to see it";
pub(crate) const NOT_SHARED_YET: &str = "not shared with you yet";
pub(crate) const ON_ITS_WAY: &str = "on its way…";
pub(crate) const PAUSED: &str = "paused";
/// Of this person's own stream, whose device gives nothing.
pub(crate) const NO_PICTURE: &str = "no picture comes from the camera: a lid, a switch or the system holds it back";
pub(crate) const NO_SOUND: &str = "no sound comes from the microphone: a switch or the system holds it back";
pub(crate) const TOUCH_TO_HEAR: &str = "Touch the page to hear it";

pub(crate) fn mute(name: &str) -> String {
    format!("Mute {name}")
}

// The dialog that picks devices.
pub(crate) const DEVICES: &str = "Devices";
pub(crate) const DEVICES_INSECURE: &str =
    "Browsers let a page use cameras and microphones only over https, or on the machine that serves it.";
pub(crate) const DEVICES_CHANGE: &str = "What is on changes at once. The choice is remembered on this device.";
pub(crate) const DEVICES_NAMELESS: &str = "The browser names them once you have allowed this page to use one.";
pub(crate) const ANY_DEVICE: &str = "As the browser chooses";

/// A device whose name the browser doesn't tell, counted from one.
pub(crate) fn nameless(kind: StreamKind, number: usize) -> String {
    format!("{} {number}", button(kind))
}

// Viewers of this person's media.
pub(crate) const NEWCOMERS: &str = "Newcomers";
pub(crate) const NEWCOMERS_SEE: &str = "Newcomers see my camera and screen";
pub(crate) const NEWCOMERS_ASK: &str = "Ask me";
pub(crate) const NEWCOMERS_ALWAYS: &str = "Always";
pub(crate) const NEWCOMERS_HINT: &str = "And hear my microphone. Newcomers are those who come in after you have turned something on. The choice is \
     remembered for this room.";
pub(crate) const VIEWERS: &str = "Who sees and hears you";
pub(crate) const NOBODY_THERE: &str = "Nobody else is here.";
pub(crate) const NOTHING_ON: &str = "Nobody: nothing of yours is on. Those who are here when you turn it on get it.";

/// Shown if the room has more members than a stream has viewers.
pub(crate) fn crowded() -> String {
    format!(
        "At most {MAX_VIEWERS} others can see and hear you. Showing yourself to another takes the place of the newest one whom \
         you have not let in yourself; or hide from somebody first."
    )
}

/// A member's state as a viewer of this person.
pub(crate) fn sees(state: ViewerState) -> &'static str {
    match state {
        ViewerState::Viewing => "sees and hears you",
        ViewerState::Crowded => "doesn't see or hear you: others do, as many as can",
        _ => "doesn't see or hear you",
    }
}

/// The number of waiting newcomers, if any.
pub(crate) fn waiting(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "A newcomer doesn't see or hear you yet.".to_owned(),
        count => format!("{count} newcomers don't see or hear you yet."),
    }
}

pub(crate) fn allow(name: &str) -> String {
    format!("Let {name} see and hear you")
}

pub(crate) fn not_now(name: &str) -> String {
    format!("Not now: {name}")
}

/// The button beside a member's name that approves or denies it as a viewer.
pub(crate) fn decide(viewing: bool) -> &'static str {
    if viewing { "Hide me" } else { "Show me" }
}

/// Its label for screen readers, with the name.
pub(crate) fn decide_for(name: &str, viewing: bool) -> String {
    if viewing { format!("Hide me from {name}") } else { format!("Show me to {name}") }
}

/// What went wrong, what still works, and what to do.
pub(crate) fn problem(error: &MediaError) -> String {
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
            thing(*kind)
        ),
        MediaError::NoDevice { kind } => {
            format!("There is no {} on this device: connect one, then try again.", thing(*kind))
        }
        MediaError::InUse { kind } => {
            format!(
                "The {} does not answer: perhaps another program uses it. Close that, then try again.",
                thing(*kind)
            )
        }
        MediaError::Ended { kind } => format!(
            "The {} is not shared any more: it was unplugged, or the browser no longer lets this page use it. Connect it, or \
             allow it by the sign beside the page's address; then press the button again.",
            thing(*kind)
        ),
        error => super::sentence("That didn't work", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_is_named_after_its_owner_and_kind() {
        assert_eq!(tile("Ada", StreamKind::Screen, false), "Ada’s screen");
        assert_eq!(tile("Ada", StreamKind::Camera, true), "Ada’s camera (you)");
    }
}
