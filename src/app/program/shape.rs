//! The shape of an island: a number for the nodes that the server put into it, by which a page notices that something
//! else has changed them.

/// FNV-1a, 32 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): short in JavaScript too.
const OFFSET: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;

const BEGIN: &str = "<leptos-island";
const END: &str = "</leptos-island>";

/// Writes the shape of each island into its tag, as `data-shape`, and the names of all into that of the document, as
/// `data-islands`.
pub fn with_shapes(page: &str) -> String {
    let mut names = Vec::new();
    let mut shaped = String::with_capacity(page.len() + 256);
    let mut rest = page;
    while let Some(at) = rest.find(BEGIN) {
        let tag = at + tag_length(&rest[at..]) - 1;
        let name = rest[at..tag].split_once("data-component=\"").and_then(|(_, rest)| rest.split('"').next());
        let Some(length) = rest[tag..].find(END) else { break };
        let shape = shape(&rest[tag + 1..tag + length]);
        names.push(name.unwrap_or_default());
        shaped.push_str(&rest[..tag]);
        shaped.push_str(&format!(" data-shape=\"{shape:x}\""));
        shaped.push_str(&rest[tag..tag + length + END.len()]);
        rest = &rest[tag + length + END.len()..];
    }
    shaped.push_str(rest);
    shaped.replacen("<html", &format!("<html data-islands=\"{}\"", names.join(",")), 1)
}

/// The length of the tag that a text begins with, its attributes' quoted values included.
fn tag_length(text: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'>' if !quoted => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Hashes the kinds of nodes in markup that Leptos has rendered: each element by name, each text and each comment. A
/// browser makes a text of what is in `noscript`, and a parser without scripts elements: it is left out.
fn shape(markup: &str) -> u32 {
    let mut hash = OFFSET;
    let mut take = |name: &str| {
        for byte in name.bytes() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(PRIME);
        }
    };
    let mut rest = markup;
    while !rest.is_empty() {
        let length = match rest.as_bytes() {
            [b'<', b'!', ..] => {
                take("c");
                let comment = rest.strip_prefix("<!--").and_then(|text| text.find("-->")).map(|end| end + 7);
                comment.unwrap_or_else(|| tag_length(rest))
            }
            [b'<', b'/', ..] => tag_length(rest),
            [b'<', ..] => {
                let end = rest[1..].find([' ', '>', '/', '\n']).map_or(rest.len(), |end| end + 1);
                take(&rest[..end].to_ascii_lowercase());
                let tag = tag_length(rest);
                if &rest[..end] == "<noscript" { rest.find("</noscript").unwrap_or(rest.len()) } else { tag }
            }
            _ => {
                take("t");
                rest.find('<').unwrap_or(rest.len())
            }
        };
        rest = &rest[length.min(rest.len())..];
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_more_or_less_is_another_shape_and_other_words_are_not() {
        let same = shape("<p class=\"a > b\">one</p><!><svg viewBox=\"0 0\"><path d=\"M0\"/></svg>");
        assert_eq!(same, shape("<p>two three</p><!--x--><svg><path/></svg>"));
        for other in [
            "<p>one</p><svg><path/></svg>",
            "<p></p><!><svg><path/></svg>",
            "<p>one</p><!><div></div><svg><path/></svg>",
            "<p><font>one</font></p><!><svg><path/></svg>",
            "<b>one</b><!><svg><path/></svg>",
        ] {
            assert_ne!(same, shape(other), "{other}");
        }
        assert_eq!(shape("<noscript><p>x</p></noscript>"), shape("<noscript></noscript>"));
        assert_eq!(shape("<input value=\"a\"><br>"), shape("<input><br/>"));
    }

    #[test]
    fn each_island_gets_its_own_shape_and_the_rest_stays() {
        let page = "<html lang=\"en\"><main><leptos-island data-component=\"A\" data-props=\"{&quot;a&quot;:1}\"><p>x</p></leptos-island>-\
                    <leptos-island data-component=\"A>B\"><b></b></leptos-island></main>";
        let shaped = with_shapes(page);
        assert_eq!(shaped.matches("data-shape").count(), 2);
        assert!(shaped.starts_with("<html data-islands=\"A,A>B\" lang="), "{shaped}");
        let at = |n: usize| shaped.split("data-shape=\"").nth(n).and_then(|rest| rest.split('"').next());
        assert_eq!(at(1), Some(format!("{:x}", shape("<p>x</p>")).as_str()));
        assert_eq!(at(2), Some(format!("{:x}", shape("<b></b>")).as_str()));
        assert_eq!(
            shaped.replace(&format!(" data-shape=\"{}\"", at(1).unwrap_or_default()), "").matches("data-shape").count(),
            1
        );
        assert_eq!(with_shapes("<p>nothing</p><leptos-island>"), "<p>nothing</p><leptos-island>");
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(shape(""), 0x811c_9dc5);
        assert_eq!(shape("x"), 0xf10c_3da3, "of the letter t, for a text");
    }
}
