//! Which pages may use this server from a browser (RFC 6455 section 10.2). A program that is no browser can claim any
//! origin, so this protects people from pages, not the server from programs.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, Uri, header};

/// The origins whose pages may use this server, and the hosts that it answers as.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins {
    named: Vec<String>,
    hosts: Vec<String>,
}

impl Origins {
    /// Allows only pages of this server itself, the default. Their origin has the host and port of the request. The
    /// host is an IP address or `localhost`, or named by [`Origins::hosts`].
    pub fn same() -> Self {
        Self::default()
    }

    /// These too, as browsers write them: `https://page.example`, with a port where it isn't the scheme's own. `*`
    /// stands for every origin but `null`, which sandboxed frames and files have; that must be named.
    ///
    /// # Errors
    /// With the first that is none.
    pub fn and<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Result<Self, String> {
        let check = |origin: S| {
            let origin: String = origin.into();
            let plain = split(&origin).is_some_and(|(scheme, host, port)| {
                matches!(scheme, "http" | "https")
                    && !host.is_empty()
                    && port.is_none_or(|port| port.parse::<u16>().is_ok())
            });
            if plain || origin == "*" || origin == "null" { Ok(origin.to_ascii_lowercase()) } else { Err(origin) }
        };
        let named = origins.into_iter().map(check).collect::<Result<_, _>>()?;
        Ok(Self { named, hosts: Vec::new() })
    }

    /// Adds names that this server is reached by, like `meet.example`, at any port. `*` stands for every name.
    ///
    /// Any site's page can have its own name resolve to this server's address (DNS rebinding). Origin and host then
    /// agree, and only the name reveals the other site. An IP address can't be rebound.
    ///
    /// # Errors
    /// Returns the first invalid name.
    pub fn hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Result<Self, String> {
        for host in hosts {
            let host: String = host.into();
            let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
            if !(plain && !host.is_empty() && host.len() <= 253 || host == "*") {
                return Err(host);
            }
            self.hosts.push(host.to_ascii_lowercase());
        }
        Ok(self)
    }

    /// Those named beside the server's own.
    pub fn named(&self) -> &[String] {
        &self.named
    }

    /// Returns whether the server answers as this host, which may have a port: an IP address, `localhost`, or a named
    /// host.
    pub fn is_own_host(&self, host: &str) -> bool {
        let (host, _) = split_port(host);
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        v6.is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok())
            || host.parse::<Ipv4Addr>().is_ok()
            || host == "localhost"
            || host.ends_with(".localhost")
            || self.hosts.iter().any(|name| *name == host || name == "*")
    }

    /// Returns whether the server has no host names beside IP addresses and `localhost`.
    pub fn is_without_hosts(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Whether a request may be answered. One without an origin is not from a page.
    pub(super) fn allow(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        let (Ok(origin), None) = (origin.to_str(), origins.next()) else { return false };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
        let named = |name: &String| name.eq_ignore_ascii_case(origin) || (name == "*" && origin != "null");
        host.is_some_and(|host| is_same(origin, host) && self.is_own_host(host)) || self.named.iter().any(named)
    }
}

/// Scheme, host and port of an origin that has nothing more.
fn split(origin: &str) -> Option<(&str, &str, Option<&str>)> {
    let (scheme, authority) = origin.split_once("://")?;
    if authority.contains(['/', '?', '#', '@', ' ', '*', ',']) {
        return None;
    }
    let (host, port) = split_port(authority);
    Some((scheme, host, port))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // The colons inside an IPv6 address's brackets are its own.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Whether a page of this origin was served by this host. The scheme is not looked at: a server behind a proxy that
/// speaks TLS doesn't know its own.
fn is_same(origin: &str, host: &str) -> bool {
    let Some((scheme, origin_host, origin_port)) = split(origin) else { return false };
    let default = match scheme {
        "http" => "80",
        "https" => "443",
        _ => return false,
    };
    let (host, port) = split_port(host);
    origin_host.eq_ignore_ascii_case(host) && origin_port.unwrap_or(default) == port.unwrap_or(default)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn allowed(named: &[&str], origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let origins = Origins::and(named.iter().copied()).unwrap().hosts(["Meet.example"]).unwrap();
        origins.allow(&headers, &Uri::default())
    }

    #[test]
    fn rebound_names_are_not_the_server_s_own() {
        for (host, expected) in [
            ("evil.example", false),
            ("evil.example:3000", false),
            ("192.168.1.5.evil.example", false),
            ("localhost.evil.example", false),
            ("evil-localhost", false),
            ("[evil.example]", false),
            ("0x7f000001", false),
            ("meet.example", true),
            ("meet.example.:3000", true),
            ("localhost:3000", true),
            ("a.localhost", true),
            ("192.168.1.5:3000", true),
            ("[fe80::1]:3000", true),
        ] {
            assert_eq!(allowed(&[], Some(&format!("http://{host}")), host), expected, "{host}");
        }
        assert!(Origins::same().hosts(["*"]).unwrap().is_own_host("evil.example"));
        for bad in ["", "https://meet.example", "meet.example:80", "meet example", "*.example"] {
            assert_eq!(Origins::same().hosts([bad]), Err(bad.to_owned()));
        }
    }

    #[test]
    fn a_page_of_the_server_itself_may_use_it_and_no_other() {
        for (origin, host, expected) in [
            ("http://meet.example", "meet.example", true),
            ("https://meet.example", "meet.example", true),
            ("https://Meet.example", "meet.EXAMPLE:443", true),
            ("http://192.168.1.5:3000", "192.168.1.5:3000", true),
            ("http://[::1]:3000", "[::1]:3000", true),
            ("http://[::1]", "[::1]", true),
            ("https://meet.example:8443", "meet.example", false),
            ("https://meet.example", "meet.example:8443", false),
            ("https://meet.example", "meet.example:80", false),
            ("https://evil.example", "meet.example", false),
            ("https://meet.example.evil.example", "meet.example", false),
            ("https://evil.example/meet.example", "meet.example", false),
            ("https://meet.example@evil.example", "meet.example", false),
            ("file://meet.example", "meet.example", false),
            ("null", "meet.example", false),
            ("", "meet.example", false),
        ] {
            assert_eq!(allowed(&[], Some(origin), host), expected, "{origin} at {host}");
        }
        assert!(allowed(&[], None, "meet.example"), "a program");
    }

    #[test]
    fn others_may_if_they_are_named() {
        let named = ["https://app.example", "http://localhost:5173"];
        assert!(allowed(&named, Some("https://app.example"), "meet.example"));
        assert!(allowed(&named, Some("http://localhost:5173"), "meet.example"));
        assert!(allowed(&named, Some("https://meet.example"), "meet.example"), "its own still");
        assert!(!allowed(&named, Some("http://app.example"), "meet.example"), "another scheme");
        assert!(!allowed(&named, Some("http://localhost:3000"), "meet.example"));
        assert!(allowed(&["*"], Some("https://any.example"), "meet.example"));
        assert!(!allowed(&["*"], Some("null"), "meet.example"));
        assert!(allowed(&["null"], Some("null"), "meet.example"));
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "meet.example".parse().unwrap());
        headers.append(header::ORIGIN, "https://meet.example".parse().unwrap());
        headers.append(header::ORIGIN, "https://evil.example".parse().unwrap());
        assert!(!Origins::same().allow(&headers, &Uri::default()));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for bad in [
            "",
            "app.example",
            "https://",
            "https://app.example/",
            "ftp://app.example",
            "https://*.example",
            "https://a:b",
        ] {
            assert_eq!(Origins::and([bad]), Err(bad.to_owned()));
        }
    }
}
