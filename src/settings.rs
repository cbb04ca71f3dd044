//! What the server is told: by flags, by `CONVERGE_*` variables and by a file, the earlier before the later.

mod given;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use converge_signal::PeerId;
use converge_signal::protocol::Limits;
use converge_signal::server::listen::Listen;
use converge_signal::server::{self, Origins, RoomTokens, SecretError, SettingsError, Tls, TlsError};
use thiserror::Error;

use self::given::Time;
pub(crate) use self::given::{Auth, Given, LogFormat};

/// Holds the token secrets, where there is no file for them: one or two, separated by spaces.
const SECRET_VARIABLE: &str = "CONVERGE_TOKEN_SECRET";

const AFTER_HELP: &str = "\
Every option can also be given by a variable (--max-sample is CONVERGE_MAX_SAMPLE; several values are separated by
spaces) or in a TOML file (max-sample = 16), which --config names. Flags come before variables, variables before the
file. Times are written like 10s, 250ms or 1m 30s.";

/// Serves converge: the page, and the place where its peers meet
#[derive(Debug, Parser)]
#[command(name = "converge", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    given: Given,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Serve; what is done without a command
    Serve,
    /// Check the settings and print those in effect, as a file for --config
    Check,
    /// Print a token for a room, signed with the first token secret
    Token {
        /// The room's name
        #[arg(long)]
        room: String,
        /// How long it can be used to join
        #[arg(long = "valid-for", value_name = "TIME", default_value = "10m")]
        valid_for: Time,
        /// Don't hand out TURN servers with it
        #[arg(long)]
        no_relay: bool,
        /// The only peer id that may use the token; without it, any peer may
        #[arg(long, value_name = "PEER ID")]
        sub: Option<PeerId>,
    },
}

