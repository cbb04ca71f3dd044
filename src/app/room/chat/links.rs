//! Addresses in what people write.

use converge_p2p::is_hidden;

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    /// An address that begins with `http://` or `https://`: no other may become a link, for some run as programs.
    Link(&'a str),
    /// The rest of such an address, after its user information. `https://bank.example@evil.example` leads to the second: what
    /// stands before the `@` is part of the text, and not of the link.
    Rest {
        /// With the `://`.
        scheme: &'a str,
        /// The host, and what follows it.
        rest: &'a str,
    },
}

/// Takes a text apart; put together again the pieces are the text. Takes time in proportion to the text.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut said, mut from) = (0, 0);
    while let Some(found) = text[from..].find("://") {
        let separator = from + found;
        from = separator + 3;
        let Some(start) = scheme(&text[said..separator]).map(|length| separator - length) else { continue };
        let end = from + length(&text[from..]);
        if end == from {
            continue;
        }
        let host = from + user_length(&text[from..end]);
        if host == end {
            // It leads nowhere, and neither does what stands within it.
            from = end;
            continue;
        }
        if host > from {
            pieces.push(Piece::Text(&text[said..host]));
            pieces.push(Piece::Rest { scheme: &text[start..from], rest: &text[host..end] });
        } else {
            if start > said {
                pieces.push(Piece::Text(&text[said..start]));
            }
            pieces.push(Piece::Link(&text[start..end]));
        }
        (said, from) = (end, end);
    }
    if said < text.len() {
        pieces.push(Piece::Text(&text[said..]));
    }
    pieces
}

/// Keeps the first `links` addresses as links; later ones become text.
pub(super) fn limited(mut pieces: Vec<Piece<'_>>, mut links: usize) -> Vec<Piece<'_>> {
    for piece in &mut pieces {
        let (Piece::Link(text) | Piece::Rest { rest: text, .. }) = *piece else { continue };
        match links.checked_sub(1) {
            Some(left) => links = left,
            None => *piece = Piece::Text(text),
        }
    }
    pieces
}

/// How much of what follows the `://` is user information, with its `@` (RFC 3986, section 3.2.1).
fn user_length(address: &str) -> usize {
    let authority = address.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rfind('@').map_or(0, |at| at + 1)
}

/// How long the scheme at the end of a text is, if it is one of the two and a word of its own.
fn scheme(before: &str) -> Option<usize> {
    let name = ["https", "http"].into_iter().find(|name| {
        let start = before.len().checked_sub(name.len());
        start.and_then(|start| before.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(name))
    })?;
    let rest = &before[..before.len() - name.len()];
    let is_word = rest.chars().next_back().is_none_or(|last| !last.is_alphanumeric());
    is_word.then_some(name.len())
}

/// How much of a text belongs to the address, after its `://`. It ends at characters that nobody sees and at those that turn
/// the direction of text around: what follows could make it look like another. What ends a sentence or closes a bracket that
/// was opened before the address is not part of it.
fn length(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || is_hidden(c) || "<>\"`{}|\\^".contains(c);
    // Before anything is scanned: a text may consist of beginnings.
    if !text.starts_with(|first: char| first.is_alphanumeric() || first == '[') {
        return 0;
    }
    let mut address = &text[..text.find(ends).unwrap_or(text.len())];
    // How many brackets of each kind close more than was opened.
    let surplus = |open, close| address.matches(close).count().saturating_sub(address.matches(open).count());
    let (mut round, mut square) = (surplus('(', ')'), surplus('[', ']'));
    while let Some(last) = address.chars().next_back() {
        let is_extra = match last {
            ')' => take_one(&mut round),
            ']' => take_one(&mut square),
            _ => ".,;:!?'’“”…*_".contains(last),
        };
        if !is_extra {
            break;
        }
        address = &address[..address.len() - last.len_utf8()];
    }
    address.len()
}

/// Whether there was one left to take.
fn take_one(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

#[cfg(test)]
mod tests {
    use super::Piece::{Link, Rest, Text};
    use super::*;

    #[test]
    fn addresses_are_found_and_nothing_else() {
        let cases: &[(&str, &[Piece<'_>])] = &[
            ("", &[]),
            ("hello", &[Text("hello")]),
            ("https://a.example", &[Link("https://a.example")]),
            ("see http://a.example/b?c=d#e.", &[Text("see "), Link("http://a.example/b?c=d#e"), Text(".")]),
            ("(https://a.example/x_(y))", &[Text("("), Link("https://a.example/x_(y)"), Text(")")]),
            ("HTTPS://A.example!", &[Link("HTTPS://A.example"), Text("!")]),
            ("https://a.b https://c.d", &[Link("https://a.b"), Text(" "), Link("https://c.d")]),
            ("é https://é.example/ü ö", &[Text("é "), Link("https://é.example/ü"), Text(" ö")]),
            ("http://[::1]:3000/r/x", &[Link("http://[::1]:3000/r/x")]),
            ("<https://a.b>", &[Text("<"), Link("https://a.b"), Text(">")]),
            ("https://a.b,https", &[Link("https://a.b,https")]),
            ("http://a.b/c)))).", &[Link("http://a.b/c"), Text(")))).")]),
            ("https://a.b/\u{202e}moc.knab", &[Link("https://a.b/"), Text("\u{202e}moc.knab")]),
            ("https://a.b\u{200b}c", &[Link("https://a.b"), Text("\u{200b}c")]),
            (
                "see https://bank.example@evil.example/x.",
                &[Text("see https://bank.example@"), Rest { scheme: "https://", rest: "evil.example/x" }, Text(".")],
            ),
            ("http://a:b@c@d", &[Text("http://a:b@c@"), Rest { scheme: "http://", rest: "d" }]),
            ("https://a.b/@c", &[Link("https://a.b/@c")]),
            ("https://a@", &[Text("https://a@")]),
        ];
        for (text, expected) in cases {
            assert_eq!(pieces(text), *expected, "{text}");
        }
    }

    #[test]
    fn many_brackets_take_no_longer_than_many_letters() {
        let brackets = ")".repeat(1_000_000);
        let text = format!("http://a{brackets}");
        assert_eq!(pieces(&text), [Link("http://a"), Text(&brackets)]);
        for beginning in ["http://-", "http://a@", "http://a", "http://a) "] {
            let many = beginning.repeat(100_000);
            let whole = |piece: &Piece<'_>| match piece {
                Text(text) | Link(text) | Rest { rest: text, .. } => text.len(),
            };
            assert!(pieces(&many).iter().map(whole).sum::<usize>() >= many.len() - "http://".len(), "{beginning}");
        }
    }

    #[test]
    fn a_text_has_a_bounded_number_of_links() {
        let many = limited(pieces("http://a https://b@c http://d"), 2);
        let rest = Rest { scheme: "https://", rest: "c" };
        assert_eq!(many, [Link("http://a"), Text(" https://b@"), rest, Text(" "), Text("http://d")]);
    }

    #[test]
    fn what_could_run_as_a_program_is_text() {
        for text in [
            "javascript://a.example/%0aalert(1)",
            "data:text/html,<script>",
            "xhttps://a.example",
            "https://",
            "https:// a",
            "http://.",
            "://",
            "file:///etc/passwd",
            "httpé://a",
        ] {
            assert_eq!(pieces(text), [Text(text)], "{text}");
        }
    }
}
