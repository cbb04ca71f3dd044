//! Addresses in what people write.

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    /// An address that begins with `http://` or `https://`: no other may become a link, for some run as programs.
    Link(&'a str),
}

/// Takes a text apart; put together again the pieces are the text.
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
        if start > said {
            pieces.push(Piece::Text(&text[said..start]));
        }
        pieces.push(Piece::Link(&text[start..end]));
        (said, from) = (end, end);
    }
    if said < text.len() {
        pieces.push(Piece::Text(&text[said..]));
    }
    pieces
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

/// How much of a text belongs to the address, after its `://`. What ends a sentence or closes a bracket that was opened
/// before the address does not.
fn length(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || c.is_control() || "<>\"`{}|\\^".contains(c);
    let mut address = &text[..text.find(ends).unwrap_or(text.len())];
    if !address.starts_with(|first: char| first.is_alphanumeric() || first == '[') {
        return 0;
    }
    while let Some(last) = address.chars().next_back() {
        let is_extra = match last {
            ')' => address.matches(')').count() > address.matches('(').count(),
            ']' => address.matches(']').count() > address.matches('[').count(),
            _ => ".,;:!?'’“”…*_".contains(last),
        };
        if !is_extra {
            break;
        }
        address = &address[..address.len() - last.len_utf8()];
    }
    address.len()
}

#[cfg(test)]
mod tests {
    use super::Piece::{Link, Text};
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
        ];
        for (text, expected) in cases {
            assert_eq!(pieces(text), *expected, "{text}");
        }
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
