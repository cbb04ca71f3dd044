//! The settings as they are given, each of which may be left out.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use converge_signal::protocol::{IceServer, Limits};
use converge_signal::server::Settings as Server;
use converge_signal::server::listen::Listen;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Who may join: everybody, or who has a token for the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Auth {
    Open,
    Token,
}

/// How the log is written: for people, or one JSON object a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// A time as people write it: `10s`, `1m 30s`, `250ms`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

impl FromStr for Time {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text).map(Self)
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format!("{text:?} is no time like 10s: {error}")))
    }
}

/// An ICE server as it is written: `stun:HOST:PORT`, or `turn:HOST:PORT,USER,PASSWORD`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Ice(pub(crate) IceServer);

// Passwords must reach neither a log nor what `check` prints.
impl fmt::Display for Ice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0.urls.first().map_or("", String::as_str);
        match &self.0.username {
            None => f.write_str(url),
            Some(username) => write!(f, "{url},{username},<hidden>"),
        }
    }
}

impl fmt::Debug for Ice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Ice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ice_server(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

pub(super) fn ice_server(text: &str) -> Result<Ice, String> {
    let parts: Vec<&str> = text.split(',').collect();
    let server = match parts.as_slice() {
        [url] => IceServer { urls: vec![(*url).to_owned()], ..IceServer::default() },
        [url, username, credential] => IceServer {
            urls: vec![(*url).to_owned()],
            username: Some((*username).to_owned()),
            credential: Some((*credential).to_owned()),
        },
        _ => return Err("expected URL or URL,USER,PASSWORD".to_owned()),
    };
    let mut settings = Server::default();
    settings.hub.ice_servers.push(server.clone());
    settings.validate().map(|()| Ice(server)).map_err(|error| error.to_string())
}

macro_rules! given {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)*) => {
        /// What was given in one place.
        #[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
        pub(crate) struct Given {
            /// A TOML file with settings, named as the flags are
            #[arg(long, env = "CONVERGE_CONFIG", value_name = "FILE", global = true)]
            #[serde(skip)]
            pub(crate) config: Option<PathBuf>,
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub(crate) $name: Option<$kind>,
            )*
        }

        impl Given {
            /// What was given here, else what was given there.
            pub(crate) fn or(self, other: Self) -> Self {
                Self { config: self.config.or(other.config), $($name: self.$name.or(other.$name),)* }
            }
        }
    };
}

