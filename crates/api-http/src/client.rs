//! The network address of a client.

use crate::forwarded_for::{Fault, resolve};
use actix_web::{HttpRequest, http::header::HeaderValue};
use ipnet::IpNet;
use std::{net::IpAddr, sync::Once};

/// Maximum number of characters of an unreadable entry that are logged.
const MAX_LOGGED_ENTRY: usize = 80;

/// Returns the client's address: the peer's, or the one in `X-Forwarded-For` for a peer that is one
/// of the `trusted` proxies.
pub fn client_address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let values = request.headers().get_all("x-forwarded-for");
    let resolved = resolve(peer, values.map(HeaderValue::as_bytes), trusted);
    if let Some(fault) = &resolved.fault {
        warn_once(fault);
    }
    Some(resolved.client)
}

/// Logs the first fault of each kind in the life of the process: any client can cause any number.
fn warn_once(fault: &Fault<'_>) {
    static UNTRUSTED_PEER: Once = Once::new();
    static UNREADABLE: Once = Once::new();
    match fault {
        Fault::UntrustedPeer(peer) => UNTRUSTED_PEER.call_once(|| {
            tracing::warn!(
                %peer,
                "ignored X-Forwarded-For from a peer that is not a trusted proxy, here and from now on; \
                 if the peer is your proxy, add its address to the setting server.trusted_proxies"
            );
        }),
        Fault::Unreadable { proxy, entry } => UNREADABLE.call_once(|| {
            let entry = String::from_utf8_lossy(entry);
            let entry: String = entry.escape_debug().take(MAX_LOGGED_ENTRY).collect();
            tracing::warn!(
                %proxy,
                entry,
                "a trusted proxy's entry in X-Forwarded-For is not an address, so the proxy counts as the \
                 client, here and from now on; configure the proxy to append the client's address"
            );
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn all_lines_of_the_header_are_read_and_mapped_peers_are_recognised() {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        for peer in ["10.0.0.1", "::ffff:10.0.0.1"] {
            let peer: IpAddr = peer.parse().expect("an address");
            let request = TestRequest::default()
                .peer_addr((peer, 1).into())
                .append_header(("X-Forwarded-For", "203.0.113.9"))
                .append_header(("x-forwarded-for", "198.51.100.1, 10.0.0.2"))
                .to_http_request();
            let client = client_address(&request, &trusted).expect("a peer");
            assert_eq!(client.to_string(), "198.51.100.1");
        }
    }
}
