//! Throttling: which attempts share a budget. Adapters count them.

use crate::login::CanonicalLogin;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

/// The budget that an attempt is counted against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ThrottleKey {
    Client(ClientNetwork),
    Account(CanonicalLogin),
}

/// The network treated as one client: an IPv4 address or an IPv6 /64, because a client with one
/// IPv6 address usually controls its whole /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientNetwork {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(network(address)),
        }
    }
}

fn network(address: Ipv6Addr) -> [u16; 4] {
    let [a, b, c, d, ..] = address.segments();
    [a, b, c, d]
}

/// Whether an attempt may proceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleDecision {
    Allowed,
    /// Too many attempts. The next one is allowed after `retry_after`.
    Refused {
        retry_after: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_addresses_of_a_network_share_a_budget_and_ipv4_addresses_do_not() {
        for (one, other, shared) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            let network =
                |text: &str| ClientNetwork::from(text.parse::<IpAddr>().expect("the address is valid"));
            assert_eq!(network(one) == network(other), shared, "{one} and {other}");
        }
    }
}