// The defaults are written in the descriptions, since a flag that has a default counts as given; a test compares them.
given! {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:3000]
    #[arg(long, env = "CONVERGE_ADDR", value_name = "IP:PORT", global = true)]
    addr: SocketAddr,
    /// Where to serve /metrics (Prometheus), /livez and /readyz, for whoever runs this server [default: nowhere]
    #[arg(long, env = "CONVERGE_METRICS_ADDR", value_name = "IP:PORT", global = true)]
    metrics_addr: SocketAddr,
    /// How the log is written: for people, or as one JSON object a line [default: text]
    #[arg(long, env = "CONVERGE_LOG_FORMAT", value_name = "FORMAT", global = true)]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug or trace, or a filter like converge_signal=debug [default: info]
    #[arg(long, env = "CONVERGE_LOG", value_name = "LEVEL", global = true)]
    log: String,
    /// Speak TLS with the certificates in this file (PEM), which is read again when it changes
    #[arg(long, env = "CONVERGE_TLS_CERT", value_name = "FILE", global = true, help_heading = "TLS and proxies")]
    tls_cert: PathBuf,
    /// The certificate's private key (PEM)
    #[arg(long, env = "CONVERGE_TLS_KEY", value_name = "FILE", global = true, help_heading = "TLS and proxies")]
    tls_key: PathBuf,
    /// A network of proxies that are believed when they name the client in X-Forwarded-For; may be given several times
    #[arg(long, env = "CONVERGE_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ' ', global = true,
          help_heading = "TLS and proxies")]
    trusted_proxy: Vec<IpNet>,

    /// A name that clients reach this server by, like meet.example; * for every name. May be given several times. IP
    /// addresses and localhost are always allowed
    #[arg(long, env = "CONVERGE_HOST", value_name = "NAME", value_delimiter = ' ', global = true,
          help_heading = "Who may come in")]
    host: Vec<String>,
    /// An origin whose pages may use this server, beside its own, like https://app.example; may be given several times
    #[arg(long, env = "CONVERGE_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ' ', global = true,
          help_heading = "Who may come in")]
    allow_origin: Vec<String>,
    /// Who may join a room: everybody, or who has a token for it [default: open]
    #[arg(long, env = "CONVERGE_AUTH", value_name = "HOW", global = true, help_heading = "Who may come in")]
    auth: Auth,
    /// Holds one or two secrets that tokens are signed with, one a line; the first signs, both are accepted. Or set
    /// CONVERGE_TOKEN_SECRET
    #[arg(long, env = "CONVERGE_TOKEN_SECRET_FILE", value_name = "FILE", global = true,
          help_heading = "Who may come in")]
    token_secret_file: PathBuf,
    /// What tokens call this server (their claim `aud`) [default: converge]
    #[arg(long, env = "CONVERGE_AUDIENCE", value_name = "NAME", global = true, help_heading = "Who may come in")]
    audience: String,

    /// A STUN or TURN server that browsers use to find a way to each other: stun:HOST:PORT, or
    /// turn:HOST:PORT,USER,PASSWORD in the variable or the file, since other users can read command lines. May be given
    /// several times. One network needs no server
    #[arg(long, env = "CONVERGE_ICE_SERVER", value_name = "URL", value_delimiter = ' ', value_parser = ice_server,
          hide_env_values = true, global = true, help_heading = "Rooms")]
    ice_server: Vec<Ice>,
    /// The most members of one room [default: 32]
    #[arg(long, env = "CONVERGE_MAX_TOPIC_MEMBERS", value_name = "N", global = true, help_heading = "Rooms")]
    max_topic_members: u32,
    /// How many members of a room each is told of, at most [default: 500]
    #[arg(long, env = "CONVERGE_MAX_SAMPLE", value_name = "N", global = true, help_heading = "Rooms")]
    max_sample: u32,
    /// How long a member may be away before the others are told that it is lost [default: 5s]
    #[arg(long, env = "CONVERGE_GRACE", value_name = "TIME", global = true, help_heading = "Rooms")]
    grace: Time,
    /// How long a newcomer has to introduce itself by its offers, before the others are told of it [default: 500ms]
    #[arg(long, env = "CONVERGE_INTRODUCE", value_name = "TIME", global = true, help_heading = "Rooms")]
    introduce: Time,
    /// Who leaves a room within this time is told of together [default: 50ms]
    #[arg(long, env = "CONVERGE_TICK", value_name = "TIME", global = true, help_heading = "Rooms")]
    tick: Time,

    /// The most sockets in all [default: 10000]
    #[arg(long, env = "CONVERGE_MAX_CONNECTIONS", value_name = "N", global = true, help_heading = "Limits")]
    max_connections: u32,
    /// The most sockets from one address, or from one /64 network of IPv6 [default: 128]
    #[arg(long, env = "CONVERGE_MAX_CONNECTIONS_PER_IP", value_name = "N", global = true, help_heading = "Limits")]
    max_connections_per_ip: u32,
    /// Frames on one socket, in the long run [default: 100]
    #[arg(long, env = "CONVERGE_FRAMES_PER_SECOND", value_name = "N", global = true, help_heading = "Limits")]
    frames_per_second: u32,
    /// Frames on one socket, at once [default: 1000]
    #[arg(long, env = "CONVERGE_FRAME_BURST", value_name = "N", global = true, help_heading = "Limits")]
    frame_burst: u32,
    /// Bytes on one socket, in the long run [default: 131072]
    #[arg(long, env = "CONVERGE_BYTES_PER_SECOND", value_name = "N", global = true, help_heading = "Limits")]
    bytes_per_second: u32,
    /// Bytes on one socket, at once [default: 1048576]
    #[arg(long, env = "CONVERGE_BYTE_BURST", value_name = "N", global = true, help_heading = "Limits")]
    byte_burst: u32,
    /// Pages to one address per second, in the long run; ten times as many files [default: 10]
    #[arg(long, env = "CONVERGE_PAGES_PER_SECOND_PER_IP", value_name = "N", global = true, help_heading = "Limits")]
    pages_per_second_per_ip: u32,
    /// Pages to one address, at once; ten times as many files [default: 100]
    #[arg(long, env = "CONVERGE_PAGE_BURST_PER_IP", value_name = "N", global = true, help_heading = "Limits")]
    page_burst_per_ip: u32,
    /// Joins from one address, in the long run [default: 10]
    #[arg(long, env = "CONVERGE_JOINS_PER_SECOND_PER_IP", value_name = "N", global = true, help_heading = "Limits")]
    joins_per_second_per_ip: u32,
    /// Joins from one address, at once [default: 200]
    #[arg(long, env = "CONVERGE_JOIN_BURST_PER_IP", value_name = "N", global = true, help_heading = "Limits")]
    join_burst_per_ip: u32,
    /// Joins of one room, in the long run [default: 50]
    #[arg(long, env = "CONVERGE_JOINS_PER_SECOND_PER_TOPIC", value_name = "N", global = true, help_heading = "Limits")]
    joins_per_second_per_topic: u32,
    /// Joins of one room, at once [default: 500]
    #[arg(long, env = "CONVERGE_JOIN_BURST_PER_TOPIC", value_name = "N", global = true, help_heading = "Limits")]
    join_burst_per_topic: u32,
    /// Joins of empty rooms from one address, in the long run [default: 6]
    #[arg(long, env = "CONVERGE_EMPTY_JOINS_PER_MINUTE_PER_IP", value_name = "N", global = true,
          help_heading = "Limits")]
    empty_joins_per_minute_per_ip: u32,
    /// Joins of empty rooms from one address, at once; beyond it, the address can join no room [default: 128]
    #[arg(long, env = "CONVERGE_EMPTY_JOIN_BURST_PER_IP", value_name = "N", global = true, help_heading = "Limits")]
    empty_join_burst_per_ip: u32,
    /// The largest frame, in bytes [default: 65536]
    #[arg(long, env = "CONVERGE_MAX_FRAME_BYTES", value_name = "N", global = true, help_heading = "Limits")]
    max_frame_bytes: u32,
    /// What may wait for one socket to read it, in bytes [default: 262144]
    #[arg(long, env = "CONVERGE_MAX_QUEUED_BYTES", value_name = "N", global = true, help_heading = "Limits")]
    max_queued_bytes: u32,

    /// From a connection to its first byte [default: 10s]
    #[arg(long, env = "CONVERGE_FIRST_BYTE_WITHIN", value_name = "TIME", global = true, help_heading = "Times")]
    first_byte_within: Time,
    /// A request's head, and a TLS handshake [default: 10s]
    #[arg(long, env = "CONVERGE_HEADERS_WITHIN", value_name = "TIME", global = true, help_heading = "Times")]
    headers_within: Time,
    /// From a socket's opening to its hello [default: 10s]
    #[arg(long, env = "CONVERGE_HELLO_WITHIN", value_name = "TIME", global = true, help_heading = "Times")]
    hello_within: Time,
    /// A socket that is silent this long is pinged [default: 25s]
    #[arg(long, env = "CONVERGE_PING_EVERY", value_name = "TIME", global = true, help_heading = "Times")]
    ping_every: Time,
    /// How long it has to answer [default: 10s]
    #[arg(long, env = "CONVERGE_PONG_WITHIN", value_name = "TIME", global = true, help_heading = "Times")]
    pong_within: Time,
    /// How long a write of 64 KiB may take [default: 5s]
    #[arg(long, env = "CONVERGE_WRITE_WITHIN", value_name = "TIME", global = true, help_heading = "Times")]
    write_within: Time,
    /// Disconnect a client that reads nothing of a response for this long [default: 10s]
    #[arg(long, env = "CONVERGE_SEND_WITHIN", value_name = "TIME", global = true, help_heading = "Times")]
    send_within: Time,
    /// At the end, how long requests that are being answered and sockets that are being closed may take [default: 5s]
    #[arg(long, env = "CONVERGE_DRAIN_WITHIN", value_name = "TIME", global = true, help_heading = "Times")]
    drain_within: Time,
    /// At the end, within which time clients are told to come back, each at another moment [default: 5s]
    #[arg(long, env = "CONVERGE_RETURN_WITHIN", value_name = "TIME", global = true, help_heading = "Times")]
    return_within: Time,
}

