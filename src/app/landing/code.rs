//! A room's name, from what somebody typed or pasted.

use crate::words::landing::{LONG_NAME, NO_NAME, NO_ROOM};

/// The longest topic, in bytes.
const MAX_TOPIC_BYTES: usize = 128;

/// A topic as it is used: from a name, or from a link to a room, of this site or another.
///
/// # Errors
/// What is wrong with it, in words.
pub fn checked(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let topic = match link_path(text) {
        Some(path) => from_path(path).ok_or(NO_ROOM)?,
        None => text.to_owned(),
    };
    match topic.trim() {
        "" => Err(NO_NAME),
        topic if topic.len() > MAX_TOPIC_BYTES => Err(LONG_NAME),
        topic => Ok(topic.to_owned()),
    }
}

/// The path of a link, without what follows it.
fn link_path(text: &str) -> Option<&str> {
    let rest = ["https://", "http://"].into_iter().find_map(|scheme| {
        let start = text.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
    })?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    Some(rest.find('/').map_or("", |slash| &rest[slash..]))
}

/// The topic that a room's path names (RFC 3986, section 2.1).
fn from_path(path: &str) -> Option<String> {
    let name = path.strip_prefix("/r/")?;
    let name = name.strip_suffix('/').unwrap_or(name);
    if name.contains('/') {
        return None;
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_needs_a_name_that_fits() {
        assert_eq!(checked("  lobby "), Ok("lobby".to_owned()));
        assert!(checked("   ").is_err());
        assert!(checked(&"x".repeat(129)).is_err());
    }

    #[test]
    fn a_link_to_a_room_is_the_room_s_name() {
        for (link, topic) in [
            ("https://meet.example/r/lobby", "lobby"),
            ("HTTP://127.0.0.1:3000/r/a%20room?x=1#y", "a room"),
            (" https://meet.example/r/Caf%C3%A9%20%2F%2050%25/ ", "Café / 50%"),
            (&format!("https://meet.example{}", crate::room_path("50% #1? 🦊")), "50% #1? 🦊"),
            ("httpster", "httpster"),
            ("a://b/r/c", "a://b/r/c"),
        ] {
            assert_eq!(checked(link).as_deref(), Ok(topic), "{link}");
        }
    }

    #[test]
    fn a_link_to_something_else_is_refused() {
        for link in [
            "https://meet.example",
            "https://meet.example/",
            "https://meet.example/r/",
            "https://meet.example/x/lobby",
            "https://meet.example/r/a/b",
            "https://meet.example/r/%",
            "https://meet.example/r/%zz",
            "https://meet.example/r/%ff",
        ] {
            assert!(checked(link).is_err(), "{link}");
        }
    }
}
