//! The header `X-Forwarded-For`: a list of addresses to which each proxy appends the one from which
//! it received the request.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The client's address, and what prevented reading the header further.
#[derive(Debug, PartialEq, Eq)]
pub struct Resolved<'a> {
    pub client: IpAddr,
    pub fault: Option<Fault<'a>>,
}

/// Why entries of the header were not used.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault<'a> {
    /// The peer is not a trusted proxy.
    UntrustedPeer(IpAddr),
    /// A trusted proxy appended an entry that is not an address.
    Unreadable { proxy: IpAddr, entry: &'a [u8] },
}

/// Maximum number of entries that are read, empty ones included. No chain of proxies is as long, so
/// only a header that a client made up exceeds it.
const MAX_ENTRIES: usize = 64;
/// Maximum length of an entry in bytes, which no written address exceeds.
const MAX_ENTRY: usize = 128;

/// Returns the client of a request that `peer` sent. The header is trusted only as far as trusted
/// proxies wrote it: it is read from the right, and the first address that is not a trusted
/// proxy's is the client's. Nothing to its left is read, and nothing at all if the peer is not a
/// trusted proxy, because any client can send a large header.
///
/// `values` are the values of all header lines, in their order. Entries are separated as bytes, not
/// as text or quoted strings: an invalid entry from a client must not hide those added by proxies.
#[must_use]
pub fn resolve<'a>(
    peer: IpAddr,
    mut values: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[IpNet],
) -> Resolved<'a> {
    if is_trusted(peer, trusted) {
        return follow(peer, from_the_right(values), trusted);
    }
    Resolved {
        client: peer,
        fault: values.next().map(|_| Fault::UntrustedPeer(peer)),
    }
}

/// Follows the chain of trusted proxies from `peer` to the client through `entries`, the last of
/// the header first. Takes no entry after the client's.
fn follow<'a>(peer: IpAddr, entries: impl Iterator<Item = &'a [u8]>, trusted: &[IpNet]) -> Resolved<'a> {
    let mut client = peer;
    for entry in entries.take(MAX_ENTRIES) {
        // RFC 9110, section 5.6.1.2: recipients ignore empty list elements.
        if entry.is_empty() {
            continue;
        }
        let Some(address) = address(entry) else {
            // The author of this entry may have written everything to its left.
            let fault = Some(Fault::Unreadable { proxy: client, entry });
            return Resolved { client, fault };
        };
        client = address;
        if !is_trusted(client, trusted) {
            break;
        }
    }
    Resolved { client, fault: None }
}

/// Separates the entries lazily, from the last to the first.
fn from_the_right<'a>(values: impl DoubleEndedIterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    values
        .rev()
        .flat_map(|value| value.rsplit(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// Parses an entry: an IPv4 or IPv6 address, the latter with or without brackets and zone id, each
/// with or without a port and quotes. An IPv6 address with a port needs brackets. Returns `None`
/// for anything else.
fn address(entry: &[u8]) -> Option<IpAddr> {
    if entry.len() > MAX_ENTRY {
        return None;
    }
    let text = unquoted(str::from_utf8(entry).ok()?)?;
    let address: IpAddr = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']')? {
            (address, "") => ipv6(address)?.into(),
            (address, port) => ipv6(address).filter(|_| is_port(port))?.into(),
        },
        None => match text.find(':') {
            Some(colon) if text.rfind(':') == Some(colon) => {
                let (address, port) = text.split_at(colon);
                ipv4(address).filter(|_| is_port(port))?.into()
            }
            Some(_) => ipv6(text)?.into(),
            None => ipv4(text)?.into(),
        },
    };
    Some(address.to_canonical())
}

/// Returns the content of a quoted string (RFC 9110, section 5.6.4), and other text unchanged.
fn unquoted(text: &str) -> Option<&str> {
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(text),
    }
}

fn ipv4(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}

/// Parses an address with or without a zone id (RFC 4007, section 11), which has a meaning only on
/// the machine that wrote it.
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    let address = match text.split_once('%') {
        Some((address, zone)) if is_zone(zone) => address,
        Some(_) => return None,
        None => text,
    };
    address.parse().ok()
}

