//! Messages and files.

use converge_p2p::{Transfer, TransferError, TransferState};

use super::{percent, quoted, size};

pub(crate) const CHAT: &str = "Chat";
pub(crate) const MESSAGES: &str = "Messages";

// The log.
/// Of a message to one person alone.
pub(crate) const DIRECT_TO_YOU: &str = "direct, to you";
/// Before what has come while nobody looked.
pub(crate) const NEW_MESSAGES: &str = "New messages";
pub(crate) const NOBODY: &str = "Nobody to talk to yet";
pub(crate) const SEND_LINK: &str = "Send them this link, or open it in a second tab:";
pub(crate) const NOTHING_SAID: &str = "Nothing has been said yet.";

pub(crate) fn direct_to(name: &str) -> String {
    format!("direct, to {name}")
}

/// How many there are further down.
pub(crate) fn new_messages(count: u32) -> String {
    if count == 1 { "1 new message".to_owned() } else { format!("{count} new messages") }
}

/// The button of a log that is shown in part.
pub(crate) fn show_older(lines: usize) -> String {
    format!("Show all {lines} messages")
}

/// Of a text that is shown in part.
pub(crate) fn show_all(bytes: usize) -> String {
    format!("Show all ({})", size(bytes as u64))
}

/// Joins quoted names.
fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// How far a message to several has come; `lost` are those who left before they had it.
pub(crate) fn delivery(missing: usize, arrived: usize, lost: &[String]) -> String {
    let all = missing + arrived + lost.len();
    match (missing, arrived, lost) {
        _ if all == 0 => "Nobody else was here".to_owned(),
        (0, _, []) if all == 1 => "Delivered".to_owned(),
        (0, _, []) => "Delivered to everyone".to_owned(),
        (0, _, lost) => format!("Not delivered to {}", list(lost)),
        (_, 0, _) => "Sending…".to_owned(),
        (_, arrived, _) => format!("Delivered to {arrived} of {all}"),
    }
}

/// How many of all have been shown a message, as far as their pages say.
pub(crate) fn shown(shown: usize, all: usize) -> String {
    match shown {
        0 => String::new(),
        1 if all == 1 => "Shown".to_owned(),
        shown if shown == all => "Shown to everyone".to_owned(),
        shown => format!("Shown to {shown} of {all}"),
    }
}

// The field.
pub(crate) const MESSAGE: &str = "Message";
pub(crate) const SEND: &str = "Send";
pub(crate) const TO: &str = "To";
pub(crate) const EVERYONE: &str = "Everyone";
pub(crate) const TO_EVERYONE: &str = "Write to everyone";
pub(crate) const FILE: &str = "File";
pub(crate) const ATTACH: &str = "Attach file";

pub(crate) fn to_one(name: &str) -> String {
    format!("Only {} will get this", quoted(name))
}

/// Of somebody in the list of receivers.
pub(crate) fn has_left(name: &str) -> String {
    format!("{name} (left)")
}

// What goes wrong.
pub(crate) const NOT_CONNECTED: &str = "Not connected yet: the message is kept.";
pub(crate) const NOBODY_FOR_FILE: &str = "Not sent: nobody else is here. Attach the file again when somebody is.";

/// Of a message that is nothing this page can show.
pub(crate) fn unreadable(name: &str) -> String {
    let name = quoted(name);
    format!("A message from {name} can't be read: their page writes messages in another way than this one.")
}

/// Of folders among files.
pub(crate) fn folders(names: &[String]) -> String {
    match names {
        [name] => format!("{} is a folder: send its files, or pack it into one first.", quoted(name)),
        names => format!("{} are folders: send their files, or pack them into one first.", list(names)),
    }
}

pub(crate) fn too_large(bytes: usize, limit: usize) -> String {
    let (bytes, limit) = (size(bytes as u64), size(limit as u64));
    format!("Not sent: a message takes up to {limit}, and this one has {bytes}. Attach it as a file instead.")
}

pub(crate) fn not_sent(error: &impl ToString) -> String {
    super::sentence("Not sent", error)
}

pub(crate) fn file_not_sent(name: &str, error: &impl ToString) -> String {
    super::sentence(&format!("{} was not sent", quoted(name)), error)
}

pub(crate) fn undelivered(name: &str, messages: usize) -> String {
    let messages = if messages == 1 { "A message".to_owned() } else { format!("{messages} messages") };
    let name = quoted(name);
    format!("{messages} to {name} may not have arrived: they left, or loaded the page again, first.")
}

pub(crate) fn stalled(name: &str) -> String {
    let name = quoted(name);
    format!(
        "Nothing gets through to {name} at the moment. What you have sent waits, and arrives when the link works again."
    )
}

// Files.
pub(crate) const TRANSFERS: &str = "Transfers";
pub(crate) const ACCEPT: &str = "Accept";

/// For those files that wait for an answer.
pub(crate) fn accept_all(files: usize) -> String {
    format!("Accept all ({files})")
}

/// The button of a long list of files.
pub(crate) fn show_transfers(files: usize) -> String {
    format!("Show all {files} files")
}

/// The number of withdrawn offers and failed files that are no longer listed.
pub(crate) fn folded(offers: usize) -> String {
    match offers {
        0 => String::new(),
        1 => "1 ended offer is no longer listed.".to_owned(),
        offers => format!("{offers} ended offers are no longer listed."),
    }
}

/// In place of a picture that would take too much memory.
pub(crate) const TOO_LARGE_TO_SHOW: &str = "Too large to preview. Save it to look at it.";
/// In place of a file that this browser can't decode as a picture.
pub(crate) const NO_PREVIEW: &str = "This picture can't be previewed.";

pub(crate) const DECLINE: &str = "Decline";
pub(crate) const CANCEL: &str = "Cancel";
pub(crate) const REMOVE: &str = "Remove";

pub(crate) fn save(name: &str) -> String {
    format!("Save {name}")
}

pub(crate) fn offered(name: &str) -> String {
    format!("{} offers you a file.", quoted(name))
}

pub(crate) fn arrived(name: &str) -> String {
    format!("The file from {} has arrived.", quoted(name))
}

/// Whom a file goes to or comes from.
pub(crate) fn with(outgoing: bool, name: &str) -> String {
    if outgoing { format!("to {name}") } else { format!("from {name}") }
}

pub(crate) fn transfer(transfer: &Transfer) -> String {
    match &transfer.state {
        TransferState::Offered => "offered".to_owned(),
        TransferState::Moving if transfer.outgoing => "sending".to_owned(),
        TransferState::Moving => "receiving".to_owned(),
        TransferState::Done => "done".to_owned(),
        TransferState::Declined => "declined".to_owned(),
        TransferState::Cancelled => "cancelled".to_owned(),
        // In the page's own words: the browser's are of no use to anybody here.
        TransferState::Failed(TransferError::Read(_)) => {
            "failed: the file was changed, moved or deleted since it was chosen; choose it again".to_owned()
        }
        TransferState::Failed(TransferError::Write(_)) => {
            "failed: this device can't keep it; make room on its disk, then have it sent again".to_owned()
        }
        TransferState::Failed(error) => format!("failed: {error}"),
        _ => "failed".to_owned(),
    }
}

/// How much of a file has arrived, while it is under way.
pub(crate) fn part(transfer: &Transfer) -> String {
    if transfer.state != TransferState::Moving || transfer.size == 0 {
        return String::new();
    }
    percent(transfer.moved, transfer.size)
}
