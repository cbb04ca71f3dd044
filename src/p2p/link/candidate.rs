//! Filters a peer's ICE candidates.

use std::borrow::Cow;
use std::net::IpAddr;

use super::Candidate;

/// At most this many candidates of a peer are tried per round: browsers make about ten, or dozens on many networks.
pub(crate) const MAX_CANDIDATES: usize = 64;

/// A peer that sends more candidates than this in one round is no browser, and its link is closed.
pub(crate) const MAX_SENT_CANDIDATES: usize = 512;

/// A session description may have at most this many media descriptions: the channels', and each side's video and audio
/// streams.
const MAX_SECTIONS: usize = 64;

/// Marks a candidate in a session description.
const LINE: &str = "a=candidate:";

impl Candidate {
    /// Whether a browser could have gathered this candidate: an address that others can send to, or an mDNS name.
    /// Otherwise a peer could have this page send packets to any port of this machine, or to any name. `loopback`: the
    /// page comes from this machine, and a relay may too.
    pub(crate) fn is_plausible(&self, loopback: bool) -> bool {
        let line = self.candidate.trim();
        // A line break would begin another line of the description.
        !line.contains(char::is_control)
            && is_plausible(
                line.strip_prefix("a=").unwrap_or(line).strip_prefix("candidate:").unwrap_or(line),
                loopback,
            )
    }
}

/// Applies the same check to the text after `candidate:` (RFC 8839 section 5.1).
fn is_plausible(line: &str, loopback: bool) -> bool {
    let fields: Vec<&str> = line.split(' ').take(8).collect();
    let &[_, _, transport, _, address, port, "typ", _] = fields.as_slice() else { return false };
    let Some(port) = port.parse::<u16>().ok().filter(|port| *port > 0) else { return false };
    // Browsers open TCP connections and accept none, so their candidates have the discard port (RFC 6544 section 4.5).
    let connectable = transport.eq_ignore_ascii_case("udp") || (transport.eq_ignore_ascii_case("tcp") && port == 9);
    connectable && is_address(address, loopback)
}

fn is_address(address: &str, loopback: bool) -> bool {
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) if ip.is_loopback() => loopback,
        Ok(IpAddr::V4(ip)) => !(ip.octets()[0] == 0 || ip.is_multicast() || ip.is_broadcast()),
        Ok(IpAddr::V6(ip)) => !(ip.is_unspecified() || ip.is_multicast()),
        // An mDNS name that hides an address from the page: a UUID (draft-ietf-mmusic-mdns-ice-candidates).
        Err(_) => address.strip_suffix(".local").is_some_and(|name| {
            !name.is_empty() && name.len() <= 63 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        }),
    }
}

/// Returns a session description without implausible candidates; `None` if it has more than [`MAX_SECTIONS`] media
/// descriptions.
pub(crate) fn clean(sdp: &str, loopback: bool) -> Option<Cow<'_, str>> {
    if sdp.lines().filter(|line| line.starts_with("m=")).count() > MAX_SECTIONS {
        return None;
    }
    let is_kept = |line: &str, kept: &mut usize| {
        let Some(candidate) = line.trim_end().strip_prefix(LINE) else { return true };
        let keeps = *kept < MAX_CANDIDATES && is_plausible(candidate, loopback);
        *kept += usize::from(keeps);
        keeps
    };
    let mut kept = 0;
    if sdp.lines().all(|line| is_kept(line, &mut kept)) {
        return Some(Cow::Borrowed(sdp));
    }
    kept = 0;
    Some(Cow::Owned(sdp.split_inclusive('\n').filter(|line| is_kept(line, &mut kept)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(line: &str) -> Candidate {
        Candidate { candidate: line.to_owned(), sdp_mid: None, sdp_m_line_index: None }
    }

    #[test]
    fn candidates_of_browsers_are_tried() {
        for line in [
            "candidate:1 1 udp 2122260223 192.168.1.7 50000 typ host generation 0 ufrag a network-id 1",
            "candidate:1 1 UDP 2122260223 203.0.113.7 50000 typ srflx raddr 0.0.0.0 rport 0",
            "candidate:1 1 udp 41885439 2001:db8::7 3478 typ relay raddr :: rport 0",
            "candidate:3 1 tcp 1518280447 192.168.1.7 9 typ host tcptype active",
            "candidate:0 1 UDP 2122187007 0c1d6a3e-8e9a-4a3f-9c3c-1de2f7ab0c11.local 50000 typ host",
            "a=candidate:1 1 udp 1 169.254.3.4 1 typ host",
            "candidate:1 1 udp 1 fe80::1 1 typ host",
        ] {
            assert!(candidate(line).is_plausible(false), "{line}");
        }
    }

    #[test]
    fn implausible_candidates_are_not_tried() {
        for line in [
            "",
            "candidate:",
            "candidate:1 1 udp 1 127.0.0.1 5000 typ host",
            "candidate:1 1 udp 1 0.0.0.0 5000 typ host",
            "candidate:1 1 udp 1 0.1.2.3 5000 typ host",
            "candidate:1 1 udp 1 255.255.255.255 5000 typ host",
            "candidate:1 1 udp 1 224.0.0.251 5353 typ host",
            "candidate:1 1 udp 1 ::1 5000 typ host",
            "candidate:1 1 udp 1 ::ffff:127.0.0.1 5000 typ host",
            "candidate:1 1 udp 1 ff02::fb 5353 typ host",
            "candidate:1 1 udp 1 192.168.1.1 0 typ host",
            "candidate:1 1 udp 1 192.168.1.1 99999 typ host",
            "candidate:1 1 tcp 1 192.168.1.1 80 typ host tcptype passive",
            "candidate:1 1 udp 1 intranet.example 5000 typ host",
            "candidate:1 1 udp 1 a.b.local 5000 typ host",
            "candidate:1 1 udp 1 .local 5000 typ host",
            "candidate:1 1 sctp 1 192.168.1.1 5000 typ host",
            "candidate:1 1 udp 1 192.168.1.1 5000",
        ] {
            assert!(!candidate(line).is_plausible(false), "{line}");
        }
        assert!(candidate("candidate:1 1 udp 1 127.0.0.1 5000 typ relay").is_plausible(true));
    }

    #[test]
    fn descriptions_lose_implausible_candidates() {
        let good =
            "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\n";
        assert!(matches!(clean(good, false), Some(Cow::Borrowed(same)) if same == good));
        let bad = format!("{good}a=candidate:1 1 udp 1 127.0.0.1 5 typ host\r\na=end\r\n");
        assert_eq!(clean(&bad, false).as_deref(), Some(&*format!("{good}a=end\r\n")));
        let many = "a=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\n".repeat(1000);
        assert_eq!(clean(&many, false).map(|sdp| sdp.lines().count()), Some(MAX_CANDIDATES));
        assert_eq!(clean(&"m=audio 9 x 0\r\n".repeat(MAX_SECTIONS + 1), false), None);
        assert_eq!(clean("first", false).as_deref(), Some("first"));
    }
}
