//! Where a request comes from, and which of these count as one.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// What limits are kept for: one IPv4 address, or one IPv6 /64, which is the least that a single customer gets (RFC
/// 6177) and may use any address of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 64 << 64)),
            v4 => v4,
        })
    }
}

/// For logs: of IPv4 the last byte is left out, of IPv6 all but the /48. Enough to tell networks apart, too little to
/// tell people apart.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                write!(f, "{a}.{b}.{c}.*")
            }
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                write!(f, "{a:x}:{b:x}:{c:x}:*")
            }
        }
    }
}

/// The client's address: the connection's own, or, where that is a trusted proxy's, what it says in `X-Forwarded-For`.
///
/// Each proxy appends the address it was reached from, so the right end is the nearest: the first from there that is no
/// trusted proxy's is the client's. What stands left of it, the client may have made up.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
    let mut client = peer;
    let values = headers.get_all("x-forwarded-for").iter().rev();
    for hop in values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.rsplit(',')) {
        if !is_trusted(&client) {
            break;
        }
        // Some proxies add a port, and brackets around IPv6.
        let hop = hop.trim();
        let parsed = hop.parse().or_else(|_| hop.parse().map(|address: std::net::SocketAddr| address.ip()));
        let Ok(parsed) = parsed else { break };
        client = parsed;
    }
    client.to_canonical()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_proxy_is_believed_only_if_it_is_trusted() {
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("fd00::1", &["[2001:db8::7]:1234"]), "2001:db8::7");
    }

    #[test]
    fn what_the_client_made_up_is_not_believed() {
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.9.9.9"]), "198.51.100.1", "two proxies");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "198.51.100.1, 10.9.9.9"]), "198.51.100.1", "two headers");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, rubbish"]), "10.0.0.1");
    }

    #[test]
    fn an_ipv6_network_is_one_source_and_logs_name_nobody() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_eq!(source("192.0.2.1").to_string(), "192.0.2.*");
        assert_eq!(source("2001:db8:1:2::1").to_string(), "2001:db8:1:*");
    }
}
