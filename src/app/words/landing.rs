//! The landing page.

pub(crate) const PARTS: &str = "Page";
pub(crate) const HOW: &str = "How it works";
pub(crate) const FOR_DEVELOPERS: &str = "For developers";

pub(crate) const HEADLINE: &str = "Rooms where browsers talk directly.";
pub(crate) const LEAD: &str = "Open a room, send its link to someone, and the two browsers connect to each other: messages, \
                               files, cameras and screens, with no server in between.";

pub(crate) const STEPS: [&str; 3] = [
    "Each tab makes a key; its public half is the tab's id, so nobody can take it.",
    "Tabs that name the same topic meet at the server and pass each other an offer.",
    "From then on they talk directly, and the server is needed only for newcomers.",
];

pub(crate) const LICENCE: &str = "converge is free software: MIT or Apache-2.0, as you like.";

/// How many are here.
pub(crate) fn here(people: u32, rooms: u32) -> String {
    let people = match people {
        0 => return "Nobody is here yet: be the first.".to_owned(),
        1 => "1 person is".to_owned(),
        people => format!("{people} people are"),
    };
    let rooms = if rooms == 1 { "1 room".to_owned() } else { format!("{rooms} rooms") };
    format!("{people} here now, in {rooms}.")
}

// The forms.
pub(crate) const ROOM: &str = "Room";
pub(crate) const OPEN: &str = "Open room";
pub(crate) const WHO_CAN_COME: &str = "Anyone who knows the name can come in.";
pub(crate) const HAVE_LINK: &str = "Have a link or a code?";
pub(crate) const JOIN: &str = "Join";
pub(crate) const NO_NAME: &str = "Give the room a name.";
pub(crate) const LONG_NAME: &str = "This name is too long: use at most 128 letters.";
pub(crate) const NO_PATH: &str = "This can't name a room: browsers take it for a folder. Add a letter.";
pub(crate) const NO_TEXT: &str = "This address holds no name that can be read. Type the name of the room.";
pub(crate) const NO_ROOM: &str = "This link leads to no room: those that do have /r/ and a name in them.";

// The demonstration.
pub(crate) const DEMO: &str = "Demonstration";
pub(crate) const DEMO_START: &str = "See two browsers meet";
pub(crate) const DEMO_STOP: &str = "Stop";
/// The name of each of the two, and what it is about to say.
pub(crate) const DEMO_SIDES: [(&str, &str); 2] = [("Ada", "Hello Ben"), ("Ben", "Hello Ada")];
pub(crate) const DEMO_SEND: &str = "Send";
pub(crate) const NO_KEYS: &str = "This browser can't make keys, so nobody can meet here.";
pub(crate) const INVITATION_ONLY: &str = "This server lets people in by invitation only.";
pub(crate) const NOBODY_LET_IN: &str = "The server lets nobody in at the moment.";
pub(crate) const OFFLINE: &str = "This device has no network.";
pub(crate) const SERVER_AWAY: &str = "The server can't be reached; trying again…";
pub(crate) const LOOKING: &str = "Looking for the other…";

pub(crate) fn message_from(name: &str) -> String {
    format!("Message from {name}")
}

pub(crate) fn found(name: &str) -> String {
    format!("Found {name}; connecting…")
}

/// What the picture shows, for those who don't see it.
pub(crate) const PICTURE: &str = "Two browsers, introduced by a server, connected directly";

// What was measured.
pub(crate) const FIGURES: &str = "Figures";
/// A figure, what it is of, and what that means. They are those of the README.
pub(crate) const MEASURED: [(&str, &str, &str); 3] = [
    (
        "1.1 ×",
        "Direct",
        "A link carries files as fast as plain JavaScript on a raw data channel does, and keeps what it has accepted when a \
         connection is lost. Nothing of it passes through the server.",
    ),
    (
        "2 s",
        "Lasting",
        "That is how long 10,000 people take to be back after the server was killed. Those who had met went on talking \
         meanwhile, and a reload is the same person.",
    ),
    (
        "4.9 kB",
        "Small",
        "That much memory the server needs for each person in a room: it introduces people, and that is all. One binary \
         serves the page, the meeting place and nothing else.",
    ),
];
/// After the command that measures them.
pub(crate) const MEASURE_AGAIN: &str =
    " measures these again, and many more; the README's section “Figures” says on what and how.";

// The hooks in a few lines.
pub(crate) const API: &str = "A room in your own page";
pub(crate) const API_HOOKS: &str = "The hooks need a topic and nothing else. Whoever names the same one is in the list; what \
                                    they show and say arrives as signals.";
/// Before and after the protocol's file.
pub(crate) const API_MORE: [&str; 2] = [
    "The README has the plain client too, every setting of the server, and the page as a template; the protocol is in ",
    ", the rest in the crates' documentation.",
];
pub(crate) const EXAMPLE: &str = "Example";
pub(crate) const COPY_CODE: &str = "Copy code";
pub(crate) const COPIED: &str = "Copied";
pub(crate) const CANNOT_COPY: &str = "This browser doesn't let the page copy: select it by hand.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        assert_eq!(here(0, 0), "Nobody is here yet: be the first.");
        assert_eq!(here(1, 1), "1 person is here now, in 1 room.");
        assert_eq!(here(7, 2), "7 people are here now, in 2 rooms.");
    }
}
