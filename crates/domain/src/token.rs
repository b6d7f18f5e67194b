//! Access tokens: what they say and when they are accepted (RFC 9068; RFC 8725, section 3).

use crate::{
    role::{Permissions, RoleNames},
    session::SessionId,
    user::{Epoch, UserId},
};
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// The `typ` header of an access token (RFC 9068, section 2.1).
pub const TOKEN_TYPE: &str = "at+jwt";
/// How far in the future `iat` may lie, for clocks that differ.
const IAT_TOLERANCE: Duration = Duration::seconds(5);

/// A signed access token in compact form. Redacted in `Debug`, wiped when dropped.
#[derive(Clone, Debug)]
pub struct AccessToken(SecretString);

impl AccessToken {
    #[must_use]
    pub fn new(compact: String) -> Self {
        Self(SecretString::from(compact))
    }

    /// The token's text, for the answer that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The claims of an access token (RFC 9068, section 2.2), required but for `permissions`. Times are whole seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    pub iss: String,
    pub aud: String,
    pub sub: Uuid,
    pub client_id: String,
    pub iat: i64,
    pub exp: i64,
    pub jti: Uuid,
    /// The session that the token belongs to.
    pub sid: Uuid,
    /// The user's epoch when the token was issued.
    pub epoch: i64,
    pub roles: RoleNames,
    /// What the roles allowed when the token was issued, for the services behind; there by setting. This service itself
    /// looks permissions up and never believes a token about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

/// A token whose signature is right for a key of ours, its rules not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedToken {
    /// The `typ` header, as it stands.
    pub token_type: Option<String>,
    pub claims: AccessClaims,
}

/// Why a token's text was refused before its claims were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureRefused {
    /// Not a signed JWT at all.
    #[error("the token is malformed")]
    Malformed,
    /// An unknown key, another algorithm than the key's, a header that brings its own key or rules, a wrong
    /// signature, or claims that are not ours.
    #[error("the token is not one of ours")]
    Invalid,
}

/// Why a token of ours is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ClaimsRefused {
    #[error("the token is not meant for this service")]
    Invalid,
    #[error("the token has expired")]
    Expired,
}

/// What every access token of this service says.
#[derive(Clone, Debug)]
pub struct TokenRules {
    pub issuer: String,
    pub audience: String,
    pub client_id: String,
    pub access_ttl: Duration,
}

/// What a token that was accepted vouches for. Whether its session lives is for storage to say, each time it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenIdentity {
    pub user: UserId,
    pub session: SessionId,
    pub epoch: Epoch,
}

impl TokenRules {
    /// When a token issued at `now` for a session that lives until `session_expires_at` expires, to the second.
    #[must_use]
    pub fn expiry(&self, now: DateTime<Utc>, session_expires_at: DateTime<Utc>) -> i64 {
        (now + self.access_ttl).min(session_expires_at).timestamp()
    }

