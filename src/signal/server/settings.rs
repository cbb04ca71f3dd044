//! What the server allows, and how long it waits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use thiserror::Error;

use super::auth::{Authorizer, Open};
use super::origin::Origins;
use crate::hub;

/// What the server allows, and how long it waits.
#[derive(Clone)]
pub struct Settings {
    /// The hub's own settings, with the limits.
    pub hub: hub::Settings,
    /// Which pages may use this server. Default: its own.
    pub origins: Origins,
    /// Who may join. Default: everybody.
    pub auth: Arc<dyn Authorizer>,
    /// Networks of proxies that are believed when they say, in `X-Forwarded-For`, who the client is. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// A socket silent this long is pinged. Default 25 s: proxies cut connections that are idle for 60 s.
    pub ping_every: Duration,
    /// How long it has to answer. Default 10 s.
    pub pong_within: Duration,
    /// How long a write of 64 KiB may take. Default 5 s: a reader slower than 13 kB/s is dropped.
    pub write_within: Duration,
    /// When the server is about to end, clients come back at different times within this long. Default 5 s.
    pub return_within: Duration,
    /// How much is read from a socket at once, in bytes; every open socket keeps a buffer of this size. Default 1 KiB,
    /// which holds a signal or two.
    pub read_buffer_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hub: hub::Settings::default(),
            origins: Origins::same(),
            auth: Arc::new(Open),
            trusted_proxies: Vec::new(),
            ping_every: Duration::from_secs(25),
            pong_within: Duration::from_secs(10),
            write_within: Duration::from_secs(5),
            return_within: Duration::from_secs(5),
            read_buffer_bytes: 1024,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("hub", &self.hub)
            .field("origins", &self.origins)
            .field("auth", &self.auth.kind())
            .field("trusted_proxies", &self.trusted_proxies)
            .field("ping_every", &self.ping_every)
            .field("pong_within", &self.pong_within)
            .field("write_within", &self.write_within)
            .field("return_within", &self.return_within)
            .field("read_buffer_bytes", &self.read_buffer_bytes)
            .finish()
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
        found: u64,
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
    /// These settings with another [`Authorizer`].
    pub fn authorizer(mut self, auth: impl Authorizer) -> Self {
        self.auth = Arc::new(auth);
        self
    }

    /// Checks that the settings make sense.
    ///
    /// # Errors
    /// If one is out of its range; the text says which and why.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let range = |name, found, allowed, good: bool| {
            if good { Ok(()) } else { Err(SettingsError::Range { name, allowed, found }) }
        };
        let limits = &self.hub.limits;
        // Clients are made for frames of this size, and an offer takes some kilobytes.
        let frame = limits.max_frame_bytes;
        range("max_frame_bytes", frame.into(), "8192 to 65536", (8192..=65536).contains(&frame))?;
        // A welcome must fit into what clients accept; it has some 110 bytes for each member it names.
        let sample = limits.max_sample;
        range("max_sample", sample.into(), "1 to 500", (1..=500).contains(&sample))?;
        let queued = limits.max_queued_bytes;
        range("max_queued_bytes", queued.into(), "at least 131072", queued >= 131_072)?;
        let burst = limits.byte_burst;
        range("byte_burst", burst.into(), "at least max_frame_bytes", burst >= frame)?;
        let buffer = self.read_buffer_bytes;
        range("read_buffer_bytes", buffer as u64, "256 to 1048576", (256..=1_048_576).contains(&buffer))?;
        for (name, number) in [
            ("max_topic_members", limits.max_topic_members),
            ("max_connections", limits.max_connections),
            ("max_connections_per_ip", limits.max_connections_per_ip),
            ("frames_per_second", limits.frames_per_second),
            ("frame_burst", limits.frame_burst),
            ("bytes_per_second", limits.bytes_per_second),
            ("joins_per_second_per_ip", limits.joins_per_second_per_ip),
            ("join_burst_per_ip", limits.join_burst_per_ip),
            ("joins_per_second_per_topic", limits.joins_per_second_per_topic),
            ("join_burst_per_topic", limits.join_burst_per_topic),
            ("empty_joins_per_minute_per_ip", limits.empty_joins_per_minute_per_ip),
            ("empty_join_burst_per_ip", limits.empty_join_burst_per_ip),
            ("hello_within_ms", limits.hello_within_ms),
        ] {
            range(name, number.into(), "at least 1", number > 0)?;
        }
        for (name, time) in
            [("ping_every", self.ping_every), ("pong_within", self.pong_within), ("write_within", self.write_within)]
        {
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
        let members = refused(|s| s.hub.limits.max_topic_members = 0);
        assert_eq!(members.as_deref(), Some("max_topic_members must be at least 1, not 0"));
        assert!(refused(|s| s.hub.limits.max_frame_bytes = 100).is_some());
        assert!(refused(|s| s.hub.limits.max_queued_bytes = 100).is_some());
        assert!(refused(|s| s.hub.limits.max_sample = 501).is_some());
        assert!(refused(|s| s.hub.limits.byte_burst = 1000).is_some());
        assert!(refused(|s| s.hub.limits.frame_burst = 0).is_some());
        assert!(refused(|s| s.read_buffer_bytes = 1).is_some());
        assert!(refused(|s| s.ping_every = Duration::ZERO).is_some());
        assert_eq!(refused(ice("stun:stun.example:3478", None)), None);
        assert_eq!(refused(ice("turn:turn.example", Some("ada"))), None);
        for url in ["stun.example", "http://stun.example", "stun:", "stun://"] {
            assert!(refused(ice(url, None)).is_some_and(|text| text.contains("is no ICE server")), "{url}");
        }
        assert!(refused(ice("turn:turn.example", None)).is_some_and(|text| text.contains("password")));
    }
}
