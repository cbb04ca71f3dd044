//! Where pages are.

use crate::landing::{as_name, decoded};

/// The path of a topic's room.
pub fn room_path(topic: &str) -> String {
    encoded("/r/", topic)
}

/// Returns the path that a request for a room is redirected to: the one address of that room, or the start page, which
/// explains what is wrong with the name. Returns `None` for a canonical path, and for one that is not a room's.
pub fn redirected(path: &str) -> Option<String> {
    let written = path.strip_prefix("/r/")?;
    let name = written.strip_suffix('/').unwrap_or(written);
    if name.contains('/') {
        return None;
    }
    let decoded = decoded(name).unwrap_or_else(|| char::REPLACEMENT_CHARACTER.to_string());
    let to = match as_name(&decoded) {
        Ok(topic) => room_path(&topic),
        Err(_) => refused_path(&decoded),
    };
    (to != path).then_some(to)
}

/// Returns the start page's path for a text that names no room: the page shows the text and what is wrong with it.
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
    fn a_room_has_one_address() {
        for (path, to) in [
            ("/r/lobby", None),
            ("/r/lobby/", Some("/r/lobby")),
            ("/r/lobby%20", Some("/r/lobby")),
            ("/r/%6cobby", Some("/r/lobby")),
            ("/r/caf%c3%a9", Some("/r/caf%C3%A9")),
            ("/r/cafe%CC%81", Some("/r/caf%C3%A9")),
            ("/r/a%00b%0a", Some("/r/ab")),
            ("/r/%E2%80%AEa", Some("/r/a")),
            ("/r/%252e%252e", None),
            ("/r/%2e%2e", Some("/?topic=..")),
            ("/r/%E2%80%8B", Some("/?topic=%E2%80%8B")),
            ("/r/", Some("/?topic=")),
            ("/r/%ff", Some("/?topic=%EF%BF%BD")),
            ("/r/%zz", Some("/?topic=%EF%BF%BD")),
            ("/r/a/b", None),
            ("/x", None),
        ] {
            assert_eq!(redirected(path).as_deref(), to, "{path}");
        }
        // Before a room is rendered for it.
        let long = "x".repeat(129);
        assert_eq!(redirected(&format!("/r/{long}")), Some(format!("/?topic={long}")));
        for odd in ["👨\u{200d}\u{fe0f}x", "م\u{200c}\u{61c}x", "\u{2adc}\u{fe0f}", " e\u{200d}\u{301} "] {
            let to = redirected(&room_path(odd)).unwrap_or_else(|| room_path(odd));
            assert_eq!(redirected(&to), None, "{odd:?}: one redirect is enough");
        }
    }
}