/// cargo-leptos says where it wants the server by this variable.
pub(super) fn default_addr() -> SocketAddr {
    let asked = std::env::var("LEPTOS_SITE_ADDR").ok().and_then(|addr| addr.parse().ok());
    asked.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3000)))
}

impl Given {
    /// What holds where nothing was given.
    pub(super) fn defaults() -> Self {
        let (limits, listen, server) = (Limits::default(), Listen::default(), Server::default());
        let time = |duration| Some(Time(duration));
        Self {
            config: None,
            addr: Some(default_addr()),
            metrics_addr: None,
            log_format: Some(LogFormat::Text),
            // The variable that Rust programs share.
            log: Some(std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned())),
            tls_cert: None,
            tls_key: None,
            trusted_proxy: Some(Vec::new()),
            host: Some(Vec::new()),
            allow_origin: Some(Vec::new()),
            auth: Some(Auth::Open),
            token_secret_file: None,
            audience: Some("converge".to_owned()),
            ice_server: Some(Vec::new()),
            max_topic_members: Some(limits.max_topic_members),
            max_sample: Some(limits.max_sample),
            grace: time(server.hub.grace),
            introduce: time(server.hub.introduce),
            tick: time(server.hub.tick),
            max_connections: Some(limits.max_connections),
            max_connections_per_ip: Some(limits.max_connections_per_ip),
            frames_per_second: Some(limits.frames_per_second),
            frame_burst: Some(limits.frame_burst),
            bytes_per_second: Some(limits.bytes_per_second),
            byte_burst: Some(limits.byte_burst),
            pages_per_second_per_ip: Some(10),
            page_burst_per_ip: Some(100),
            joins_per_second_per_ip: Some(limits.joins_per_second_per_ip),
            join_burst_per_ip: Some(limits.join_burst_per_ip),
            joins_per_second_per_topic: Some(limits.joins_per_second_per_topic),
            join_burst_per_topic: Some(limits.join_burst_per_topic),
            empty_joins_per_minute_per_ip: Some(limits.empty_joins_per_minute_per_ip),
            empty_join_burst_per_ip: Some(limits.empty_join_burst_per_ip),
            max_frame_bytes: Some(limits.max_frame_bytes),
            max_queued_bytes: Some(limits.max_queued_bytes),
            first_byte_within: time(listen.first_byte_within),
            headers_within: time(listen.headers_within),
            hello_within: time(Duration::from_millis(limits.hello_within_ms.into())),
            ping_every: time(server.ping_every),
            pong_within: time(server.pong_within),
            write_within: time(server.write_within),
            send_within: time(listen.send_within),
            drain_within: time(listen.drain_within),
            return_within: time(server.return_within),
        }
    }
}
