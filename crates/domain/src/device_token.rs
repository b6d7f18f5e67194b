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
