//! Refresh tokens: opaque to clients; internally
//! `base64url(version . sid . generation . secret . mac)`.
//!
//! Only a digest of the session's secret is stored; the secret is part of every token of the
//! session. A stolen key without a token of the session, a stolen database, or both together
//! therefore cannot produce a token. The MAC is checked before anything is read from storage.

use crate::session::{Generation, SessionId, SessionSecret};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Version 1 had a per-session salt in the database and no secret.
const VERSION: u8 = 2;
/// version (1 byte), sid (16), generation (4, big-endian), secret (32).
const BODY_LENGTH: usize = 53;
/// Length of HMAC-SHA256 in bytes.
pub const MAC_LENGTH: usize = 32;
const LENGTH: usize = BODY_LENGTH + MAC_LENGTH;
/// Length of a token in characters: 85 bytes in unpadded base64url.
const TEXT_LENGTH: usize = 114;

/// A refresh token received from or sent to a client. It is redacted in `Debug` and wiped when
/// dropped.
#[derive(Clone, Debug)]
pub struct RefreshToken(SecretString);

impl RefreshToken {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// Returns the text of the token, for the response that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The contents of a refresh token. They must not be trusted before the MAC is verified.
#[derive(Clone, Debug)]
pub struct RefreshClaim {
    pub session: SessionId,
    pub generation: Generation,
    pub secret: SessionSecret,
}

/// The input of the MAC: a token without its MAC.
pub type MacInput = Zeroizing<[u8; BODY_LENGTH]>;

/// The error for a text that is not a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the refresh token is malformed")]
pub struct NotARefreshToken;

impl RefreshClaim {
    /// Returns the bytes to authenticate for this claim.
    #[must_use]
    pub fn mac_input(&self) -> MacInput {
        let parts = [VERSION]
            .into_iter()
            .chain(self.session.0.into_bytes())
            .chain(self.generation.0.to_be_bytes())
            .chain(self.secret.expose().iter().copied());
        let mut input = Zeroizing::new([0; BODY_LENGTH]);
        for (to, from) in input.iter_mut().zip(parts) {
            *to = from;
        }
        input
    }

    /// Builds the token from this claim and `mac`.
    #[must_use]
    pub fn seal(&self, mac: &[u8; MAC_LENGTH]) -> RefreshToken {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        let (body, rest) = bytes.split_at_mut(BODY_LENGTH);
        body.copy_from_slice(&self.mac_input()[..]);
        rest.copy_from_slice(mac);
        RefreshToken::new(URL_SAFE_NO_PAD.encode(&bytes[..]))
    }

