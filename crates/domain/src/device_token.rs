//! Device tokens: opaque to clients; internally `base64url(version . sid . mac)`.
//!
//! A login returns one. The next login from the device presents it, and then has a budget of
//! attempts of its own (OWASP, device cookies). It is not a credential: whoever steals it can guess
//! the password of one account at the rate of one budget.

use crate::{login::CanonicalLogin, refresh_token::MAC_LENGTH, session::SessionId};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// The first byte differs from the versions of refresh tokens, whose MACs use the same key.
const VERSION: u8 = 0xd1;
/// version (1 byte), sid (16), mac (32).
const LENGTH: usize = 17 + MAC_LENGTH;

/// A device token received from or sent to a client. It is redacted in `Debug` and wiped when
/// dropped.
#[derive(Clone, Debug)]
pub struct DeviceToken(SecretString);

/// The contents of a device token. They must not be trusted before the MAC is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceClaim {
    /// The session whose login returned the token. While storage has the session, the device is
    /// known, unless the session was [ended](crate::session::EndReason::keeps_place_known) because
    /// its place is not trusted.
    pub session: SessionId,
}

impl DeviceToken {
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

impl DeviceClaim {
    /// Returns the bytes to authenticate. They contain the account, which the token does not: it is
    /// valid only together with the login that it was issued for.
    #[must_use]
    pub fn mac_input(&self, account: &CanonicalLogin) -> Vec<u8> {
        let mut input = self.body().to_vec();
        input.extend_from_slice(account.as_str().as_bytes());
        input
    }

    /// Builds the token from this claim and `mac`.
    #[must_use]
    pub fn seal(&self, mac: &[u8; MAC_LENGTH]) -> DeviceToken {
        let bytes = [&self.body()[..], mac].concat();
        DeviceToken::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Parses a token, or returns `None` unless it is exactly what [`Self::seal`] would write. The
    /// claim must not be trusted before its MAC is verified.
    #[must_use]
    pub fn parse(token: &DeviceToken) -> Option<(Self, [u8; MAC_LENGTH])> {
        let text = token.expose();
        if text.len() != LENGTH.div_ceil(3) * 4 - 2 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (sid, mac) = rest.split_first_chunk::<16>()?;
        if *version != VERSION {
            return None;
        }
        let session = SessionId(Uuid::from_bytes(*sid));
        Some((Self { session }, mac.try_into().ok()?))
    }

    fn body(self) -> [u8; 17] {
        let mut body = [VERSION; 17];
        let (_, sid) = body.split_at_mut(1);
        sid.copy_from_slice(self.session.0.as_bytes());
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::Login;
    use proptest::prelude::*;

    fn account(login: &str) -> CanonicalLogin {
        Login::parse(login)
            .expect("the login is valid")
            .canonical()
            .clone()
    }

    fn claim(session: u128) -> DeviceClaim {
        DeviceClaim {
            session: SessionId(Uuid::from_u128(session)),
        }
    }

    #[test]
    fn the_input_of_the_mac_depends_on_the_session_and_the_account() {
        let one = claim(1).mac_input(&account("alice"));
        assert_eq!(one, claim(1).mac_input(&account("ALICE")));
        assert_ne!(one, claim(2).mac_input(&account("alice")));
        assert_ne!(one, claim(1).mac_input(&account("bobby")));
    }

    #[test]
    fn the_input_of_the_mac_is_never_one_of_a_refresh_token() {
        assert_eq!(claim(1).mac_input(&account("alice")).first(), Some(&0xd1));
    }

    #[test]
    fn debug_output_contains_no_token() {
        let token = claim(1).seal(&[7; MAC_LENGTH]);
        assert!(!format!("{token:?}").contains(token.expose()));
    }

    proptest! {
        #[test]
        fn a_sealed_token_parses_to_its_claim(session: u128, mac: [u8; MAC_LENGTH]) {
            let token = claim(session).seal(&mac);
            prop_assert_eq!(DeviceClaim::parse(&token), Some((claim(session), mac)));
        }

        #[test]
        fn any_other_text_is_no_token(text in ".{0,80}") {
            if let Some((claim, mac)) = DeviceClaim::parse(&DeviceToken::new(text.clone())) {
                let sealed = claim.seal(&mac);
                prop_assert_eq!(sealed.expose(), text);
            }
        }

        #[test]
        fn a_changed_character_changes_or_spoils_the_token(place in 0_usize..66, other in "[A-Za-z0-9_-]") {
            let token = claim(1).seal(&[7; MAC_LENGTH]);
            let mut text = token.expose().to_owned();
            text.replace_range(place..=place, &other);
            let parsed = DeviceClaim::parse(&DeviceToken::new(text.clone()));
            prop_assert_eq!(parsed == Some((claim(1), [7; MAC_LENGTH])), text == token.expose());
        }
    }
}
