//! What every page has, and those that stand in for one.

/// The language of all these texts, as BCP 47 has it.
pub(crate) const LANGUAGE: &str = "en";

/// What a search engine shows.
pub(crate) const DESCRIPTION: &str =
    "Rooms where browsers talk directly: presence, messages and more over WebRTC, as reactive signals in Rust.";

/// The document's title around a page's own.
pub(crate) fn title(page: String) -> String {
    if page.is_empty() { "converge".to_owned() } else { format!("{page} · converge") }
}

/// The name beside the mark.
pub(crate) const BRAND: &str = "converge";
pub(crate) const TO_START: &str = "converge, to the start";

/// Why the page's program doesn't run, by the class that shows it, and what to do.
pub(crate) const BROKEN: [(&str, &str); 3] = [
    (
        "not-loaded",
        "This page's program could not be loaded, so buttons do nothing. Load the page again; if that doesn't help, the \
         browser may be too old for it.",
    ),
    (
        "changed",
        "Something has changed this page before it came to life, so buttons do nothing: an extension or a translator of \
         the browser. Load the page again without it.",
    ),
    (
        "crashed",
        "This page's program has stopped, so buttons do nothing, and the others can't reach you. Load the page again.",
    ),
];

pub(crate) const NOT_FOUND: &str = "Not found";
pub(crate) const NOTHING_HERE: &str = "There is nothing here";
/// Before and after the beginning of a room's path.
pub(crate) const MISTYPED: [&str; 2] = ["The address may be mistyped. Rooms are at ", " and their name."];
pub(crate) const OPEN_ROOM: &str = "Open a room";

/// What is said when a request has brought down what was to answer it. Made of nothing that could fail again.
pub const ERROR_PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=width=device-width>\
    <meta name=color-scheme content='light dark'><title>Something went wrong · converge</title><main>\
    <h1>Something went wrong</h1><p>The server could not make this page. Rooms that are open go on. Load the page \
    again; if that doesn't help, tell whoever runs this server: its log says more.</p>\
    <p><a href=/>To the start</a></p></main></html>";

/// The response to an address that is longer than any valid one.
pub const LONG_ADDRESS_PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=width=device-width>\
    <meta name=color-scheme content='light dark'><title>Address too long · converge</title><main>\
    <h1>This address is too long</h1><p>It leads to no room: names have at most 128 letters.</p>\
    <p><a href=/>To the start</a></p></main></html>";

/// The response to a client address that exceeds its budget of requests.
pub const TOO_MANY_PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=width=device-width>\
    <meta name=color-scheme content='light dark'><title>Too many requests · converge</title><main>\
    <h1>Too many requests</h1><p>Your network asks for pages faster than this server gives them to one network. Wait a few \
    seconds, then load the page again.</p></main></html>";

/// The response to a request for a host that `--host` does not name.
pub const UNKNOWN_HOST_PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=width=device-width>\
    <meta name=color-scheme content='light dark'><title>Unknown name · converge</title><main>\
    <h1>This server does not know this name</h1><p>It answers by its IP address, as localhost, and by the names it was \
    started with. If you run it, start it with the option --host and the name in this page's address.</p></main></html>";

/// Of a dialog.
pub(crate) const CLOSE: &str = "Close";

pub(crate) const THEME: &str = "Theme";
pub(crate) const THEME_DEVICE: &str = "Theme: as the device has it";
pub(crate) const THEME_LIGHT: &str = "Theme: light";
pub(crate) const THEME_DARK: &str = "Theme: dark";
