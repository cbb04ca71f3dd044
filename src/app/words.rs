//! Names and sentences that more than one place needs.

use converge_p2p::PeerId;

/// What a search engine shows.
pub(crate) const DESCRIPTION: &str =
    "Rooms where browsers talk directly: presence, messages and more over WebRTC, as reactive signals in Rust.";

/// The document's title around a page's own.
pub(crate) fn title(page: String) -> String {
    if page.is_empty() { "converge".to_owned() } else { format!("{page} · converge") }
}

const ADJECTIVES: [&str; 32] = [
    "amber", "bold", "brisk", "calm", "clear", "coral", "crisp", "dawn", "deep", "eager", "early", "fern", "gentle",
    "golden", "happy", "hazel", "ivory", "jade", "keen", "light", "lucky", "mellow", "misty", "noble", "olive",
    "quick", "quiet", "silver", "sunny", "swift", "warm", "wild",
];

const ANIMALS: [&str; 32] = [
    "badger", "bear", "beaver", "bison", "crane", "deer", "dove", "eagle", "falcon", "ferret", "finch", "fox", "gecko",
    "hare", "hawk", "heron", "ibex", "jay", "koala", "lark", "lynx", "marten", "mole", "newt", "orca", "otter", "owl",
    "panda", "raven", "robin", "seal", "wren",
];

/// A room's name that can be read aloud, from 64 random bits: `amber-otter-417`.
pub(crate) fn topic_from(random: u64) -> String {
    let (adjective, animal) = pair(random);
    format!("{adjective}-{animal}-{}", 100 + (random >> 32) % 900)
}

/// What somebody is called who has not said their name. The same on every screen, for it comes from the key.
pub(crate) fn name_of(peer: PeerId) -> String {
    let bytes = peer.as_bytes();
    let (adjective, animal) = pair(u64::from(bytes[0]) | u64::from(bytes[1]) << 16);
    let mut name = format!("{adjective} {animal}");
    name[..1].make_ascii_uppercase();
    name
}

fn pair(bits: u64) -> (&'static str, &'static str) {
    (ADJECTIVES[bits as usize % ADJECTIVES.len()], ANIMALS[(bits >> 16) as usize % ANIMALS.len()])
}

/// A size as people say it: `512 bytes`, `52.4 MB`. In whole numbers, for code that formats fractions is large.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    match bytes {
        1 => return "1 byte".to_owned(),
        0..1000 => return format!("{bytes} bytes"),
        _ => {}
    }
    // Tenths, rounded; where that makes a thousand, it is one of the next unit.
    let mut unit = 0;
    let mut divisor = 100;
    while (bytes / divisor).saturating_add(u64::from(bytes % divisor >= divisor / 2)) >= 10_000 && unit < 5 {
        unit += 1;
        divisor *= 1000;
    }
    let tenths = bytes / divisor + u64::from(bytes % divisor >= divisor / 2);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// How long ago something was, as people say it: `just now`, `12 s ago`, `3 min ago`, `2 h ago`.
pub(crate) fn ago(millis: u64) -> String {
    match millis / 1000 {
        0..2 => "just now".to_owned(),
        seconds @ 2..120 => format!("{seconds} s ago"),
        seconds @ 120..7200 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3600),
    }
}

/// The path of a topic's room.
pub fn room_path(topic: &str) -> String {
    encoded("/r/", topic)
}

/// Where somebody is led back to whose text names no room.
pub fn refused_path(text: &str) -> String {
    encoded("/?topic=", text)
}

fn encoded(before: &str, topic: &str) -> String {
    let mut path = before.to_owned();
    for &byte in topic.as_bytes() {
        // What RFC 3986 calls unreserved stands for itself.
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(byte.into());
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_s_path_holds_it_whole() {
        assert_eq!(room_path("lobby-1"), "/r/lobby-1");
        assert_eq!(room_path("a/b?c#d e"), "/r/a%2Fb%3Fc%23d%20e");
        assert_eq!(room_path("ü"), "/r/%C3%BC");
    }

    #[test]
    fn suggestions_differ_and_can_be_read_aloud() {
        assert_eq!(topic_from(0), "amber-badger-100");
        assert_ne!(topic_from(1 << 32), topic_from(0));
        for bits in [u64::MAX, 0x1234_5678_9abc_def0] {
            let topic = topic_from(bits);
            assert_eq!(room_path(&topic), format!("/r/{topic}"));
        }
    }

    #[test]
    fn sizes_have_one_decimal_and_fewer_than_a_thousand_of_a_unit() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (1049, "1.0 kB"),
            (1050, "1.1 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (5_000_000, "5.0 MB"),
            (50 << 20, "52.4 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn times_are_told_roughly() {
        for (millis, text) in [(0, "just now"), (2000, "2 s ago"), (180_500, "3 min ago"), (7_200_000, "2 h ago")] {
            assert_eq!(ago(millis), text);
        }
    }

    #[test]
    fn a_name_comes_from_the_key_alone() {
        let peer = PeerId::from_bytes([7; 32]);
        assert_eq!(name_of(peer), name_of(peer));
        assert!(name_of(peer).starts_with(|first: char| first.is_ascii_uppercase()));
    }
}
