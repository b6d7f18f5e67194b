//! Where a request came from.

use actix_web::HttpRequest;
use ipnet::IpNet;
use std::net::IpAddr;

/// The address of the client. `X-Forwarded-For` is believed only as far as it was written by trusted proxies: it is read
/// from the right, and the first address that is not a trusted proxy's is the client's.
pub fn client_address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let forwarded = request
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|hop| {
            hop.trim()
                .parse::<IpAddr>()
                .ok()
                .map(|address| address.to_canonical())
        })
        .collect::<Vec<_>>();
    Some(resolve(peer, &forwarded, trusted))
}

fn resolve(peer: IpAddr, forwarded: &[Option<IpAddr>], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    for hop in forwarded.iter().rev() {
        match hop {
            Some(address) if is_trusted(&client) => client = *address,
            // What cannot be read ends the chain: whoever wrote it may have written all that stands left of it.
            _ => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn client(peer: &str, headers: &[&str]) -> String {
        let trusted = [
            "10.0.0.0/8".parse().expect("a network"),
            "fd00::/8".parse().expect("a network"),
        ];
        let mut request =
            TestRequest::default().peer_addr((peer.parse::<IpAddr>().expect("an address"), 1).into());
        for value in headers {
            request = request.append_header(("X-Forwarded-For", *value));
        }
        client_address(&request.to_http_request(), &trusted)
            .expect("a peer")
            .to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_from_the_right() {
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
            ("::ffff:10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("fd00::1", &["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            assert_eq!(client(peer, headers), expected, "{peer} {headers:?}");
        }
    }
}
