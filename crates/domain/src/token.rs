//! Access tokens: their claims, and the rules for accepting them (RFC 9068; RFC 8725, section 3).

use crate::{
    machine::MachineId,
    principal::PrincipalId,
    role::{Permissions, RoleNames},
    session::SessionId,
    step_up::StepUp,
    user::{Epoch, UserId},
};
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// The `typ` header of an access token (RFC 9068, section 2.1).
pub const TOKEN_TYPE: &str = "at+jwt";
/// Tolerance for an `iat` in the future, to allow for clock skew.
const IAT_TOLERANCE: Duration = Duration::seconds(5);

/// A signed access token in compact form. It is redacted in `Debug` and wiped when dropped.
#[derive(Clone, Debug)]
pub struct AccessToken(SecretString);

impl AccessToken {
    #[must_use]
    pub fn new(compact: String) -> Self {
        Self(SecretString::from(compact))
    }

    /// Returns the text of the token, for the response that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The claims of an access token (RFC 9068, section 2.2). All but `auth_time` and `permissions` are
/// required. Times are seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    pub iss: String,
    pub aud: String,
    pub sub: Uuid,
    pub client_id: String,
    pub iat: i64,
    pub exp: i64,
    pub jti: Uuid,
    /// The session of the token.
    pub sid: Uuid,
    /// The user's epoch when the token was issued.
    pub epoch: i64,
    pub roles: RoleNames,
    /// When the password was last checked in this session (RFC 9068, section 2.2.1). Every token
    /// carries it except those that an earlier version of the service issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// The permissions of the user's roles when the token was issued; present only if enabled by a
    /// setting. They are meant for other services: this service always looks permissions up itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

/// A token whose signature is valid for one of the service's keys. Its claims are not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedToken {
    /// The id of the key that signed it.
    pub kid: String,
    /// The `typ` header, unmodified.
    pub token_type: Option<String>,
    pub claims: AccessClaims,
}

/// Why a token was rejected before its claims were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureRefused {
    /// The text is not a signed JWT.
    #[error("the token is malformed")]
    Malformed,
    /// The token has an unknown key, an algorithm other than the key's, a header that supplies its
    /// own key or unsupported rules, a wrong signature, or claims in an unknown format.
    #[error("the token was not issued by this service")]
    Invalid,
}

/// Why a correctly signed token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ClaimsRefused {
    #[error("the token is not meant for this service")]
    Invalid,
    #[error("the token has expired")]
    Expired,
}

/// Claims shared by all access tokens of this service, their lifetime, and how long they suffice
/// for changes that require a recent check of the password.
#[derive(Clone, Debug)]
pub struct TokenRules {
    pub issuer: String,
    pub audience: String,
    pub client_id: String,
    pub access_ttl: Duration,
    /// How long a check of the password suffices.
    pub step_up_max_age: Duration,
}

/// The identity in an accepted token. Storage decides each time whether its session is still valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenIdentity {
    pub principal: PrincipalId,
    pub session: SessionId,
    pub epoch: Epoch,
}

/// What an accepted token proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedToken {
    pub identity: TokenIdentity,
    /// Whether the token suffices for changes that require a recent check of the password. A
    /// property of the token, not of its session: a later check does not make an earlier token
    /// sufficient, which may have been copied.
    pub step_up: StepUp,
}

impl TokenRules {
    /// Returns the expiry, in seconds since the Unix epoch, of a token issued at `now` for a
    /// session that expires at `session_expires_at`.
    #[must_use]
    pub fn expiry(&self, now: DateTime<Utc>, session_expires_at: DateTime<Utc>) -> i64 {
        (now + self.access_ttl).min(session_expires_at).timestamp()
    }

    /// Checks the type and the claims of a token, which needs no I/O.
    ///
    /// # Errors
    /// Returns the first rule that the token violates.
    pub fn accept(&self, token: &SignedToken, now: DateTime<Utc>) -> Result<AcceptedToken, ClaimsRefused> {
        let claims = &token.claims;
        let is_ours = token.token_type.as_deref() == Some(TOKEN_TYPE)
            && claims.iss == self.issuer
            && claims.aud == self.audience
            && claims.iat <= (now + IAT_TOLERANCE).timestamp()
            && claims.iat <= claims.exp
            && claims.auth_time.is_none_or(|checked| checked <= claims.iat);
        let principal = self.principal_of(claims);
        let Some(principal) = principal.filter(|_| is_ours) else {
            return Err(ClaimsRefused::Invalid);
        };
        if now.timestamp() >= claims.exp {
            return Err(ClaimsRefused::Expired);
        }
        Ok(AcceptedToken {
            identity: TokenIdentity {
                principal,
                session: SessionId(claims.sid),
                epoch: Epoch(claims.epoch),
            },
            step_up: StepUp::at(now, claims.auth_time, self.step_up_max_age),
        })
    }