fn is_zone(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns whether `text` is a colon and a port number.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|digits| {
        digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROXY: &str = "10.0.0.1";

    fn trusted() -> [IpNet; 3] {
        ["10.0.0.0/8", "fd00::/8", "fe80::/10"].map(|network| network.parse().expect("a network"))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// Each character of a header is one byte (Latin-1), so any byte can be written.
    fn bytes(headers: &[&str]) -> Vec<Vec<u8>> {
        let latin_1 = |text: &str| {
            text.chars()
                .map(|it| u8::try_from(it).expect("Latin-1"))
                .collect()
        };
        headers.iter().map(|text| latin_1(text)).collect()
    }

    /// Returns the client, and whether a fault was found.
    fn client(peer: &str, headers: &[&str]) -> (String, &'static str) {
        let headers = bytes(headers);
        let resolved = resolve(ip(peer), headers.iter().map(Vec::as_slice), &trusted());
        let fault = match resolved.fault {
            None => "",
            Some(Fault::UntrustedPeer(_)) => "untrusted peer",
            Some(Fault::Unreadable { .. }) => "unreadable",
        };
        (resolved.client.to_string(), fault)
    }

    #[test]
    fn only_trusted_proxies_are_believed_from_right_to_left() {
        for (peer, headers, expected, fault) in [
            ("192.0.2.1", &[][..], "192.0.2.1", ""),
            ("192.0.2.1", &[" , "], "192.0.2.1", "untrusted peer"),
            ("192.0.2.1", &["198.51.100.1"], "192.0.2.1", "untrusted peer"),
            ("192.0.2.1", &["nonsense"], "192.0.2.1", "untrusted peer"),
            (PROXY, &["198.51.100.1"], "198.51.100.1", ""),
            (PROXY, &["203.0.113.9, 198.51.100.1"], "198.51.100.1", ""),
            (
                PROXY,
                &["203.0.113.9,198.51.100.1,\t10.0.0.2 "],
                "198.51.100.1",
                "",
            ),
            (PROXY, &["203.0.113.9", "198.51.100.1"], "198.51.100.1", ""),
            (PROXY, &["10.0.0.3, 10.0.0.2"], "10.0.0.3", ""),
            (PROXY, &["198.51.100.1, nonsense"], PROXY, "unreadable"),
            (PROXY, &["nonsense, 198.51.100.1"], "198.51.100.1", ""),
            (PROXY, &["\u{ff}, 203.0.113.9"], "203.0.113.9", ""),
            (PROXY, &["1.1.1.1", "\u{ff}, 9.9.9.9"], "9.9.9.9", ""),
            (PROXY, &["1.1.1.1", "\u{ff}"], PROXY, "unreadable"),
            (PROXY, &["1.1.1.1, \u{ff}, 10.0.0.2"], "10.0.0.2", "unreadable"),
            (PROXY, &["\", 203.0.113.9"], "203.0.113.9", ""),
            (
                PROXY,
                &["\"1.1.1.1", "203.0.113.9, 10.0.0.2\""],
                PROXY,
                "unreadable",
            ),
            ("fd00::1", &["::ffff:198.51.100.1"], "198.51.100.1", ""),
        ] {
            assert_eq!(
                client(peer, headers),
                (expected.to_owned(), fault),
                "{peer} {headers:?}"
            );
        }
    }

    #[test]
    fn the_header_of_an_untrusted_peer_is_not_read() {
        let lines = vec![&b"203.0.113.9"[..]; 1_000];
        let mut read = 0;
        let values = lines.into_iter().inspect(|_| read += 1);
        let resolved = resolve(ip("192.0.2.1"), values, &trusted());
        assert_eq!(resolved.client, ip("192.0.2.1"));
        // Only to learn that there is a header.
        assert_eq!(read, 1);
    }

    #[test]
    fn nothing_to_the_left_of_the_client_is_read() {
        let line = [&b"10.0.0.9,".repeat(10_000)[..], b"203.0.113.9, 10.0.0.2"].concat();
        let (mut lines, mut entries) = (0, 0);
        let values = vec![&line[..]; 50].into_iter().inspect(|_| lines += 1);
        let resolved = follow(
            ip(PROXY),
            from_the_right(values).inspect(|_| entries += 1),
            &trusted(),
        );
        assert_eq!(resolved.client, ip("203.0.113.9"));
        assert_eq!((lines, entries), (1, 2));
    }

    #[test]
    fn no_more_entries_are_read_than_a_chain_of_proxies_can_have() {
        for entry in ["10.0.0.9,", ",", " ,"] {
            let line = entry.repeat(10_000);
            let mut entries = 0;
            let values = from_the_right([line.as_bytes()].into_iter()).inspect(|_| entries += 1);
            let resolved = follow(ip(PROXY), values, &trusted());
            assert!(is_trusted(resolved.client, &trusted()));
            assert_eq!(entries, MAX_ENTRIES);
        }
    }

    #[test]
    fn an_entry_longer_than_any_address_is_unreadable() {
        let zone = |length: usize| format!("fe80::1%{}", "z".repeat(length - "fe80::1%".len()));
        let faults = [MAX_ENTRY, MAX_ENTRY + 1].map(|length| client(PROXY, &[&zone(length)]).1);
        assert_eq!(faults, ["", "unreadable"]);
    }

    #[test]
    fn empty_list_elements_are_ignored() {
        for headers in [
            &[""][..],
            &[",", " ,\t, "],
            &["203.0.113.9,"],
            &[",203.0.113.9, ,10.0.0.2,,"],
            &["203.0.113.9", ""],
        ] {
            let expected = if headers.concat().contains("203") {
                "203.0.113.9"
            } else {
                PROXY
            };
            assert_eq!(client(PROXY, headers), (expected.to_owned(), ""), "{headers:?}");
        }
    }

    #[test]
    fn an_entry_is_an_address_in_any_common_form() {
        for (entry, expected) in [
            ("203.0.113.9", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("203.0.113.9:0", "203.0.113.9"),
            ("\"203.0.113.9\"", "203.0.113.9"),
            ("\"203.0.113.9:4711\"", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("2001:db8::1:4711", "2001:db8::1:4711"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("\"[2001:db8::1]\"", "2001:db8::1"),
            ("\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("\"2001:db8::1\"", "2001:db8::1"),
            ("2001:db8::1%eth0", "2001:db8::1"),
            ("[2001:db8::1%eth0]", "2001:db8::1"),
            ("[2001:db8::1%25eth0]:4711", "2001:db8::1"),
            ("\"[2001:db8::1%2]:4711\"", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:4711", "203.0.113.9"),
        ] {
            assert_eq!(client(PROXY, &[entry]), (expected.to_owned(), ""), "{entry}");
        }
    }

    #[test]
    fn a_zone_id_does_not_hide_that_a_proxy_is_trusted() {
        let headers = ["203.0.113.9, [fe80::1%eth0]:80"];
        assert_eq!(client("fe80::2", &headers), ("203.0.113.9".to_owned(), ""));
    }

    #[test]
    fn other_entries_are_unreadable() {
        for entry in [
            "unknown",
            "unix:",
            "_hidden",
            "example.com",
            "203.0.113",
            "203.0.113.09",
            "203.0.113.9:",
            "203.0.113.9:65536",
            "203.0.113.9:+80",
            "203.0.113.9:http",
            "203.0.113.9 80",
            "203.0.113.9%eth0",
            "[203.0.113.9]",
            "[203.0.113.9]:80",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]80",
            "[2001:db8::1]:",
            "[2001:db8::1]:65536",
            "[]",
            "[2001:db8::1%]",
            "2001:db8::1%",
            "[2001:db8::1]%eth0",
            "\"203.0.113.9",
            "203.0.113.9\"",
            "\"\"",
            "\"",
            "\"\\203.0.113.9\"",
            "for=203.0.113.9",
        ] {
            let headers = bytes(&[entry]);
            let resolved = resolve(ip(PROXY), headers.iter().map(Vec::as_slice), &trusted());
            let fault = Fault::Unreadable {
                proxy: ip(PROXY),
                entry: &headers[0],
            };
            let (client, fault) = (ip(PROXY), Some(fault));
            assert_eq!(resolved, Resolved { client, fault }, "{entry}");
        }
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits))),
            any::<u128>().prop_map(|bits| IpAddr::from(Ipv6Addr::from(bits))),
        ]
    }

    proptest! {
        #[test]
        fn every_form_of_every_address_is_read(
            written in any_address(), port: u16, zone in "[a-z0-9._~-]{1,8}",
        ) {
            let forms = match written {
                IpAddr::V4(it) => vec![format!("{it}"), format!("{it}:{port}")],
                IpAddr::V6(it) => vec![
                    format!("{it}"), format!("{it}%{zone}"), format!("[{it}]"), format!("[{it}]:{port}"),
                    format!("[{it}%{zone}]"), format!("[{it}%25{zone}]:{port}"),
                ],
            };
            for form in forms {
                let read = Some(written.to_canonical());
                prop_assert_eq!(address(form.as_bytes()), read, "{}", form);
                let form = format!("\"{form}\"");
                prop_assert_eq!(address(form.as_bytes()), read, "{}", form);
            }
        }

        /// A client cannot influence the result by what it sends in the header.
        #[test]
        fn what_a_client_sends_does_not_matter(
            sent in proptest::collection::vec(any::<u8>(), 0..64), address in any_address(),
        ) {
            let client = address.to_canonical();
            prop_assume!(!trusted().iter().any(|network| network.contains(&client)));
            let appended = [&sent[..], format!(", {address}").as_bytes()].concat();
            let resolved = resolve(ip(PROXY), [&appended[..]].into_iter(), &trusted());
            prop_assert_eq!(resolved, Resolved { client, fault: None });
            let own_line = address.to_string();
            let resolved = resolve(ip(PROXY), [&sent[..], own_line.as_bytes()].into_iter(), &trusted());
            prop_assert_eq!(resolved, Resolved { client, fault: None });
            let direct = resolve(client, [&sent[..]].into_iter(), &trusted());
            prop_assert_eq!(direct.client, client);
        }
    }
}