/// Why the settings are none.
#[derive(Debug, Error)]
pub(crate) enum Problem {
    /// clap's own words, or its help.
    #[error("{0}")]
    Arguments(clap::Error),
    #[error("there is no setting {0}: 'converge --help' lists them")]
    Variable(String),
    #[error("can't read {path}: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{path}: {error}")]
    File { path: PathBuf, error: Box<toml::de::Error> },
    #[error("--allow-origin {0:?} is no origin: use https://HOST, https://HOST:PORT, * or null")]
    Origin(String),
    #[error("--host {0:?} is no name like meet.example")]
    Host(String),
    #[error(
        "a password on the command line can be read by everybody on this machine: give --ice-server by \
         CONVERGE_ICE_SERVER or by the file that --config names"
    )]
    IcePassword,
    #[error("--{0} must be at least 1")]
    NoNumber(&'static str),
    #[error("--auth token needs a secret: name a file by --token-secret-file, or set {SECRET_VARIABLE}")]
    NoSecret,
    #[error("the token secret: {0}")]
    Secret(#[from] SecretError),
    #[error("--tls-cert and --tls-key go together")]
    HalfTls,
    #[error("--{0} must be longer than no time")]
    NoTime(&'static str),
    #[error("{0}")]
    Server(#[from] SettingsError),
    #[error("{0}")]
    Tls(#[from] TlsError),
}

/// All that the server needs to know.
pub(crate) struct Settings {
    pub(crate) addr: SocketAddr,
    pub(crate) metrics_addr: Option<SocketAddr>,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) server: server::Settings,
    pub(crate) listen: Listen,
    /// The budget of pages of one address: each second in the long run, and at once.
    pub(crate) pages_per_ip: (u32, u32),
    /// What makes tokens and checks them, if there is a secret.
    pub(crate) tokens: Option<RoomTokens>,
    /// As they are in effect, to be printed.
    effective: Given,
}

/// Reads the settings of this process.
pub(crate) fn read() -> Result<(Command, Settings), Problem> {
    let variables = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    check_variables(variables.filter(|name| name.starts_with("CONVERGE_")))?;
    let secret = env::var(SECRET_VARIABLE).ok();
    read_from(env::args_os(), secret.as_deref())
}

/// The command line, without a line for each variable: their names follow from the flags'.
fn command() -> clap::Command {
    Cli::command().mut_args(|argument| argument.hide_env(true))
}

fn read_from<I, T>(arguments: I, secret: Option<&str>) -> Result<(Command, Settings), Problem>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    let matches = command().try_get_matches_from(arguments).map_err(Problem::Arguments)?;
    let Cli { command, given } = Cli::from_arg_matches(&matches).map_err(Problem::Arguments)?;
    let is_password = |server: &given::Ice| server.0.credential.is_some();
    if matches.value_source("ice_server") == Some(ValueSource::CommandLine)
        && given.ice_server.iter().flatten().any(is_password)
    {
        return Err(Problem::IcePassword);
    }
    let file = given.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
    let settings = Settings::new(given.or(file), secret)?;
    Ok((command.unwrap_or(Command::Serve), settings))
}

/// Refuses variables that would be ignored: most are misspelt.
fn check_variables(names: impl Iterator<Item = String>) -> Result<(), Problem> {
    let command = command();
    let known: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_env).collect();
    for name in names {
        if name != SECRET_VARIABLE && !known.iter().any(|known| *known == name.as_str()) {
            return Err(Problem::Variable(name));
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Given, Problem> {
    let text = fs::read_to_string(path).map_err(|error| Problem::Read { path: path.to_owned(), error })?;
    toml::from_str(&text).map_err(|error| Problem::File { path: path.to_owned(), error: Box::new(error) })
}

impl Settings {
    fn new(given: Given, secret: Option<&str>) -> Result<Self, Problem> {
        let effective = given.or(Given::defaults());
        let given = &effective;
        let secrets = match &given.token_secret_file {
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|error| Problem::Read { path: path.clone(), error })?;
                Some(text)
            }
            None => secret.map(str::to_owned),
        };
        let secrets: Vec<&str> = secrets.as_deref().unwrap_or_default().split_whitespace().collect();
        let audience = given.audience.as_deref().unwrap_or_default();
        let tokens = if secrets.is_empty() { None } else { Some(RoomTokens::new(&secrets, audience)?) };

        let number = |given: Option<u32>| given.unwrap_or_default();
        let time = |given: Option<Time>| given.unwrap_or_default().0;
        let limits = Limits {
            max_frame_bytes: number(given.max_frame_bytes),
            max_topic_members: number(given.max_topic_members),
            max_sample: number(given.max_sample),
            max_connections: number(given.max_connections),
            max_connections_per_ip: number(given.max_connections_per_ip),
            frames_per_second: number(given.frames_per_second),
            frame_burst: number(given.frame_burst),
            bytes_per_second: number(given.bytes_per_second),
            byte_burst: number(given.byte_burst),
            joins_per_second_per_ip: number(given.joins_per_second_per_ip),
            join_burst_per_ip: number(given.join_burst_per_ip),
            joins_per_second_per_topic: number(given.joins_per_second_per_topic),
            join_burst_per_topic: number(given.join_burst_per_topic),
            empty_joins_per_minute_per_ip: number(given.empty_joins_per_minute_per_ip),
            empty_join_burst_per_ip: number(given.empty_join_burst_per_ip),
            hello_within_ms: u32::try_from(time(given.hello_within).as_millis()).unwrap_or(u32::MAX),
            max_queued_bytes: number(given.max_queued_bytes),
        };
        let trusted_proxies = given.trusted_proxy.clone().unwrap_or_default();
        let mut server = server::Settings {
            origins: Origins::and(given.allow_origin.iter().flatten().cloned())
                .map_err(Problem::Origin)?
                .hosts(given.host.iter().flatten().cloned())
                .map_err(Problem::Host)?,
            trusted_proxies: trusted_proxies.clone(),
            ping_every: time(given.ping_every),
            pong_within: time(given.pong_within),
            write_within: time(given.write_within),
            return_within: time(given.return_within),
            ..server::Settings::default()
        };
        server.hub.limits = limits;
        server.hub.ice_servers = given.ice_server.iter().flatten().map(|server| server.0.clone()).collect();
        (server.hub.tick, server.hub.grace) = (time(given.tick), time(given.grace));
        server.hub.introduce = time(given.introduce);
        if given.auth == Some(Auth::Token) {
            server = server.authorizer(tokens.clone().ok_or(Problem::NoSecret)?);
        }
        server.validate()?;
        for (name, within) in [
            ("first-byte-within", given.first_byte_within),
            ("headers-within", given.headers_within),
            ("send-within", given.send_within),
            ("drain-within", given.drain_within),
        ] {
            if time(within).is_zero() {
                return Err(Problem::NoTime(name));
            }
        }
        let pages_per_ip = (number(given.pages_per_second_per_ip), number(given.page_burst_per_ip));
        for (name, pages) in [("pages-per-second-per-ip", pages_per_ip.0), ("page-burst-per-ip", pages_per_ip.1)] {
            if pages == 0 {
                return Err(Problem::NoNumber(name));
            }
        }
        let tls = match (&given.tls_cert, &given.tls_key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(Arc::new(Tls::load(cert, key)?)),
            _ => return Err(Problem::HalfTls),
        };
        let listen = Listen {
            first_byte_within: time(given.first_byte_within),
            headers_within: time(given.headers_within),
            handshake_within: time(given.headers_within),
            send_within: time(given.send_within),
            // Beside its socket, a browser has up to six connections for files.
            max_connections: limits.max_connections.saturating_mul(2),
            max_connections_per_ip: limits.max_connections_per_ip.saturating_add(128),
            trusted_proxies,
            drain_within: time(given.drain_within),
            tls,
        };
        Ok(Self {
            addr: given.addr.unwrap_or_else(given::default_addr),
            metrics_addr: given.metrics_addr,
            log: given.log.clone().unwrap_or_default(),
            log_format: given.log_format.unwrap_or_default(),
            server,
            listen,
            pages_per_ip,
            tokens,
            effective,
        })
    }

    /// The settings in effect, as a file that gives the same. Secrets are left out.
    pub(crate) fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&self.effective)
    }

    /// Returns warnings about settings that are valid but seldom intended. `affordable` is the number of connections
    /// that the file descriptors allow, if known.
    pub(crate) fn warnings(&self, affordable: Option<u32>) -> Vec<String> {
        let mut warnings = Vec::new();
        let sockets = self.server.hub.limits.max_connections;
        if let Some(affordable) = affordable.filter(|affordable| *affordable < sockets) {
            warnings.push(format!(
                "there are file descriptors for {affordable} connections, fewer than --max-connections {sockets}: raise the \
                 limit (ulimit -Hn, or LimitNOFILE of systemd)"
            ));
        }
        if !self.addr.ip().is_loopback() && self.server.origins.is_without_hosts() {
            warnings.push(
                "without --host this server is reached by IP address and localhost only: name what people call it by"
                    .to_owned(),
            );
        }
        if !self.addr.ip().is_loopback() && self.metrics_addr.is_some_and(|addr| !addr.ip().is_loopback()) {
            warnings.push("--metrics-addr can be reached by everybody who can reach this machine".to_owned());
        }
        if self.metrics_addr == Some(self.addr) {
            warnings.push("--metrics-addr and --addr are the same".to_owned());
        }
        if self.server.origins.named().iter().any(|origin| origin == "*") {
            warnings.push("with --allow-origin '*' every page on the web may use this server".to_owned());
        }
        let limits = self.server.hub.limits;
        if limits.max_topic_members > limits.max_sample.saturating_add(1) {
            warnings.push(format!(
                "rooms of more than {} are told of some members only, and today's pages don't reach the others",
                limits.max_sample + 1
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests;
