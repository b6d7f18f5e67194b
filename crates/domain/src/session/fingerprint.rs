//! The origin of a refresh in a form to store, and how another origin compares to it.

use super::Generation;
use crate::{origin::Origin, throttle::Network};
use std::net::IpAddr;

/// The length of a stored fingerprint: network, user agent and generation.
const STORED_LENGTH: usize = 20;

/// The stored form of a request's origin: its network (IPv4 /24 or IPv6 /56) and a hash of its user
/// agent. It recognises the same client, not a person: two clients may share both.
///
/// A missing user agent counts as a user agent of its own, because a client sends the header either
/// always or never, and a thief could omit it. An unknown address equals no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginFingerprint {
    /// The version of the IP protocol, then the leading bytes of the address; zero if unknown.
    network: [u8; 8],
    /// Zero if the request had no user agent.
    user_agent: [u8; 8],
}

/// How one part of an origin compares to that of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    Same,
    Different,
    /// At least one of the two is not known.
    Unknown,
}

/// How the origin of a replay compares to that of the rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginLikeness {
    pub network: Likeness,
    pub user_agent: Likeness,
}

impl OriginFingerprint {
    /// Returns the fingerprint of `origin`.
    #[must_use]
    pub fn of(origin: &Origin) -> Self {
        Self {
            network: origin.address.map(network_of).unwrap_or_default(),
            user_agent: origin.user_agent.as_deref().map(hash).unwrap_or_default(),
        }
    }

    /// Returns the bytes to store with a session whose rotation to `generation` had this origin.
    #[must_use]
    pub fn stored_for(self, generation: Generation) -> [u8; STORED_LENGTH] {
        let parts = self.network.into_iter().chain(self.user_agent);
        let parts = parts.chain(generation.0.to_be_bytes());
        let mut stored = [0; STORED_LENGTH];
        for (to, from) in stored.iter_mut().zip(parts) {
            *to = from;
        }
        stored
    }

    /// Returns the fingerprint in `stored`, or `None` if it is of the rotation to a generation
    /// other than `generation`: a server of an earlier version, which stores no fingerprint, has
    /// rotated the session since.
    #[must_use]
    pub fn from_stored(stored: &[u8], generation: Generation) -> Option<Self> {
        let (network, rest) = stored.split_first_chunk()?;
        let (user_agent, rest) = rest.split_first_chunk()?;
        (rest == generation.0.to_be_bytes()).then_some(Self {
            network: *network,
            user_agent: *user_agent,
        })
    }

    /// Returns how this origin compares to `other`.
    #[must_use]
    pub fn compare(&self, other: &Self) -> OriginLikeness {
        let unknown = [0; 8];
        let network = if self.network == unknown || other.network == unknown {
            Likeness::Unknown
        } else {
            Likeness::of(self.network == other.network)
        };
        let user_agent = Likeness::of(self.user_agent == other.user_agent);
        OriginLikeness { network, user_agent }
    }
}

impl Likeness {
    fn of(is_same: bool) -> Self {
        if is_same { Self::Same } else { Self::Different }
    }

    /// Returns the name under which the audit log reports it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Unknown => "unknown",
        }
    }
}

impl OriginLikeness {
    /// The comparison with an origin of which nothing is known.
    pub const UNKNOWN: Self = Self {
        network: Likeness::Unknown,
        user_agent: Likeness::Unknown,
    };

    /// Returns whether network and user agent both differ.
    #[must_use]
    pub fn is_foreign(self) -> bool {
        self.network == Likeness::Different && self.user_agent == Likeness::Different
    }
}

/// Returns the family and the first bytes of the network in which an account is known.
fn network_of(address: IpAddr) -> [u8; 8] {
    match Network::site(address).first() {
        IpAddr::V4(first) => {
            let [a, b, c, d] = first.octets();
            [4, a, b, c, d, 0, 0, 0]
        }
        IpAddr::V6(first) => {
            let mut network = [6; 8];
            let (_, prefix) = network.split_at_mut(1);
            for (to, from) in prefix.iter_mut().zip(first.octets()) {
                *to = from;
            }
            network
        }
    }
}

