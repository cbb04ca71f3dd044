//! What the server allows, and how long it waits.

use std::time::Duration;

use thiserror::Error;

use crate::hub;

/// What the server allows, and how long it waits.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The hub's own settings.
    pub hub: hub::Settings,
    /// What may wait for one connection to read it, in bytes; more, and it is dropped. Default 256 KiB.
    pub max_outbox_bytes: usize,
    /// From the upgrade to `hello`. Default 10 s.
    pub hello_within: Duration,
    /// A socket silent this long is pinged. Default 25 s: proxies cut connections that are idle for 60 s.
    pub ping_every: Duration,
    /// How long it has to answer. Default 10 s.
    pub pong_within: Duration,
    /// How long one write may take. Default 5 s.
    pub write_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hub: hub::Settings::default(),
            max_outbox_bytes: 256 * 1024,
            hello_within: Duration::from_secs(10),
            ping_every: Duration::from_secs(25),
            pong_within: Duration::from_secs(10),
            write_within: Duration::from_secs(5),
        }
    }
}

/// Why settings make no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A number is out of its range.
    #[error("{name} must be {allowed}, not {found}")]
    Range {
        /// Which setting.
        name: &'static str,
        /// What it may be.
        allowed: &'static str,
        /// What it is.
        found: usize,
    },
    /// A time is zero.
    #[error("{name} must be longer than no time")]
    NoTime {
        /// Which setting.
        name: &'static str,
    },
    /// An ICE server's address is none.
    #[error("`{url}` is no ICE server: use stun:HOST, turn:HOST or turns:HOST, with an optional :PORT")]
    IceUrl {
        /// The address as given.
        url: String,
    },
    /// A TURN server without credentials: browsers refuse to use it, and make no connection at all.
    #[error("`{url}` needs a user name and a password: browsers refuse TURN servers without them")]
    IceCredentials {
        /// The address.
        url: String,
    },
}

impl Settings {
    /// Checks that the settings make sense.
    ///
    /// # Errors
    /// If one is out of its range; the text says which and why.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let range = |name, found, allowed, good: bool| {
            if good { Ok(()) } else { Err(SettingsError::Range { name, allowed, found }) }
        };
        let members = self.hub.max_topic_members as usize;
        range("max_topic_members", members, "1 to 500", (1..=500).contains(&members))?;
        let frame = self.hub.max_frame_bytes;
        // A welcome to a full topic must fit into what clients accept, and an offer takes some kilobytes.
        range("max_frame_bytes", frame, "8192 to 65536", (8192..=65536).contains(&frame))?;
        let outbox = self.max_outbox_bytes;
        range("max_outbox_bytes", outbox, "at least 131072", outbox >= 131_072)?;
        for (name, time) in [
            ("hello_within", self.hello_within),
            ("ping_every", self.ping_every),
            ("pong_within", self.pong_within),
            ("write_within", self.write_within),
        ] {
            if time.is_zero() {
                return Err(SettingsError::NoTime { name });
            }
        }
        for server in &self.hub.ice_servers {
            for url in &server.urls {
                let Some((scheme, host)) = url.split_once(':') else {
                    return Err(SettingsError::IceUrl { url: url.clone() });
                };
                if !matches!(scheme, "stun" | "stuns" | "turn" | "turns") || host.trim_matches('/').is_empty() {
                    return Err(SettingsError::IceUrl { url: url.clone() });
                }
                if scheme.starts_with("turn") && (server.username.is_none() || server.credential.is_none()) {
                    return Err(SettingsError::IceCredentials { url: url.clone() });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::IceServer;

    fn refused(change: impl FnOnce(&mut Settings)) -> Option<String> {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.validate().err().map(|error| error.to_string())
    }

    fn ice(url: &str, username: Option<&str>) -> impl FnOnce(&mut Settings) {
        let server = IceServer {
            urls: vec![url.to_owned()],
            username: username.map(str::to_owned),
            credential: username.map(str::to_owned),
        };
        move |settings| settings.hub.ice_servers.push(server)
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_reason() {
        assert_eq!(refused(|_| ()), None);
        assert_eq!(
            refused(|s| s.hub.max_topic_members = 0).as_deref(),
            Some("max_topic_members must be 1 to 500, not 0")
        );
        assert!(refused(|s| s.hub.max_frame_bytes = 100).is_some());
        assert!(refused(|s| s.max_outbox_bytes = 100).is_some());
        assert!(refused(|s| s.ping_every = Duration::ZERO).is_some());
        assert_eq!(refused(ice("stun:stun.example:3478", None)), None);
        assert_eq!(refused(ice("turn:turn.example", Some("ada"))), None);
        for url in ["stun.example", "http://stun.example", "stun:", "stun://"] {
            assert!(refused(ice(url, None)).is_some_and(|text| text.contains("is no ICE server")), "{url}");
        }
        assert!(refused(ice("turn:turn.example", None)).is_some_and(|text| text.contains("password")));
    }
}
