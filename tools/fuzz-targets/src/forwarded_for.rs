//! `X-Forwarded-For`. The first byte selects the peer; each line of the rest is one header line.

use api_http::forwarded_for::{Fault, resolve};
use ipnet::IpNet;
use std::{net::IpAddr, sync::LazyLock};

static TRUSTED: LazyLock<[IpNet; 2]> =
    LazyLock::new(|| ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network")));
const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

pub fn check(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let peer = if first % 2 == 0 { STRANGER } else { PROXY };
    let lines = || rest.split(|byte| *byte == b'\n');
    let resolved = resolve(peer, lines(), &*TRUSTED);
    assert_eq!(resolved.client, resolved.client.to_canonical());
    match resolved.fault {
        _ if peer == STRANGER => assert_eq!(resolved.client, peer, "a stranger chose its address"),
        Some(Fault::UntrustedPeer(_)) => panic!("the proxy is trusted"),
        Some(Fault::Unreadable { proxy, entry }) => {
            assert!(is_trusted(proxy) && resolved.client == proxy);
            assert!(!entry.is_empty());
        }
        None => {}
    }
    check_appended(rest);
}

/// Whatever a client sends, an entry that a trusted proxy appends decides.
fn check_appended(sent: &[u8]) {
    let honest: IpAddr = "198.51.100.7".parse().expect("an address");
    let appended = [sent, b", 198.51.100.7"].concat();
    // A header line contains no line feed, so the client's lines precede the proxy's.
    let lines: Vec<_> = appended.split(|byte| *byte == b'\n').collect();
    let resolved = resolve(PROXY, lines.iter().copied(), &*TRUSTED);
    assert_eq!((resolved.client, resolved.fault), (honest, None));
    // One line and several lines have the same meaning (RFC 9110, section 5.3).
    let joined = lines.join(&b","[..]);
    let resolved = resolve(PROXY, [&joined[..]].into_iter(), &*TRUSTED);
    assert_eq!(resolved.client, honest);
}

fn is_trusted(address: IpAddr) -> bool {
    TRUSTED.iter().any(|network| network.contains(&address))
}
