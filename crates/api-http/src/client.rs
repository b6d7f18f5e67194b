//! The network address of a client.

use actix_web::HttpRequest;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Returns the client's address. `X-Forwarded-For` is trusted only as far as trusted proxies wrote
/// it: it is read from the right, and the first address that is not a trusted proxy's is the
/// client's.
pub fn client_address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let forwarded = request
        .headers()
        .get_all("x-forwarded-for")
        // Split bytes, not text: an invalid entry from a client must not hide those added by
        // proxies.
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(hop_address)
        .collect::<Vec<_>>();
    Some(resolve(peer, &forwarded, trusted))
}

/// Parses an address with or without a port. Returns `None` for anything else.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let hop = str::from_utf8(hop.trim_ascii()).ok()?;
    let with_port = || hop.parse::<SocketAddr>().map(|address| address.ip());
    let address = hop.parse::<IpAddr>().or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

fn resolve(peer: IpAddr, forwarded: &[Option<IpAddr>], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    for hop in forwarded.iter().rev() {
        match hop {
            Some(address) if is_trusted(&client) => client = *address,
            // An unreadable entry ends the chain: its author may have written everything to its
            // left.
            _ => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{http::header::HeaderValue, test::TestRequest};

    /// Each character of a header is one byte (Latin-1), so any byte can be written.
    fn client(peer: &str, headers: &[&str]) -> String {
        let trusted = [
            "10.0.0.0/8".parse().expect("the text is a network"),
            "fd00::/8".parse().expect("the text is a network"),
        ];
        let mut request = TestRequest::default()
            .peer_addr((peer.parse::<IpAddr>().expect("the text is an address"), 1).into());
        for value in headers {
            let bytes: Vec<u8> = value
                .chars()
                .map(|character| u8::try_from(character).expect("the character is Latin-1"))
                .collect();
            let value = HeaderValue::from_bytes(&bytes).expect("the header value is valid");
            request = request.append_header(("X-Forwarded-For", value));
        }
        client_address(&request.to_http_request(), &trusted)
            .expect("the request has a peer address")
            .to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed_from_right_to_left() {
        for (peer, headers, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.1"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["203.0.113.9, 198.51.100.1, 10.0.0.2"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["nonsense, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["\u{ff}, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1", "\u{ff}, 9.9.9.9"], "9.9.9.9"),
            ("10.0.0.1", &["1.1.1.1", "\u{ff}"], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1, \u{ff}, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("10.0.0.1", &["[2001:db8::1]:4711, 10.0.0.2:80"], "2001:db8::1"),
            ("10.0.0.1", &["203.0.113.9:"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9:65536"], "10.0.0.1"),
            ("::ffff:10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("fd00::1", &["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            assert_eq!(client(peer, headers), expected, "{peer} {headers:?}");
        }
    }
}
