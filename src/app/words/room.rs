//! The room around its parts: its header and its bar, who is here, the stage, and what is shown in place of it.

use converge_p2p::{CloseReason, ErrorCode, PeerState};

use super::quoted;

pub(crate) const NEEDS_JAVASCRIPT: &str = "This room needs JavaScript: your browser connects to the others' by itself, and the program that does it comes with \
     this page. Allow JavaScript for this site, then load the page again.";

// The header.
pub(crate) const COPY_INVITE: &str = "Copy invite link";
pub(crate) const LINK_COPIED: &str = "Link copied";
pub(crate) const LEAVE: &str = "Leave room";

pub(crate) fn cannot_copy(link: &str) -> String {
    format!("This browser doesn't let the page copy. The link: {link}")
}

// The dialog that asks others in.
pub(crate) const SHARE: &str = "Share room";
pub(crate) const WHO_CAN_COME: &str = "Whoever has this link can come in.";
pub(crate) const LINK: &str = "Link";
pub(crate) const COPY_LINK: &str = "Copy link";
pub(crate) const SEND_LINK: &str = "Send link…";
pub(crate) const LINK_SELECTED: &str = "This browser doesn't let the page copy. The link is selected: copy it by hand.";
pub(crate) const QR: &str = "QR code of this room's link";
pub(crate) const POINT_CAMERA: &str = "Or point a phone's camera at this.";

// The bar of a phone.
pub(crate) const PARTS: &str = "Parts of the room";
pub(crate) const PEOPLE: &str = "People";
pub(crate) const STAGE: &str = "Stage";
pub(crate) const CHAT: &str = "Chat";

/// How many messages, if any.
pub(crate) fn unread(count: u32) -> String {
    match count {
        0 => String::new(),
        1 => "1 unread message".to_owned(),
        count => format!("{count} unread messages"),
    }
}

// Who is here.
/// Before how many.
pub(crate) const PEOPLE_HEADING: &str = "People ";

/// The button of a long list of people.
pub(crate) fn show_people(others: usize) -> String {
    format!("Show all {others} others")
}

pub(crate) const YOUR_NAME: &str = "Your name";
/// This person, as a name.
pub(crate) const YOU: &str = "You";
/// And as a remark.
pub(crate) const THIS_IS_YOU: &str = "you";
pub(crate) const YOU_SPEAKING: &str = "you, speaking";
pub(crate) const SPEAKING: &str = "speaking";
pub(crate) const TYPING: &str = "typing…";

/// The code that distinguishes a person from others of the same name.
pub(crate) fn code(code: &str) -> String {
    format!("Code {code}. It is the same on every screen: ask for it to know that this is who you think.")
}

/// Somebody whom nothing gets through to.
pub(crate) fn away(state: PeerState) -> &'static str {
    match state {
        PeerState::Connecting => "connecting…",
        _ => "unreachable; trying again",
    }
}

pub(crate) fn write_to(name: &str) -> String {
    format!("Write to {name}")
}

/// Those who came at about the same time.
pub(crate) fn came(names: &[String]) -> Option<String> {
    Some(format!("{} came in.", all_of(names)?))
}

/// Announces members that joined and left at once.
pub(crate) fn visited(names: &[String]) -> Option<String> {
    Some(format!("{} came in and left at once.", all_of(names)?))
}

/// Those who left at about the same time.
pub(crate) fn left(names: &[String]) -> Option<String> {
    let have = if names.len() == 1 { "has" } else { "have" };
    Some(format!("{} {have} left.", all_of(names)?))
}

fn all_of(names: &[String]) -> Option<String> {
    match names {
        [] => None,
        [name] => Some(quoted(name)),
        [one, two] => Some(format!("{} and {}", quoted(one), quoted(two))),
        names => Some(format!("{} people", names.len())),
    }
}

pub(crate) const SOUNDS: &str = "Sounds";
pub(crate) const SOUNDS_WHEN: &str = "Sounds when somebody comes or writes";