    /// Checks everything about a token that needs no I/O.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn accept(&self, token: &SignedToken, now: DateTime<Utc>) -> Result<TokenIdentity, ClaimsRefused> {
        let claims = &token.claims;
        let is_ours = token.token_type.as_deref() == Some(TOKEN_TYPE)
            && claims.iss == self.issuer
            && claims.aud == self.audience
            && claims.client_id == self.client_id
            && claims.iat <= (now + IAT_TOLERANCE).timestamp()
            && claims.iat <= claims.exp;
        if !is_ours {
            return Err(ClaimsRefused::Invalid);
        }
        if now.timestamp() >= claims.exp {
            return Err(ClaimsRefused::Expired);
        }
        Ok(TokenIdentity {
            user: UserId(claims.sub),
            session: SessionId(claims.sid),
            epoch: Epoch(claims.epoch),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules() -> TokenRules {
        TokenRules {
            issuer: "https://auth.example".to_owned(),
            audience: "api".to_owned(),
            client_id: "authapi".to_owned(),
            access_ttl: Duration::minutes(15),
        }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a valid second")
    }

    fn token() -> SignedToken {
        SignedToken {
            token_type: Some("at+jwt".to_owned()),
            claims: AccessClaims {
                iss: "https://auth.example".to_owned(),
                aud: "api".to_owned(),
                sub: Uuid::from_u128(1),
                client_id: "authapi".to_owned(),
                iat: 1000,
                exp: 1900,
                jti: Uuid::from_u128(3),
                sid: Uuid::from_u128(2),
                epoch: 4,
                roles: RoleNames::new(),
                permissions: None,
            },
        }
    }

    #[test]
    fn a_token_is_accepted_from_its_second_until_its_expiry() {
        for (now, verdict) in [
            (994, Err(ClaimsRefused::Invalid)),
            (995, Ok(())),
            (1000, Ok(())),
            (1899, Ok(())),
            (1900, Err(ClaimsRefused::Expired)),
            (9999, Err(ClaimsRefused::Expired)),
        ] {
            assert_eq!(rules().accept(&token(), at(now)).map(|_| ()), verdict, "at {now}");
        }
    }

    #[test]
    fn what_is_accepted_is_what_the_token_says() {
        let identity = rules().accept(&token(), at(1000)).expect("a good token");
        assert_eq!(
            identity,
            TokenIdentity {
                user: UserId(Uuid::from_u128(1)),
                session: SessionId(Uuid::from_u128(2)),
                epoch: Epoch(4)
            }
        );
    }

    type Spoil = fn(&mut SignedToken);

    #[test]
    fn a_token_of_another_kind_or_for_another_is_refused() {
        let spoilers: [(&str, Spoil); 8] = [
            ("no typ", |token| token.token_type = None),
            ("an id token", |token| token.token_type = Some("JWT".to_owned())),
            ("typ in capitals", |token| {
                token.token_type = Some("AT+JWT".to_owned());
            }),
            ("another issuer", |token| token.claims.iss.push('/')),
            ("another audience", |token| token.claims.aud = "API".to_owned()),
            ("another client", |token| token.claims.client_id.clear()),
            ("expired before it was issued", |token| token.claims.exp = 999),
            ("issued in the far future", |token| token.claims.iat = i64::MAX),
        ];
        for (what, spoil) in spoilers {
            let mut token = token();
            spoil(&mut token);
            assert_eq!(
                rules().accept(&token, at(1000)),
                Err(ClaimsRefused::Invalid),
                "{what}"
            );
        }
    }

    #[test]
    fn a_token_does_not_outlive_its_session() {
        assert_eq!(rules().expiry(at(1000), at(5000)), 1900);
        assert_eq!(rules().expiry(at(1000), at(1100)), 1100);
    }

    #[test]
    fn claims_with_a_wrong_type_or_a_gap_do_not_parse() {
        let whole = serde_json::to_value(token().claims).expect("claims are JSON");
        for claim in [
            "iss",
            "aud",
            "sub",
            "client_id",
            "iat",
            "exp",
            "jti",
            "sid",
            "epoch",
            "roles",
        ] {
            let mut gap = whole.clone();
            gap.as_object_mut().expect("an object").remove(claim);
            assert!(
                serde_json::from_value::<AccessClaims>(gap).is_err(),
                "without {claim}"
            );
            for wrong in [
                serde_json::json!(null),
                serde_json::json!({}),
                serde_json::json!(1.5),
            ] {
                let mut spoilt = whole.clone();
                spoilt[claim] = wrong;
                assert!(
                    serde_json::from_value::<AccessClaims>(spoilt).is_err(),
                    "a wrong {claim}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn no_instant_makes_the_check_panic(now in -8_000_000_000_000_i64..8_000_000_000_000, iat: i64, exp: i64) {
            let mut token = token();
            token.claims.iat = iat;
            token.claims.exp = exp;
            if rules().accept(&token, at(now)).is_ok() {
                prop_assert!(iat <= now + 5 && now < exp);
            }
        }
    }
}
