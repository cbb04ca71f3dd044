//! Names for those who have none: of rooms, and of people.

use converge_p2p::{PeerId, without_hidden};

use crate::fingerprint::Fingerprint;

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

/// What such a name looks like.
pub(crate) const EXAMPLE: &str = "amber-otter-k4f9-2qtm-x7d3";

/// The symbols of codes, five bits each: Crockford's base 32, which leaves out `i`, `l`, `o` and `u`, so that codes can
/// be read aloud and copied by hand.
const SYMBOLS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The number of symbols in a group of a code.
const GROUP: usize = 4;

/// Writes the lowest `5 * symbols` bits as a code, the lowest first: `k4f9-2qtm`.
fn code_from(bits: u128, symbols: usize) -> String {
    let mut code = String::with_capacity(symbols + symbols / GROUP);
    for number in 0..symbols {
        if number > 0 && number % GROUP == 0 {
            code.push('-');
        }
        code.push(SYMBOLS[(bits >> (5 * number)) as usize % SYMBOLS.len()].into());
    }
    code
}

/// Makes a room name that can be read aloud from random bits: `amber-otter-k4f9-2qtm-x7d3`. It uses 70 bits, ten for
/// the words and sixty for the code: the name admits to the room, so guessing must not find it.
pub(crate) fn topic_from(random: u128) -> String {
    let (adjective, animal) = pair(random as u64);
    format!("{adjective}-{animal}-{}", code_from(random >> 32, 12))
}

/// What somebody is called who has not said their name. The same on every screen, for it comes from the key.
pub(crate) fn name_of(peer: PeerId) -> String {
    let [one, two] = Fingerprint::of(peer).name_bits();
    let (adjective, animal) = pair(u64::from(one) | u64::from(two) << 16);
    let mut name = format!("{adjective} {animal}");
    name[..1].make_ascii_uppercase();
    name
}

/// A member's code, forty bits of a hash of its key. People compare their codes aloud to detect an impostor.
pub(crate) fn code_of(peer: PeerId) -> String {
    code_from(Fingerprint::of(peer).code_bits().into(), 8)
}

/// A name shown with its code is cut after this many characters, so that the code stays visible.
const MARKED_CHARS: usize = 24;

/// Returns a name that other members have too, with the member's code.
pub(crate) fn told_apart(name: &str, peer: PeerId) -> String {
    format!("{} ({})", shortened(name, MARKED_CHARS), code_of(peer))
}

/// Cuts a text after `max` characters and appends an ellipsis if it was longer.
fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// Quotes a name or another foreign text within a sentence of the page; the text can't close the quotation marks.
pub(crate) fn quoted(text: &str) -> String {
    format!("“{}”", text.replace(['“', '”'], "’"))
}

/// A foreign text is cut after this many characters.
const FOREIGN_CHARS: usize = 200;

/// Quotes a text from another member's page or the server, without hidden characters and cut to a sentence's length.
pub(crate) fn foreign(text: &str) -> String {
    // Cut first: the text may hold any number of hidden characters.
    let beginning: String = text.chars().take(4 * FOREIGN_CHARS).collect();
    quoted(&isolated(shortened(without_hidden(&beginning).trim(), FOREIGN_CHARS)))
}

/// A name within a sentence: one that is written from right to left is kept from turning around what follows it (UAX #9,
/// first strong isolate).
pub(crate) fn isolated(name: String) -> String {
    if name.chars().any(is_rtl) { format!("\u{2068}{name}\u{2069}") } else { name }
}

/// Whether a letter is of a script that is written from right to left.
fn is_rtl(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}')
}

fn pair(bits: u64) -> (&'static str, &'static str) {
    (ADJECTIVES[bits as usize % ADJECTIVES.len()], ANIMALS[(bits >> 16) as usize % ANIMALS.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::room_path;

    #[test]
    fn suggestions_differ_and_can_be_read_aloud() {
        assert_eq!(topic_from(0), "amber-badger-0000-0000-0000");
        for bits in [u128::MAX, 0x1234_5678_9abc_def0_0fed_cba9_8765_4321] {
            let topic = topic_from(bits);
            assert_eq!(room_path(&topic), format!("/r/{topic}"));
            assert_eq!(crate::landing::checked(&topic).as_deref(), Ok(&*topic));
        }
    }

    #[test]
    fn at_least_64_bits_of_a_suggestion_are_random() {
        let changes = (0..u128::BITS).filter(|bit| topic_from(1 << bit) != topic_from(0)).count();
        assert!(changes >= 64, "{changes}");
        let words = ADJECTIVES.iter().chain(&ANIMALS).collect::<std::collections::HashSet<_>>();
        assert_eq!(words.len(), ADJECTIVES.len() + ANIMALS.len());
    }

    #[test]
    fn a_name_from_right_to_left_is_isolated() {
        assert_eq!(isolated("Ada".to_owned()), "Ada");
        assert_eq!(isolated("דנה".to_owned()), "\u{2068}דנה\u{2069}");
    }

    #[test]
    fn a_code_differs_by_each_of_40_bits() {
        let codes = [1, 2, 3].map(|byte| code_of(PeerId::from_bytes([byte; 32])));
        assert!(codes.iter().all(|code| code.len() == 9) && codes[0] != codes[1] && codes[1] != codes[2]);
        let changes = (0..40).filter(|bit| code_from(1 << bit, 8) != code_from(0, 8)).count();
        assert_eq!(changes, 40);
    }

    #[test]
    fn a_long_name_is_cut_so_that_its_code_is_visible() {
        let peer = PeerId::from_bytes([7; 32]);
        let long = told_apart(&"é".repeat(40), peer);
        assert_eq!(long, format!("{}… ({})", "é".repeat(MARKED_CHARS), code_of(peer)));
    }

    #[test]
    fn a_foreign_text_is_cut_cleaned_and_can_not_close_its_quotes() {
        assert_eq!(foreign("a\u{202e}b\n”. Pay here: “c"), "“ab’. Pay here: ’c”");
        assert_eq!(foreign(&"é".repeat(1_000_000)), format!("“{}…”", "é".repeat(FOREIGN_CHARS)));
        assert_eq!(foreign("דנה"), "“\u{2068}דנה\u{2069}”");
    }

    #[test]
    fn a_name_comes_from_the_key_alone() {
        let peer = PeerId::from_bytes([7; 32]);
        assert_eq!(name_of(peer), name_of(peer));
        assert!(name_of(peer).starts_with(|first: char| first.is_ascii_uppercase()));
    }
}