// What single keys do.
pub(crate) const SHORTCUTS: &str = "Keyboard shortcuts";
pub(crate) const SHORTCUTS_ON: &str = "Single-key shortcuts";
pub(crate) const SHORTCUT_LIST: &str = "Show this list";
pub(crate) const SHORTCUT_WRITE: &str = "Write a message";
pub(crate) const SHORTCUT_CAMERA: &str = "Turn the camera on; without Shift, off";
pub(crate) const SHORTCUT_MICROPHONE: &str = "Turn the microphone on; without Shift, off";
pub(crate) const SHORTCUT_SCREEN: &str = "Share a screen; without Shift, stop";
pub(crate) const SHIFT: &str = "Shift";

// The stage.
pub(crate) const POINT_HERE: &str = "Point at something: the others see your pointer here.";
pub(crate) const INVITATION: &str = "Invitation";
pub(crate) const NOBODY_ELSE: &str = "Nobody else is here yet";
pub(crate) const SEND_THIS_LINK: &str = "Send this link, or point a phone's camera at the code.";
pub(crate) const REACTIONS: &str = "Reactions";
/// In the order in which they are drawn in `room/stage/reactions.rs`.
pub(crate) const EACH_REACTION: [&str; 7] = ["Thumbs up", "Heart", "Laugh", "Surprise", "Star", "Question", "Yes"];

/// Somebody has sent one of them.
pub(crate) fn reacted(name: &str, reaction: &str) -> String {
    format!("{}: {}", quoted(name), reaction.to_ascii_lowercase())
}

// A room that is closed.
pub(crate) const JOIN_AGAIN: &str = "Join again";
pub(crate) const OPEN_ANOTHER: &str = "Open another room";
pub(crate) const TOKEN: &str = "Token";
pub(crate) const JOIN: &str = "Join";
/// Of a server that refuses and gives no reason.
pub(crate) const REFUSED: &str = "The server refused, without saying why.";
/// Stands before the server's quoted text.
pub(crate) const SERVER_SAYS: &str = "The server says: ";

/// The reason of the server's refusal, in the page's own words; the server's text is shown separately.
pub(crate) fn refused(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::BadSignature => {
            "The server does not accept this tab's key. Load the page again, or open the room in a new tab."
        }
        ErrorCode::Origin => "This server takes no pages from this address.",
        _ => "The server refused.",
    }
}

/// Why, as a heading.
pub(crate) fn closed(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Left => "You have left",
        CloseReason::RoomFull => "This room is full",
        CloseReason::Replaced => "You are in this room elsewhere",
        CloseReason::Unsupported => "This browser can't take part",
        CloseReason::Version => "This page is out of date",
        CloseReason::Denied => "This room needs an invitation",
        _ => "The room could not be opened",
    }
}

/// What that means and what can be done; none where the error itself says it best.
pub(crate) fn closed_meaning(reason: CloseReason) -> Option<&'static str> {
    let text = match reason {
        CloseReason::Left => "The others have been told.",
        CloseReason::RoomFull => {
            "It has as many people as it may. Try again when somebody has left, or open another room."
        }
        CloseReason::Replaced => {
            "The same tab joined again, and that one is connected now. Join here to take its place."
        }
        CloseReason::Unsupported => {
            "A room takes direct connections (WebRTC), WebSockets and random keys. A setting, an extension or a policy of this \
             device keeps one of them from this page, or the browser is too old for it. Allow it and load the page again, \
             or use another browser."
        }
        CloseReason::Version => "It doesn't speak the server's version of the protocol. Load the page again.",
        CloseReason::Denied => {
            "Whoever runs this server lets people in by a token for each room. There is none yet, or it is for another \
             room, or its time is over. Paste one here; this tab keeps it until it is closed."
        }
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_said_as_a_number() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(came(&[]), None);
        assert_eq!(came(&names(&["Ada"])).as_deref(), Some("“Ada” came in."));
        assert_eq!(visited(&names(&["Ada"])).as_deref(), Some("“Ada” came in and left at once."));
        assert_eq!(left(&names(&["Ada"])).as_deref(), Some("“Ada” has left."));
        assert_eq!(left(&names(&["Ada", "Ben"])).as_deref(), Some("“Ada” and “Ben” have left."));
        assert_eq!(came(&names(&["Ada", "Ben", "Cleo"])).as_deref(), Some("3 people came in."));
    }
}
