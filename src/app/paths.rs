//! Where pages are.

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
}
