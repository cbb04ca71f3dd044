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

/// The digits and letters of codes, five bits each: those that are not mistaken for each other when they are read aloud or
/// copied by hand (Crockford's base 32, without `i`, `l`, `o` and `u`).
const SYMBOLS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The symbols of a code stand in groups of this many.
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

/// Makes a room name of random bits that can be read aloud: `amber-otter-k4f9-2qtm-x7d3`. It uses 70 of the bits, ten for
/// the words and sixty for the code: whoever knows the name can come in, so it must not be found by trying.
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

/// The code of a member, forty bits of a hash of its key: people who read theirs to each other know that nobody has taken
/// their place.
pub(crate) fn code_of(peer: PeerId) -> String {
    code_from(Fingerprint::of(peer).code_bits().into(), 8)
}

/// A name that others have too is cut after this many characters, so that its code is in view.
const MARKED_CHARS: usize = 24;

/// A name that others have too, with the member's code.
pub(crate) fn told_apart(name: &str, peer: PeerId) -> String {
    format!("{} ({})", shortened(name, MARKED_CHARS), code_of(peer))
}

/// At most this many characters of a text, and an ellipsis where there were more.
fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// A name or another text from outside within a sentence of the page: in quotation marks, which it can't close.
pub(crate) fn quoted(text: &str) -> String {
    format!("“{}”", text.replace(['“', '”'], "’"))
}

/// A longer text from outside is shown up to this many characters.
const FOREIGN_CHARS: usize = 200;

/// A text that somebody else's program has written, for a place that is marked as such: without hidden characters, and not
/// longer than a sentence.
pub(crate) fn foreign(text: &str) -> String {
    // Cut first: hidden characters may be many.
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
    fn a_marked_name_is_short_enough_for_its_code_to_be_seen() {
        let peer = PeerId::from_bytes([7; 32]);
        let long = told_apart(&"é".repeat(40), peer);
        assert_eq!(long, format!("{}… ({})", "é".repeat(MARKED_CHARS), code_of(peer)));
    }

    #[test]
    fn a_text_from_outside_is_short_clean_and_stays_within_its_marks() {
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
