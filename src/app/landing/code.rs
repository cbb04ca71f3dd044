//! A room's name, from what somebody typed or pasted, or from a path.

use converge_p2p::{Topic, TopicError};

use crate::words::landing::{LONG_NAME, NO_NAME, NO_PATH, NO_ROOM, NO_TEXT};

/// A topic as it is used: from a name, or from a link to a room, of this site or another. It has no hidden characters, no
/// blanks around it, and one spelling (Unicode normal form C), so that one name has one address.
///
/// # Errors
/// In words, what is wrong with it.
pub fn checked(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let Some(path) = link_path(text) else { return as_name(text) };
    let name = path.strip_prefix("/r/").map(|name| name.strip_suffix('/').unwrap_or(name)).ok_or(NO_ROOM)?;
    if name.contains('/') {
        return Err(NO_ROOM);
    }
    match decoded(name) {
        Some(name) if !name.is_empty() => as_name(&name),
        _ => Err(NO_ROOM),
    }
}

/// The topic of this name.
///
/// # Errors
/// In words, what is wrong with it.
pub fn as_name(name: &str) -> Result<String, &'static str> {
    // A character that stands for bytes that were none is nobody's name.
    if name.contains(char::REPLACEMENT_CHARACTER) {
        return Err(NO_TEXT);
    }
    let topic = Topic::cleaned(name).map_err(|error| match error {
        TopicError::Empty => NO_NAME,
        _ => LONG_NAME,
    })?;
    match topic.as_str() {
        // Browsers take these for directories, however they are written, and leave them out of a path.
        "." | ".." => Err(NO_PATH),
        name => Ok(name.to_owned()),
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

/// A part of an address, decoded once (RFC 3986, section 2.1); `None` if it stands for no text.
pub fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
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
        assert_eq!(checked("   "), Err(NO_NAME));
        assert_eq!(checked("\u{200b}\u{202e}"), Err(NO_NAME));
        assert_eq!(checked(&"x".repeat(129)), Err(LONG_NAME));
    }

    #[test]
    fn one_name_has_one_spelling() {
        assert_eq!(checked("cafe\u{301}"), checked("caf\u{e9}"));
        assert_eq!(checked("lob\u{200b}by\u{202e}"), Ok("lobby".to_owned()));
        assert_eq!(checked("lobby\u{0}\n"), Ok("lobby".to_owned()));
        assert_eq!(checked("%2e%2e"), Ok("%2e%2e".to_owned()), "a name that looks encoded is that name");
    }

    #[test]
    fn names_that_no_path_can_have_are_refused() {
        for name in [".", "..", " .. ", ".\u{200b}.", "https://meet.example/r/%2e%2e"] {
            assert_eq!(checked(name), Err(NO_PATH), "{name:?}");
        }
        assert!(checked("...").is_ok() && checked(".a").is_ok() && checked("../a").is_ok());
        assert_eq!(checked("\u{fffd}"), Err(NO_TEXT));
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
            assert_eq!(checked(link), Err(NO_ROOM), "{link}");
        }
    }
}
