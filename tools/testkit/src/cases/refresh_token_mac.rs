//! The contract of [`RefreshTokenMac`]. That verifying takes the same time for every MAC
//! is a matter of how it is written: the difference would drown in a test's noise. Nor can a test show that a digest does
//! not lead back to its secret.

use domain::{
    ports::RefreshTokenMac,
    refresh_token::{MAC_LENGTH, MacInput, RefreshClaim},
    session::{Generation, SessionId, SessionSecret},
};
use uuid::Uuid;

fn input(session: u128, generation: u32, secret: u8) -> MacInput {
    let claim = RefreshClaim {
        session: SessionId(Uuid::from_u128(session)),
        generation: Generation(generation),
        secret: SessionSecret::new([secret; 32]),
    };
    claim.mac_input()
}

/// # Panics
/// When the MAC breaks the contract.
pub fn one_input_has_one_mac(mac: &dyn RefreshTokenMac) {
    assert_eq!(mac.sign(&input(1, 2, 3)), mac.sign(&input(1, 2, 3)));
}

/// # Panics
/// When the MAC breaks the contract.
pub fn other_inputs_have_other_macs(mac: &dyn RefreshTokenMac) {
    let one = mac.sign(&input(1, 2, 3));
    for other in [input(2, 2, 3), input(1, 3, 3), input(1, 2, 4)] {
        assert_ne!(one, mac.sign(&other));
        assert!(!mac.verify(&other, &one));
    }
}

/// # Panics
/// When the MAC breaks the contract.
pub fn a_mac_verifies_its_own_input(mac: &dyn RefreshTokenMac) {
    let input = input(1, 2, 3);
    assert!(mac.verify(&input, &mac.sign(&input)));
}

/// # Panics
/// When the MAC breaks the contract.
pub fn no_other_mac_verifies(mac: &dyn RefreshTokenMac) {
    let input = input(1, 2, 3);
    let right = mac.sign(&input);
    for place in 0..MAC_LENGTH * 8 {
        let mut wrong = right;
        for byte in wrong.iter_mut().skip(place / 8).take(1) {
            *byte ^= 1 << (place % 8);
        }
        assert!(!mac.verify(&input, &wrong), "with bit {place} turned over");
    }
    for wrong in [[0; MAC_LENGTH], [0xff; MAC_LENGTH]] {
        assert!(!mac.verify(&input, &wrong));
    }
}

fn secret(bytes: [u8; 32]) -> SessionSecret {
    SessionSecret::new(bytes)
}

/// # Panics
/// When the digest breaks the contract.
pub fn one_secret_has_one_digest(mac: &dyn RefreshTokenMac) {
    assert_eq!(mac.digest(&secret([3; 32])), mac.digest(&secret([3; 32])));
}

/// # Panics
/// When the digest breaks the contract.
pub fn a_digest_is_of_all_of_its_secret(mac: &dyn RefreshTokenMac) {
    let one = mac.digest(&secret([3; 32]));
    for place in 0..256 {
        let mut other = [3; 32];
        for byte in other.iter_mut().skip(place / 8).take(1) {
            *byte ^= 1 << (place % 8);
        }
        assert_ne!(one, mac.digest(&secret(other)), "with bit {place} turned over");
    }
}

/// # Panics
/// When the digest breaks the contract.
pub fn a_digest_is_not_the_secret_itself(mac: &dyn RefreshTokenMac) {
    for bytes in [[0; 32], [3; 32], [0xff; 32]] {
        assert_ne!(mac.digest(&secret(bytes)).0, bytes);
    }
}
