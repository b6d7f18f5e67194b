//! Refresh tokens: opaque to clients, `base64url(version . sid . generation . mac)` to us.
//!
//! Nothing of a token is stored. Its MAC is over the rest of it and the session's salt, so that a stolen key without the
//! database, or a stolen database without the key, mints nothing.

use crate::session::{Generation, Salt, SessionId};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use uuid::Uuid;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// version (1), sid (16), generation (4, big-endian).
const BODY_LENGTH: usize = 21;
/// HMAC-SHA256.
pub const MAC_LENGTH: usize = 32;
const LENGTH: usize = BODY_LENGTH + MAC_LENGTH;
/// Characters of a token: 53 bytes in unpadded base64url.
const TEXT_LENGTH: usize = 71;

/// A refresh token on its way to or from a client. Redacted in `Debug`, wiped when dropped.
#[derive(Clone, Debug)]
pub struct RefreshToken(SecretString);

impl RefreshToken {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The token's text, for the answer that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// What a refresh token claims to be, until its MAC was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshClaim {
    pub session: SessionId,
    pub generation: Generation,
}

/// What a MAC is made over: the claim and the session's salt.
pub type MacInput = Zeroizing<[u8; BODY_LENGTH + 32]>;

/// A text that is no refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the refresh token is malformed")]
pub struct NotARefreshToken;

impl RefreshClaim {
    /// What to authenticate for this claim on a session with `salt`.
    #[must_use]
    pub fn mac_input(&self, salt: &Salt) -> MacInput {
        let mut input = Zeroizing::new([0; BODY_LENGTH + 32]);
        let (body, rest) = input.split_at_mut(BODY_LENGTH);
        body.copy_from_slice(&self.body());
        rest.copy_from_slice(&salt.0);
        input
    }

    /// The token with this claim and `mac`.
    #[must_use]
    pub fn seal(&self, mac: &[u8; MAC_LENGTH]) -> RefreshToken {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        let (body, rest) = bytes.split_at_mut(BODY_LENGTH);
        body.copy_from_slice(&self.body());
        rest.copy_from_slice(mac);
        RefreshToken::new(URL_SAFE_NO_PAD.encode(&bytes[..]))
    }

    /// Takes a token apart. The claim is worth nothing until its MAC was checked.
    ///
    /// # Errors
    /// [`NotARefreshToken`] unless `text` is exactly what [`Self::seal`] would write.
    pub fn parse(text: &str) -> Result<(Self, [u8; MAC_LENGTH]), NotARefreshToken> {
        if text.len() != TEXT_LENGTH {
            return Err(NotARefreshToken);
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| NotARefreshToken)?);
        let (version, rest) = bytes.split_first().ok_or(NotARefreshToken)?;
        let (sid, rest) = rest.split_first_chunk::<16>().ok_or(NotARefreshToken)?;
        let (generation, mac) = rest.split_first_chunk::<4>().ok_or(NotARefreshToken)?;
        if *version != VERSION {
            return Err(NotARefreshToken);
        }
        let claim = Self {
            session: SessionId(Uuid::from_bytes(*sid)),
            generation: Generation(u32::from_be_bytes(*generation)),
        };
        Ok((claim, mac.try_into().map_err(|_| NotARefreshToken)?))
    }

    fn body(&self) -> [u8; BODY_LENGTH] {
        let mut body = [VERSION; BODY_LENGTH];
        body[1..17].copy_from_slice(self.session.0.as_bytes());
        body[17..].copy_from_slice(&self.generation.0.to_be_bytes());
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(session: u128, generation: u32) -> RefreshClaim {
        RefreshClaim {
            session: SessionId(Uuid::from_u128(session)),
            generation: Generation(generation),
        }
    }

    #[test]
    fn the_format_does_not_drift() {
        let token = claim(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, 0x1112_1314).seal(&[0xff; 32]);
        assert_eq!(
            token.expose(),
            format!("AQECAwQFBgcICQoLDA0ODxAREhMU{}8", "_".repeat(42))
        );
    }

    #[test]
    fn texts_that_are_no_tokens_are_refused() {
        let good = claim(1, 2).seal(&[3; 32]).expose().to_owned();
        let other_version = format!("Ag{}", &good[2..]);
        let padded = format!("{good}=");
        // 53 bytes leave two unused bits in the last character: they must be zero, or one token had four spellings.
        let other_spelling = format!("{}N", &good[..70]);
        for bad in [
            "",
            "a",
            &good[..70],
            &padded,
            &other_version,
            &other_spelling,
            &" ".repeat(71),
            &"é".repeat(71),
        ] {
            assert_eq!(RefreshClaim::parse(bad), Err(NotARefreshToken), "{bad}");
        }
        assert!(RefreshClaim::parse(&good).is_ok());
    }

    #[test]
    fn what_is_authenticated_covers_the_claim_and_the_salt() {
        let salt = Salt([1; 32]);
        let input = claim(1, 2).mac_input(&salt);
        assert_ne!(input, claim(2, 2).mac_input(&salt));
        assert_ne!(input, claim(1, 3).mac_input(&salt));
        assert_ne!(input, claim(1, 2).mac_input(&Salt([2; 32])));
    }

    proptest! {
        #[test]
        fn sealing_and_parsing_are_inverse(session: u128, generation: u32, mac: [u8; 32]) {
            let token = claim(session, generation).seal(&mac);
            prop_assert_eq!(token.expose().len(), TEXT_LENGTH);
            prop_assert_eq!(RefreshClaim::parse(token.expose()), Ok((claim(session, generation), mac)));
        }

        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = RefreshClaim::parse(&text);
        }

        #[test]
        fn a_token_has_one_spelling(text in "AQ[A-Za-z0-9_-]{69}") {
            if let Ok((claim, mac)) = RefreshClaim::parse(&text) {
                let sealed = claim.seal(&mac);
                prop_assert_eq!(sealed.expose(), text);
            }
        }
    }
}