    /// Parses a token. The claim must not be trusted before its MAC is verified.
    ///
    /// # Errors
    /// Returns [`NotARefreshToken`] unless `text` is exactly what [`Self::seal`] would write.
    pub fn parse(text: &str) -> Result<(Self, [u8; MAC_LENGTH]), NotARefreshToken> {
        if text.len() != TEXT_LENGTH {
            return Err(NotARefreshToken);
        }
        // The bytes are wiped even if the text turns out to be invalid at its end.
        let mut bytes = Zeroizing::new(Vec::with_capacity(TEXT_LENGTH));
        let decoded = URL_SAFE_NO_PAD.decode_vec(text, &mut bytes);
        decoded.map_err(|_| NotARefreshToken)?;
        let (version, rest) = bytes.split_first().ok_or(NotARefreshToken)?;
        let (sid, rest) = rest.split_first_chunk::<16>().ok_or(NotARefreshToken)?;
        let (generation, rest) = rest.split_first_chunk::<4>().ok_or(NotARefreshToken)?;
        let (secret, mac) = rest.split_first_chunk::<32>().ok_or(NotARefreshToken)?;
        if *version != VERSION {
            return Err(NotARefreshToken);
        }
        let claim = Self {
            session: SessionId(Uuid::from_bytes(*sid)),
            generation: Generation(u32::from_be_bytes(*generation)),
            secret: SessionSecret::new(*secret),
        };
        Ok((claim, mac.try_into().map_err(|_| NotARefreshToken)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::array;

    fn claim(session: u128, generation: u32, secret: [u8; 32]) -> RefreshClaim {
        RefreshClaim {
            session: SessionId(Uuid::from_u128(session)),
            generation: Generation(generation),
            secret: SessionSecret::new(secret),
        }
    }

    /// Returns whether two claims are equal, including the secret.
    fn is_same(one: &RefreshClaim, other: &RefreshClaim) -> bool {
        one.mac_input() == other.mac_input()
    }

    #[test]
    fn the_token_format_is_stable() {
        let secret = array::from_fn(|place| 0x20 + u8::try_from(place).expect("the index fits in a byte"));
        let token = claim(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, 0x1112_1314, secret).seal(&[0xff; 32]);
        assert_eq!(
            token.expose(),
            "AgECAwQFBgcICQoLDA0ODxAREhMUICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj___________________________________________w"
        );
    }

    #[test]
    fn malformed_tokens_are_rejected() {
        let good = claim(1, 2, [4; 32]).seal(&[3; 32]).expose().to_owned();
        let padded = format!("{good}==");
        let (next_version, of_the_first_version) = (format!("Aw{}", &good[2..]), format!("AQ{}", &good[2..]));
        // The length of version 1 tokens: 53 bytes.
        let of_the_first_length = format!("AQ{}A", "A".repeat(68));
        for bad in [
            "",
            "a",
            &good[..113],
            &padded,
            &format!("{good}A"),
            &next_version,
            &of_the_first_version,
            &of_the_first_length,
            &good[..71],
            &" ".repeat(114),
            &"é".repeat(57),
            &format!("{}+", &good[..113]),
        ] {
            assert_eq!(RefreshClaim::parse(bad).err(), Some(NotARefreshToken), "{bad}");
        }
        assert!(RefreshClaim::parse(&good).is_ok());
    }

    /// 85 bytes leave four unused bits in the last character. They must be zero; otherwise each
    /// token would have sixteen valid spellings.
    #[test]
    fn unused_bits_of_the_last_character_must_be_zero() {
        let good = claim(1, 2, [4; 32]).seal(&[3; 32]).expose().to_owned();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let accepted: String = alphabet
            .chars()
            .filter(|last| RefreshClaim::parse(&format!("{}{last}", &good[..113])).is_ok())
            .collect();
        assert_eq!(
            accepted, "AQgw",
            "one for each value of the two bits that are used"
        );
    }

    #[test]
    fn the_mac_covers_the_whole_claim() {
        let input = claim(1, 2, [3; 32]).mac_input();
        assert_eq!(input[0], VERSION);
        assert_ne!(input, claim(2, 2, [3; 32]).mac_input());
        assert_ne!(input, claim(1, 3, [3; 32]).mac_input());
        for place in 0..32 {
            let mut secret = [3; 32];
            secret[place] ^= 1;
            assert_ne!(
                input,
                claim(1, 2, secret).mac_input(),
                "byte {place} of the secret"
            );
        }
    }

    #[test]
    fn debug_output_of_claims_and_tokens_contains_no_secret() {
        let claim = claim(1, 2, [7; 32]);
        let (shown, token) = (format!("{claim:?}"), format!("{:?}", claim.seal(&[7; 32])));
        assert!(shown.contains("[REDACTED]") && !shown.contains("7, 7"), "{shown}");
        assert!(token.contains("[REDACTED]") && !token.contains("BwcH"), "{token}");
    }

    proptest! {
        #[test]
        fn sealing_and_parsing_are_inverse(session: u128, generation: u32, secret: [u8; 32], mac: [u8; 32]) {
            let sealed = claim(session, generation, secret);
            let token = sealed.seal(&mac);
            prop_assert_eq!(token.expose().len(), TEXT_LENGTH);
            let (parsed, parsed_mac) = RefreshClaim::parse(token.expose()).expect("a sealed token is well formed");
            prop_assert!(is_same(&parsed, &sealed));
            prop_assert_eq!(parsed_mac, mac);
        }

        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = RefreshClaim::parse(&text);
        }

        #[test]
        fn a_token_has_one_spelling(text in "Ag[A-Za-z0-9_-]{111}[AQgwBx]") {
            if let Ok((claim, mac)) = RefreshClaim::parse(&text) {
                let sealed = claim.seal(&mac);
                prop_assert_eq!(sealed.expose(), text);
            }
        }
    }
}
