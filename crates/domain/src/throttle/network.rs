use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The width of a network, relative to what one party usually controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// One client: an IPv4 address or an IPv6 /64.
    Client,
    /// One customer of a provider: an IPv4 /24 or an IPv6 /56. The network in which an account can
    /// be known.
    Site,
    /// A larger customer: an IPv6 /48. IPv4 has no network of this width.
    Provider,
}

/// An IP network. IPv4-mapped IPv6 addresses count as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: IpAddr,
    width: Width,
}

impl Width {
    /// Returns the length of the prefix in the family of `address`.
    fn prefix(self, address: IpAddr) -> u8 {
        match (self, address) {
            (Self::Client, IpAddr::V4(_)) => 32,
            (Self::Site | Self::Provider, IpAddr::V4(_)) => 24,
            (Self::Client, IpAddr::V6(_)) => 64,
            (Self::Site, IpAddr::V6(_)) => 56,
            (Self::Provider, IpAddr::V6(_)) => 48,
        }
    }
}

impl Network {
    /// Returns the client's own network.
    #[must_use]
    pub fn client(address: IpAddr) -> Self {
        Self::around(address, Width::Client)
    }

    /// Returns the network in which an account is known after a login from `address`.
    #[must_use]
    pub fn site(address: IpAddr) -> Self {
        Self::around(address, Width::Site)
    }

    /// Returns the networks that contain `address`, the narrowest first.
    pub fn nested(address: IpAddr) -> impl Iterator<Item = Self> {
        let widths: &[Width] = match address.to_canonical() {
            IpAddr::V4(_) => &[Width::Client, Width::Site],
            IpAddr::V6(_) => &[Width::Client, Width::Site, Width::Provider],
        };
        widths.iter().map(move |width| Self::around(address, *width))
    }

    #[must_use]
    pub fn width(self) -> Width {
        self.width
    }

    /// Returns the first address of the network.
    #[must_use]
    pub fn first(self) -> IpAddr {
        self.first
    }

    fn around(address: IpAddr, width: Width) -> Self {
        let address = address.to_canonical();
        let prefix = width.prefix(address);
        let first = match address {
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & v4_mask(prefix)).into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & v6_mask(prefix)).into(),
        };
        Self { first, width }
    }
}

/// The network in CIDR notation (RFC 4632, section 3.1; RFC 4291, section 2.3), such as
/// `192.0.2.0/24`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.width.prefix(self.first))
    }
}

fn v4_mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn v6_mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("the address is valid")
    }

    fn nested(text: &str) -> Vec<String> {
        Network::nested(address(text))
            .map(|network| network.to_string())
            .collect()
    }

    #[test]
    fn an_address_is_in_networks_that_contain_each_other() {
        assert_eq!(nested("192.0.2.77"), ["192.0.2.77/32", "192.0.2.0/24"]);
        assert_eq!(nested("::ffff:192.0.2.77"), nested("192.0.2.77"));
        assert_eq!(
            nested("2001:db8:1:23ff::9"),
            ["2001:db8:1:23ff::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"]
        );
    }

    #[test]
    fn a_site_is_the_network_in_which_an_account_is_known() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.255", true),
            ("192.0.2.1", "192.0.3.1", false),
            ("2001:db8:1:2300::1", "2001:db8:1:23ff::1", true),
            ("2001:db8:1:2300::1", "2001:db8:1:2400::1", false),
        ] {
            let is_same = Network::site(address(one)) == Network::site(address(other));
            assert_eq!(is_same, same, "{one} and {other}");
        }
    }

    #[test]
    fn ipv6_addresses_of_a_client_share_a_network_and_ipv4_addresses_do_not() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            let is_same = Network::client(address(one)) == Network::client(address(other));
            assert_eq!(is_same, same, "{one} and {other}");
        }
    }
}
