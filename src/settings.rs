//! What the server is told on its command line and by its environment.

use std::net::SocketAddr;

use clap::Parser;
use converge_signal::protocol::IceServer;

/// Serves converge: the page, and the place where its peers meet.
#[derive(Debug, Clone, Parser)]
#[command(name = "converge", version)]
pub(crate) struct Settings {
    /// Where to listen. Port 0 takes a free one.
    #[arg(long, env = "CONVERGE_ADDR", value_name = "IP:PORT", default_value_t = default_addr())]
    pub(crate) addr: SocketAddr,

    /// A STUN or TURN server that browsers use to find a way to each other: `stun:HOST:PORT`, or
    /// `turn:HOST:PORT,USER,PASSWORD`. May be given several times; in the environment, separated by spaces. None is
    /// needed on one machine or one network.
    #[arg(long = "ice-server", env = "CONVERGE_ICE_SERVERS", value_name = "URL", value_delimiter = ' ',
          value_parser = ice_server, hide_env_values = true)]
    pub(crate) ice_servers: Vec<IceServer>,

    /// The most members of one room.
    #[arg(long, env = "CONVERGE_MAX_TOPIC_MEMBERS", value_name = "N", default_value_t = 32)]
    pub(crate) max_topic_members: u32,
}

impl Settings {
    /// What signalling is to hold its clients to.
    pub(crate) fn signalling(&self) -> converge_signal::server::Settings {
        let mut settings = converge_signal::server::Settings::default();
        settings.hub.max_topic_members = self.max_topic_members;
        settings.hub.ice_servers.clone_from(&self.ice_servers);
        settings
    }
}

/// cargo-leptos says where it wants the server by this variable.
fn default_addr() -> SocketAddr {
    let asked = std::env::var("LEPTOS_SITE_ADDR").ok().and_then(|addr| addr.parse().ok());
    asked.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3000)))
}

fn ice_server(text: &str) -> Result<IceServer, String> {
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
    let mut settings = converge_signal::server::Settings::default();
    settings.hub.ice_servers.push(server.clone());
    settings.validate().map(|()| server).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Settings, String> {
        Settings::try_parse_from(["converge"].iter().chain(args)).map_err(|error| error.to_string())
    }

    #[test]
    fn ice_servers_come_with_and_without_credentials() {
        let parsed = parse(&["--ice-server", "stun:a.example", "--ice-server", "turn:b.example:3478,ada,secret"]);
        let servers = parsed.map(|settings| settings.signalling().hub.ice_servers);
        let Ok([stun, turn]) = servers.as_deref() else { panic!("two servers, not {servers:?}") };
        assert_eq!((stun.urls[0].as_str(), &stun.username), ("stun:a.example", &None));
        assert_eq!(turn.credential.as_deref(), Some("secret"));
    }

    #[test]
    fn bad_values_are_refused_with_the_reason() {
        for (args, reason) in [
            (["--ice-server", "a.example"], "is no ICE server"),
            (["--ice-server", "turn:a.example"], "user name and a password"),
            (["--addr", "here"], "invalid socket address"),
            (["--max-topic-members", "many"], "invalid digit"),
        ] {
            let text = parse(&args).err().unwrap_or_default();
            assert!(text.contains(reason), "{args:?}: {text}");
        }
    }
}