    /// Returns the principal that a token with `claims` was issued to: a machine is its own client
    /// (RFC 9068, section 2.2). `None` for the token of a foreign client.
    fn principal_of(&self, claims: &AccessClaims) -> Option<PrincipalId> {
        if claims.client_id == self.client_id {
            Some(PrincipalId::User(UserId(claims.sub)))
        } else if claims.client_id == claims.sub.to_string() {
            Some(PrincipalId::Machine(MachineId(claims.sub)))
        } else {
            None
        }
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
            step_up_max_age: Duration::minutes(5),
        }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("chrono represents the second")
    }

    fn token() -> SignedToken {
        SignedToken {
            kid: "one".to_owned(),
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
                auth_time: Some(900),
                permissions: None,
            },
        }
    }

    #[test]
    fn a_token_is_accepted_from_its_second_until_its_expiry() {
        for (now, expected) in [
            (994, Err(ClaimsRefused::Invalid)),
            (995, Ok(())),
            (1000, Ok(())),
            (1899, Ok(())),
            (1900, Err(ClaimsRefused::Expired)),
            (9999, Err(ClaimsRefused::Expired)),
        ] {
            assert_eq!(
                rules().accept(&token(), at(now)).map(|_| ()),
                expected,
                "at {now}"
            );
        }
    }

    #[test]
    fn the_accepted_identity_comes_from_the_claims() {
        let accepted = rules().accept(&token(), at(1000)).expect("the token is accepted");
        assert_eq!(
            accepted.identity,
            TokenIdentity {
                principal: UserId(Uuid::from_u128(1)).into(),
                session: SessionId(Uuid::from_u128(2)),
                epoch: Epoch(4)
            }
        );
    }

    #[test]
    fn a_token_whose_subject_is_its_client_is_that_of_a_machine() {
        let mut token = token();
        token.claims.client_id = token.claims.sub.to_string();
        let accepted = rules().accept(&token, at(1000)).expect("the token is accepted");
        let machine = MachineId(Uuid::from_u128(1));
        assert_eq!(accepted.identity.principal, PrincipalId::Machine(machine));
        token.claims.client_id = Uuid::from_u128(3).to_string();
        assert_eq!(rules().accept(&token, at(1000)), Err(ClaimsRefused::Invalid));
    }

    #[test]
    fn an_accepted_token_suffices_for_changes_while_its_check_of_the_password_is_recent() {
        let required = StepUp::Required {
            max_age: Duration::minutes(5),
        };
        for (auth_time, now, expected) in [
            (Some(900), 1_000, StepUp::Recent),
            (Some(900), 1_200, StepUp::Recent),
            (Some(900), 1_201, required),
            (Some(1_000), 1_201, StepUp::Recent),
            (None, 1_000, required),
        ] {
            let mut token = token();
            token.claims.auth_time = auth_time;
            let accepted = rules().accept(&token, at(now)).expect("the token is accepted");
            assert_eq!(accepted.step_up, expected, "{auth_time:?} at {now}");
        }
    }

    #[test]
    fn a_token_without_the_time_of_the_check_is_accepted() {
        let mut claims = serde_json::to_value(token().claims).expect("the claims can be serialized");
        claims
            .as_object_mut()
            .expect("the claims are a JSON object")
            .remove("auth_time");
        let claims: AccessClaims = serde_json::from_value(claims).expect("the claim is optional");
        assert_eq!(claims.auth_time, None);
        let token = SignedToken { claims, ..token() };
        assert!(rules().accept(&token, at(1000)).is_ok());
    }

    type Spoil = fn(&mut SignedToken);

    #[test]
    fn tokens_of_another_type_issuer_or_audience_are_rejected() {
        let spoilers: [(&str, Spoil); 9] = [
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
            ("issued before the password was checked", |token| {
                token.claims.auth_time = Some(1001);
            }),
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
        let whole = serde_json::to_value(token().claims).expect("the claims can be serialized");
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
            gap.as_object_mut()
                .expect("the claims are a JSON object")
                .remove(claim);
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
        fn no_instant_makes_the_check_panic(now in -8_000_000_000_000_i64..8_000_000_000_000, iat: i64, exp: i64, auth_time: i64) {
            let mut token = token();
            token.claims.iat = iat;
            token.claims.exp = exp;
            token.claims.auth_time = Some(auth_time);
            if rules().accept(&token, at(now)).is_ok() {
                prop_assert!(auth_time <= iat && iat <= now + 5 && now < exp);
            }
        }
    }
}
