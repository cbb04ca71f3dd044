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
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let before = clean.chars().next_back();
        let stays = match c {
            ZWNJ | ZWJ => before.is_some_and(joins) && rest.peek().is_some_and(|next| joins(*next)),
            '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(|before| is_emoji(before) || "#*0123456789".contains(before)),
            _ => !is_hidden(c),
        };
        if stays {
            clean.push(c);
        }
    }
    clean
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
            ("\u{200d}👨", "👨"),
            ("שלום 你好 Ω", "שלום 你好 Ω"),
        ] {
            assert_eq!(without_hidden(text), clean, "{text:?}");
            assert_eq!(without_hidden(clean), clean, "twice: {text:?}");
        }
    }
}
