//! What browsers are told to keep a page from, beside what it asks for itself.

use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

/// For what is no page: nothing may be loaded from it, should a browser take it for one.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// A topic stands in its page's address, and is nobody else's business; the rest is what a room needs of the browser.
const ALWAYS: [(HeaderName, &str); 4] = [
    (REFERRER_POLICY, "no-referrer"),
    // Other sites can't embed responses, and so can't read them through side channels of the processor.
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        HeaderName::from_static("permissions-policy"),
        // Only what every browser knows: others complain on the console.
        "camera=(self), microphone=(self), display-capture=(self), geolocation=(), payment=(), usb=(), midi=()",
    ),
];

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// How a request reached the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Over this server's own TLS.
    Tls,
    /// From the same machine, or over the TLS of a proxy that says so: browsers take such a page for secure.
    Trusted,
    /// As plain text over a network.
    Plain,
}

impl Way {
    pub(super) fn of(request: &HeaderMap, secure: bool) -> Self {
        let text = |name| request.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let host = text("host");
        let host = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(host, _)| host);
        let is_local = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        match (secure, is_local || text("x-forwarded-proto").eq_ignore_ascii_case("https")) {
            (true, _) => Self::Tls,
            (false, true) => Self::Trusted,
            (false, false) => Self::Plain,
        }
    }
}

/// Gives every response what is missing of these headers.
pub(super) fn protect(response: &mut Response, way: Way) {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING));
    // Over plain http browsers ignore it, and say so on the console as an error.
    if way != Way::Plain {
        headers.entry(OPENER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    }
    if way == Way::Tls {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(year);
    }
}

/// The policy of a page whose inline scripts have this nonce, served under this host.
///
/// The host's sockets are named beside `'self'`, since Safari before 15.4 doesn't count them to it. `reload_port` is
/// where cargo-leptos tells pages to load anew, in development.
pub(super) fn policy(nonce: &str, host: Option<&str>, reload_port: Option<u32>) -> Option<HeaderValue> {
    // A policy can't name an address of IPv6: browsers refuse such a source, and say so on the console.
    let host = host.filter(|host| is_host(host) && !host.contains('['));
    let mut connect = "'self' blob:".to_owned();
    if let Some(host) = host {
        connect += &format!(" ws://{host} wss://{host}");
    }
    if let Some(port) = reload_port {
        connect += &format!(" ws://*:{port}");
    }
    HeaderValue::from_str(&format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; manifest-src 'self'; worker-src 'self'; \
         connect-src {connect}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types default page"
    ))
    .ok()
}

/// Whether it can be a host, and surely no further directive.
fn is_host(host: &str) -> bool {
    host.len() <= 255 && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-[]_".contains(&byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn policy_at(host: &str) -> String {
        policy("abc", Some(host), None).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn sockets_of_the_page_s_own_host_may_be_opened() {
        assert!(
            policy_at("meet.example:3000")
                .contains("connect-src 'self' blob: ws://meet.example:3000 wss://meet.example:3000;")
        );
        assert!(policy_at("[::1]:3000").contains("connect-src 'self' blob:;"));
    }

    #[test]
    fn a_page_is_secure_over_tls_and_on_the_machine_itself() {
        let way = |host: &str, forwarded: &str, secure| {
            let headers = [("host", host), ("x-forwarded-proto", forwarded)];
            let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            Way::of(&HeaderMap::from_iter(headers), secure)
        };
        for host in ["localhost", "localhost:3000", "127.0.0.1:3000", "[::1]:3000", "[::1]"] {
            assert_eq!(way(host, "", false), Way::Trusted, "{host}");
        }
        for host in ["192.168.1.5:3000", "meet.example", "localhost.example", ""] {
            assert_eq!(way(host, "", false), Way::Plain, "{host}");
        }
        assert_eq!(way("meet.example", "https", false), Way::Trusted);
        assert_eq!(way("meet.example", "", true), Way::Tls);
    }

    #[test]
    fn a_host_can_add_nothing_to_the_policy() {
        for host in ["a; script-src *", "a b", "*", "a,b", "'unsafe-inline'"] {
            assert!(policy_at(host).contains("connect-src 'self' blob:;"), "{host}");
        }
    }
}
