//! Text from outside: names, topics and file names without characters that nobody sees.

/// Whether a character shows nothing, or changes the direction of the text around it: control characters, the code
/// points with the property `Default_Ignorable_Code_Point` (Unicode, `DerivedCoreProperties.txt`), bidirectional
/// controls (UAX #9), line separators, and the two visible-by-name blanks U+2800 and U+3164.
///
/// ```
/// use converge_p2p::is_hidden;
///
/// assert!(is_hidden('\u{200b}') && is_hidden('\u{202e}') && is_hidden('\n'));
/// assert!(!is_hidden('a') && !is_hidden(' ') && !is_hidden('é'));
/// ```
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

const ZWNJ: char = '\u{200c}';
const ZWJ: char = '\u{200d}';

/// Removes hidden characters ([`is_hidden`]) from a text. Joiners and emoji variation selectors stay where the script
/// or the emoji around them needs them.
///
/// ```
/// use converge_p2p::without_hidden;
///
/// assert_eq!(without_hidden("A\u{202e}da\u{200b}\n"), "Ada");
/// assert_eq!(without_hidden("👩\u{200d}🚀 ❤\u{fe0f}"), "👩\u{200d}🚀 ❤\u{fe0f}");
/// ```
pub fn without_hidden(text: &str) -> String {
    let is_joining = |c: char| matches!(c, ZWNJ | ZWJ | '\u{fe0e}' | '\u{fe0f}');
    let rest: Vec<char> = text.chars().filter(|c| is_joining(*c) || !is_hidden(*c)).collect();
    // The next character of each that is seen by itself, from the end.
    let mut next = vec![None; rest.len()];
    for at in (1..rest.len()).rev() {
        next[at - 1] = if is_joining(rest[at]) { next[at] } else { Some(rest[at]) };
    }
    let mut clean = String::with_capacity(text.len());
    for (c, next) in rest.into_iter().zip(next) {
        let before = clean.chars().next_back();
        let stays = match c {
            ZWNJ | ZWJ => before.is_some_and(joins) && next.is_some_and(joins),
            '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(|before| is_emoji(before) || "#*0123456789".contains(before)),
            _ => true,
        };
        if stays {
            clean.push(c);
        }
    }
    clean
}

/// Reduces a text to its look: two texts of one look can't be distinguished at a glance. It has neither hidden characters
/// nor blanks, is in lower case, and in Unicode normalization form KC, in which wide and styled letters are plain ones.
/// Letters of other scripts that look alike stay different.
///
/// ```
/// use converge_p2p::look_of;
///
/// assert_eq!(look_of("Ａda \u{200b}L."), look_of("ada l."));
/// ```
pub fn look_of(text: &str) -> String {
    let seen = |c: &char| !is_hidden(*c) && !c.is_whitespace();
    normalized(text, Form::Kc).chars().filter(seen).flat_map(char::to_lowercase).collect()
}

/// A Unicode normalization form (UAX #15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    C,
    Kc,
}

// The browser has the Unicode tables; on the host a crate brings them.
#[cfg(target_family = "wasm")]
pub(crate) fn normalized(text: &str, form: Form) -> String {
    crate::browser::normalized(text, if form == Form::C { "NFC" } else { "NFKC" })
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn normalized(text: &str, form: Form) -> String {
    use unicode_normalization::UnicodeNormalization;
    if form == Form::C { text.nfc().collect() } else { text.nfkc().collect() }
}

/// Whether a joiner beside this character can be seen: in scripts that join letters (Arabic to Tibetan), and in emoji.
fn joins(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{fff}' | '\u{fe0f}') || is_emoji(c)
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{27bf}'
        | '\u{2900}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_removed_and_others_stay() {
        for (text, clean) in [
            ("Ada", "Ada"),
            ("\u{200b}", ""),
            ("\u{202e}Evil\u{202c}", "Evil"),
            ("\u{2066}a\u{2069}\u{feff}b\u{ad}c", "abc"),
            ("a\u{0}\u{7}\u{85}\nb", "ab"),
            ("\u{e0041}\u{3164}\u{2800}\u{115f}x", "x"),
            ("a\u{200d}b\u{200c}c", "abc"),
            ("é\u{200d}é", "éé"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("1\u{fe0f}\u{20e3} a\u{fe0f}", "1\u{fe0f}\u{20e3} a"),
            ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧"),
            ("👨\u{200d}", "👨"),
            ("👨\u{200d}\u{fe0f}x", "👨\u{fe0f}x"),
            ("م\u{200c}\u{61c}x", "مx"),
            ("👩\u{fe0f}\u{200d}\u{200d}\u{fe0f}🚀", "👩\u{fe0f}\u{200d}🚀"),
            ("\u{200d}👨", "👨"),
            ("שלום 你好 Ω", "שלום 你好 Ω"),
        ] {
            assert_eq!(without_hidden(text), clean, "{text:?}");
            assert_eq!(without_hidden(clean), clean, "twice: {text:?}");
        }
    }
}
