//! The contract of [`RefreshTokenMac`]. A test cannot show that `verify` runs in constant time, or
//! that a secret cannot be derived from its digest.

use domain::{
    ports::RefreshTokenMac,
    refresh_token::{MAC_LENGTH, RefreshClaim},
    session::{Generation, SessionId, SessionSecret},
};
use uuid::Uuid;

contract! {
    /// Defines a named test for each case of the contract of refresh token MACs. `$fresh` is a
    /// function that returns one.
    refresh_token_mac_contract = sync_cases for refresh_token_mac(dyn RefreshTokenMac):
        equal_inputs_have_equal_macs,
        different_inputs_have_different_macs,
        the_mac_of_an_input_verifies,
        no_other_mac_verifies,
        equal_secrets_have_equal_digests,
        a_digest_depends_on_every_bit_of_its_secret,
        a_digest_is_not_the_secret_itself,
}

fn input(session: u128, generation: u32, secret: u8) -> Vec<u8> {
    let claim = RefreshClaim {
        session: SessionId(Uuid::from_u128(session)),
        generation: Generation(generation),
        secret: SessionSecret::new([secret; 32]),
    };
    claim.mac_input().to_vec()
}

fn equal_inputs_have_equal_macs(mac: &dyn RefreshTokenMac) {
    assert_eq!(mac.sign(&input(1, 2, 3)), mac.sign(&input(1, 2, 3)));
}

fn different_inputs_have_different_macs(mac: &dyn RefreshTokenMac) {
    let one = mac.sign(&input(1, 2, 3));
    let mut longer = input(1, 2, 3);
    longer.push(0);
    for other in [input(2, 2, 3), input(1, 3, 3), input(1, 2, 4), longer, Vec::new()] {
        assert_ne!(one, mac.sign(&other));
        assert!(!mac.verify(&other, &one));
    }
}

fn the_mac_of_an_input_verifies(mac: &dyn RefreshTokenMac) {
    let input = input(1, 2, 3);
    assert!(mac.verify(&input, &mac.sign(&input)));
}

fn no_other_mac_verifies(mac: &dyn RefreshTokenMac) {
    let input = input(1, 2, 3);
    let right = mac.sign(&input);
    for place in 0..MAC_LENGTH * 8 {
        let mut wrong = right;
        for byte in wrong.iter_mut().skip(place / 8).take(1) {
            *byte ^= 1 << (place % 8);
        }
        assert!(!mac.verify(&input, &wrong), "with bit {place} flipped");
    }
    for wrong in [[0; MAC_LENGTH], [0xff; MAC_LENGTH]] {
        assert!(!mac.verify(&input, &wrong));
    }
}

fn secret(bytes: [u8; 32]) -> SessionSecret {
    SessionSecret::new(bytes)
}

fn equal_secrets_have_equal_digests(mac: &dyn RefreshTokenMac) {
    assert_eq!(mac.digest(&secret([3; 32])), mac.digest(&secret([3; 32])));
}

fn a_digest_depends_on_every_bit_of_its_secret(mac: &dyn RefreshTokenMac) {
    let one = mac.digest(&secret([3; 32]));
    for place in 0..256 {
        let mut other = [3; 32];
        for byte in other.iter_mut().skip(place / 8).take(1) {
            *byte ^= 1 << (place % 8);
        }
        assert_ne!(one, mac.digest(&secret(other)), "with bit {place} flipped");
    }
}

fn a_digest_is_not_the_secret_itself(mac: &dyn RefreshTokenMac) {
    for bytes in [[0; 32], [3; 32], [0xff; 32]] {
        assert_ne!(mac.digest(&secret(bytes)).0, bytes);
    }
}
