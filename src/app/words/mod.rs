//! Every text that the pages show or say, and the numbers and names in them, by where they appear. To translate the pages,
//! translate the files of this folder; components name what they show (`words::chat::SEND`), so the compiler tells what is
//! missing, and a page carries no texts that it doesn't show.
//!
//! Texts with something in them are functions: what is counted or named is theirs to place and to inflect. Beside these
//! there are the web manifest (`public/manifest.webmanifest`) and what errors of the p2p crate say of themselves.

mod amounts;
pub(crate) mod call;
pub(crate) mod chat;
pub(crate) mod connection;
pub(crate) mod landing;
mod names;
pub(crate) mod page;
pub(crate) mod room;

pub(crate) use amounts::{ago, millis, percent, size, when};
pub(crate) use names::{EXAMPLE, code_of, foreign, isolated, name_of, quoted, told_apart, topic_from};

/// A sentence that ends with an error's own words, and with one full stop.
pub(crate) fn sentence(said: &str, error: &impl ToString) -> String {
    format!("{said}: {}.", error.to_string().trim_end_matches(['.', ' ']))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    /// Keys of the keyboard, and the type of what is dragged.
    const NO_TEXTS: [&str; 3] = ["Enter", "Escape", "Files"];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                sources(&path, found)?;
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
        Ok(())
    }

    /// What stands between quotes in the part of a source that is no test.
    fn literals(source: &str) -> Vec<String> {
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let lines = lines.replace(r"\\", "").replace(r#"\""#, "").replace("'\"'", "");
        lines.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// Begins like a word that begins a sentence or a label, or has several words of letters alone.
    fn is_text(literal: &str) -> bool {
        let word = |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let mut letters = literal.chars();
        let begins = letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase);
        begins || literal.ends_with(['.', '…', '?']) && literal.split(' ').filter(|each| word(each)).count() > 1
    }

    #[test]
    fn a_sentence_has_one_full_stop() {
        for error in ["Permission denied", "Permission denied.", "Permission denied. "] {
            assert_eq!(super::sentence("No", &error), "No: Permission denied.");
        }
    }

    #[test]
    fn components_have_no_texts_of_their_own() -> std::io::Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        sources(root, &mut files)?;
        assert!(files.len() > 40, "only {} sources in {}", files.len(), root.display());
        for file in files.iter().filter(|file| !file.starts_with(root.join("words"))) {
            let source = std::fs::read_to_string(file)?;
            for literal in literals(&source) {
                assert!(!is_text(&literal) || NO_TEXTS.contains(&&*literal), "{}: “{literal}”", file.display());
            }
        }
        Ok(())
    }
}
