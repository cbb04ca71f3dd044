//! What to join, and how.

use std::fmt;

use converge_signal::protocol::PATH;

use crate::error::JoinError;
use crate::identity::Identity;
use crate::lane::Delivery;
use crate::timer::Timings;

/// What to join, and how.
///
/// ```
/// use converge_p2p::Options;
///
/// let here = Options::new("lobby");
/// let elsewhere = Options::new("lobby").server("wss://meet.example/signal");
/// assert_ne!(here, elsewhere);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub(crate) topic: String,
    pub(crate) server: Option<String>,
    pub(crate) identity: Option<Identity>,
    pub(crate) timings: Timings,
    pub(crate) lanes: Vec<Delivery>,
    pub(crate) token: Option<Token>,
}

/// What lets a peer into a room, where the server asks for it. Whoever has it may come in, so it is kept out of logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Token {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Options {
    /// Joins the topic of this name, at the server that the page came from.
    ///
    /// The name is checked when joining: 1 to 128 bytes of UTF-8.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            server: None,
            identity: None,
            timings: Timings::default(),
            lanes: Vec::new(),
            token: None,
        }
    }

    /// Uses another server: a `ws`, `wss`, `http` or `https` address. Without a path, `/signal` is meant.
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.server = Some(url.into());
        self
    }

    /// Joins as this peer instead of as the tab's own, which is kept in `sessionStorage`. For several peers in one
    /// page, or where the application keeps the key. Give each join a higher incarnation than the one before.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Shows this token to be let in, where the server asks for one. It goes with the first message on the socket, never
    /// into an address. If the server doesn't accept it, the room is closed with
    /// [`CloseReason::Denied`](crate::CloseReason::Denied); join again with another.
    pub fn token(mut self, token: impl Into<Token>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Waits longer or shorter than by default.
    pub fn timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// Adds a lane of the application's own: the first is [`Lane::app(0)`](crate::Lane::app), the next `Lane::app(1)`.
    /// Every page of the room must add the same ones in the same order, else their links end
    /// ([`DisconnectReason::Lanes`](crate::DisconnectReason::Lanes)). There are at most
    /// [`MAX_APP_LANES`](crate::MAX_APP_LANES); those beyond are no lanes, as
    /// [`SendError::NoLane`](crate::SendError::NoLane) says of them.
    ///
    /// ```
    /// use converge_p2p::{Delivery, Lane, Options};
    ///
    /// const STROKES: Lane = Lane::app(0);
    /// let options = Options::new("lobby").lane(Delivery::Lifetime { ordered: true, millis: 150 });
    /// # let _ = (STROKES, options);
    /// ```
    pub fn lane(mut self, delivery: Delivery) -> Self {
        self.lanes.push(delivery);
        self
    }

    /// The address of the signalling socket, for a page from `origin` (`https://host:port`).
    #[cfg_attr(not(any(test, target_family = "wasm")), expect(dead_code, reason = "only a browser has an origin"))]
    pub(crate) fn socket_url(&self, origin: &str) -> Result<String, JoinError> {
        let url = self.server.as_deref().unwrap_or(origin).trim();
        let bad = || JoinError::Server { url: url.to_owned() };
        let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => "ws",
            "wss" | "https" => "wss",
            _ => return Err(bad()),
        };
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        if host.is_empty() || rest.contains(['#', ' ', '\\']) {
            return Err(bad());
        }
        Ok(match rest[host.len()..].trim_start_matches('/') {
            "" => format!("{scheme}://{host}{PATH}"),
            _ => format!("{scheme}://{rest}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_at_the_page_s_own_server_unless_told_otherwise() {
        let url = |server: Option<&str>| {
            let options = Options { server: server.map(str::to_owned), ..Options::new("x") };
            options.socket_url("http://localhost:3000").ok()
        };
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(url(None), is("ws://localhost:3000/signal"));
        assert_eq!(url(Some("https://meet.example")), is("wss://meet.example/signal"));
        assert_eq!(url(Some("https://meet.example/")), is("wss://meet.example/signal"));
        assert_eq!(url(Some("wss://meet.example/a/b?c=d")), is("wss://meet.example/a/b?c=d"));
        for bad in ["", "meet.example", "ftp://meet.example", "ws://", "ws:///signal", "ws://a b", "ws://a/#b"] {
            assert_eq!(url(Some(bad)), None, "{bad}");
        }
    }
}
