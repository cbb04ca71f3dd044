//! Small pictures for buttons.

use leptos::prelude::*;

/// Two crossing lines.
pub(crate) const CLOSE: &str = "M6 6 18 18M18 6 6 18";
/// An arrow out of a box.
pub(crate) const SHARE: &str = "M5 12v8h14v-8M12 15V3M8 7l4-4 4 4";
/// Two links of a chain.
pub(crate) const LINK: &str =
    "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-5.7-5.7L12 7M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 5.7 5.7L12 17";
/// An arrow out of a door.
pub(crate) const LEAVE: &str = "M10 4H5v16h5M16 8l4 4-4 4M20 12H10";
/// A pulse.
pub(crate) const PULSE: &str = "M3 12h4l3-8 4 16 3-8h4";
/// Two people.
pub(crate) const PEOPLE: &str = "M3 20v-1a4 4 0 0 1 4-4h5a4 4 0 0 1 4 4v1M9.5 11a3.5 3.5 0 1 1 0-7 3.5 3.5 0 0 1 0 7zM21 20v-1a4 4 0 0 0-3-3.9M16 4.3a3.5 3.5 0 0 1 0 6.4";
/// A pointer.
pub(crate) const POINTER: &str = "M5 4l14 6-6 2.5L10.5 18z";
/// A speech bubble.
pub(crate) const CHAT: &str = "M4 5h16v11H10l-4 4v-4H4z";

/// A camera.
pub(crate) const CAMERA: &str = "M3 7h12v10H3zM15 11l6-4v10l-6-4";
/// A microphone.
pub(crate) const MICROPHONE: &str =
    "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM6 11a6 6 0 0 0 12 0M12 17v4M9 21h6";
/// A screen.
pub(crate) const SCREEN: &str = "M3 5h18v11H3zM8 20h8M12 16v4";
/// Two sliders.
pub(crate) const SETTINGS: &str = "M4 8h9M17 8h3M15 5.5v5M4 16h3M11 16h9M9 13.5v5";
/// An eye.
pub(crate) const EYE: &str = "M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z";
/// An eye that is closed.
pub(crate) const EYE_CLOSED: &str = "M2 9s4 6 10 6 10-6 10-6M12 15v4M5.5 13.5 3 17M18.5 13.5 21 17";
/// A loudspeaker.
pub(crate) const SOUND: &str = "M4 10v4h4l5 4V6l-5 4zM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11";

/// A circle, half of it filled.
pub(crate) const HALF: &str = "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16M14 5v14M16 6v12M18 8v8";
/// A sun.
pub(crate) const SUN: &str = "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5";
/// A moon.
pub(crate) const MOON: &str = "M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10z";
/// A keyboard.
pub(crate) const KEYBOARD: &str = "M3 7h18v10H3zM7 10.5h.01M11 10.5h.01M15 10.5h.01M8 14h8";
/// A bell.
pub(crate) const BELL: &str = "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4";

/// Lines in the colour of the text around them. Says nothing to those who don't see it: the button has a name.
#[component]
pub(crate) fn Icon(
    /// The lines, as an SVG path on a grid of 24 by 24.
    path: &'static str,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
            <path d=path/>
        </svg>
    }
    .into_any()
}