/// Returns the FNV-1a hash of `text`. It need not be cryptographic: a client that knows the other's
/// user agent can send the same one, and for a client that does not, a collision is a guess among
/// 2^64 values.
fn hash(text: &str) -> [u8; 8] {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    text.bytes().fold(OFFSET_BASIS, step).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(address: Option<&str>, user_agent: Option<&str>) -> OriginFingerprint {
        let address = address.map(|text| text.parse().expect("the address is valid"));
        OriginFingerprint::of(&Origin::new(address, user_agent, None))
    }

    #[test]
    fn addresses_of_one_network_are_the_same() {
        use Likeness::{Different, Same, Unknown};
        for (one, other, expected) in [
            (Some("192.0.2.7"), Some("192.0.2.255"), Same),
            (Some("192.0.2.7"), Some("192.0.3.7"), Different),
            (Some("192.0.2.7"), Some("::ffff:192.0.2.8"), Same),
            (Some("2001:db8:0:aa00::1"), Some("2001:db8:0:aaff:9::1"), Same),
            (Some("2001:db8:0:aa00::1"), Some("2001:db8:0:ab00::1"), Different),
            (Some("4.0.2.0"), Some("400:0200::"), Different),
            (Some("0.0.0.0"), Some("::"), Different),
            (Some("0.0.0.0"), Some("0.0.0.1"), Same),
            (None, Some("192.0.2.7"), Unknown),
            (Some("192.0.2.7"), None, Unknown),
            (None, None, Unknown),
        ] {
            let likeness = fingerprint(one, None).compare(&fingerprint(other, None));
            assert_eq!(likeness.network, expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn user_agents_are_the_same_if_they_are_equal_or_both_missing() {
        use Likeness::{Different, Same};
        for (one, other, expected) in [
            (Some("curl/8"), Some("curl/8"), Same),
            (Some("curl/8"), Some("curl/9"), Different),
            (Some(""), Some(""), Same),
            (Some(""), None, Different),
            (None, Some("curl/8"), Different),
            (None, None, Same),
        ] {
            let likeness = fingerprint(None, one).compare(&fingerprint(None, other));
            assert_eq!(likeness.user_agent, expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn an_origin_is_foreign_only_if_network_and_user_agent_differ() {
        use Likeness::{Different, Same, Unknown};
        for network in [Same, Different, Unknown] {
            for user_agent in [Same, Different, Unknown] {
                let likeness = OriginLikeness { network, user_agent };
                let both = (network, user_agent) == (Different, Different);
                assert_eq!(likeness.is_foreign(), both, "{likeness:?}");
            }
        }
        assert!(!OriginLikeness::UNKNOWN.is_foreign());
    }

    /// Replicas of different versions share the database, so the stored form must never change.
    #[test]
    fn the_stored_form_is_stable() {
        let mut expected = vec![4, 192, 0, 2, 0, 0, 0, 0];
        // The published test vector of 64-bit FNV-1a for `foobar`.
        expected.extend([0x85, 0x94, 0x41, 0x71, 0xf7, 0x39, 0x67, 0xe8]);
        expected.extend([0, 0, 1, 2]);
        let stored = fingerprint(Some("192.0.2.7"), Some("foobar")).stored_for(Generation(258));
        assert_eq!(stored.to_vec(), expected);
    }

    #[test]
    fn a_fingerprint_is_read_only_for_its_own_generation() {
        for origin in [
            fingerprint(Some("2001:db8::1"), Some("curl/8")),
            fingerprint(None, None),
        ] {
            let stored = origin.stored_for(Generation(5));
            assert_eq!(
                OriginFingerprint::from_stored(&stored, Generation(5)),
                Some(origin)
            );
            for generation in [0, 4, 6] {
                let read = OriginFingerprint::from_stored(&stored, Generation(generation));
                assert_eq!(read, None, "{generation}");
            }
            for length in 0..STORED_LENGTH {
                let cut = stored.get(..length).expect("the length is within the array");
                assert_eq!(OriginFingerprint::from_stored(cut, Generation(5)), None);
            }
        }
    }
}
