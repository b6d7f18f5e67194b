use crate::{
    caller::{Caller, SessionInvalid},
    ports::{Clock, PortError, SessionSnapshots, TokenVerifier},
    token::{AcceptedToken, ClaimsRefused, SignatureRefused, TokenRules},
};
use std::sync::Arc;
use thiserror::Error;

/// Identifies the caller from an access token. Checks run in order of cost, so that a forged token
/// never causes I/O.
pub struct Authenticate {
    pub(crate) verifier: Arc<dyn TokenVerifier>,
    pub(crate) snapshots: Arc<dyn SessionSnapshots>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rules: TokenRules,
}

/// Why an access token is rejected. Each variant requires a different reaction of the client.
#[derive(Debug, Error)]
pub enum AuthenticateError {
    #[error("the token is malformed")]
    Malformed,
    #[error("the token was not issued by this service for this purpose")]
    Invalid,
    #[error("the token has expired")]
    Expired,
    /// The session of the token has ended.
    #[error("the session has ended")]
    Revoked,
    /// The user's roles, password or status changed after the token was issued.
    #[error("the user has changed since the token was issued")]
    Outdated,
    /// Another user chose the password; the caller must change it before doing anything else.
    #[error("the password must be changed first")]
    PasswordChangeRequired,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Authenticate {
    /// Verifies the token and returns the caller.
    ///
    /// # Errors
    /// Returns an [`AuthenticateError`]. [`AuthenticateError::Port`] means that the token could not
    /// be checked.
    pub async fn execute(&self, token: &str) -> Result<Caller, AuthenticateError> {
        Self::with_own_password(self.even_with_a_reset_password(token).await?)
    }

    /// Accepts a caller whose password was not reset, after
    /// [`even_with_a_reset_password`](Self::even_with_a_reset_password). Together they are
    /// [`execute`](Self::execute), for an edge that logs which caller was refused.
    ///
    /// # Errors
    /// Returns [`AuthenticateError::PasswordChangeRequired`].
    pub fn with_own_password(caller: Caller) -> Result<Caller, AuthenticateError> {
        if caller.must_change_password() {
            return Err(AuthenticateError::PasswordChangeRequired);
        }
        Ok(caller)
    }

    /// Identifies the caller like [`execute`](Self::execute), but also accepts a caller whose
    /// password was reset. Use it for the operations such a caller may perform: changing the
    /// password and logging out.
    ///
    /// # Errors
    /// Returns an [`AuthenticateError`], except [`AuthenticateError::PasswordChangeRequired`].
    pub async fn even_with_a_reset_password(&self, token: &str) -> Result<Caller, AuthenticateError> {
        let now = self.clock.now();
        let signed = self.verifier.verify(token)?;
        let AcceptedToken { identity, step_up } = self.rules.accept(&signed, now)?;
        let snapshot = self
            .snapshots
            .snapshot_for(identity, now)
            .await?
            .ok_or(SessionInvalid::Revoked)?;
        Ok(snapshot.validate(identity, now)?.with_step_up(step_up))
    }
}

impl From<SignatureRefused> for AuthenticateError {
    fn from(refused: SignatureRefused) -> Self {
        match refused {
            SignatureRefused::Malformed => Self::Malformed,
            SignatureRefused::Invalid => Self::Invalid,
        }
    }
}

impl From<ClaimsRefused> for AuthenticateError {
    fn from(refused: ClaimsRefused) -> Self {
        match refused {
            ClaimsRefused::Invalid => Self::Invalid,
            ClaimsRefused::Expired => Self::Expired,
        }
    }
}

impl From<SessionInvalid> for AuthenticateError {
    fn from(invalid: SessionInvalid) -> Self {
        match invalid {
            SessionInvalid::Revoked => Self::Revoked,
            SessionInvalid::Outdated => Self::Outdated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        caller::SessionSnapshot,
        fixtures::{SESSION, USER, now, stored_session, user, user_in},
        ports::{MockSessionSnapshots, MockTokenVerifier},
        role::Permissions,
        step_up::StepUp,
        token::{AccessClaims, SignedToken},
        use_cases::fixtures::{clock, token_rules},
    };
    use chrono::Duration;
    use uuid::Uuid;

    fn signed() -> SignedToken {
        let rules = token_rules();
        SignedToken {
            kid: "one".to_owned(),
            token_type: Some("at+jwt".to_owned()),
            claims: AccessClaims {
                iss: rules.issuer,
                aud: rules.audience,
                sub: USER.0,
                client_id: rules.client_id,
                iat: now().timestamp(),
                exp: (now() + Duration::minutes(1)).timestamp(),
                jti: Uuid::from_u128(3),
                sid: SESSION.0,
                epoch: 4,
                roles: user().roles,
                auth_time: Some(now().timestamp()),
                permissions: None,
            },
        }
    }

    fn snapshot() -> SessionSnapshot {
        SessionSnapshot {
            session: SESSION,
            lifetime: stored_session().lifetime,
            principal: user().into(),
            permissions: Permissions::new(),
        }
    }

    fn verifier(answer: Result<SignedToken, SignatureRefused>) -> Arc<MockTokenVerifier> {
        let mut verifier = MockTokenVerifier::new();
        let answer = answer.map(Arc::new);
        verifier.expect_verify().once().return_once(move |_| answer);
        Arc::new(verifier)
    }

    fn authenticate(
        verifier: Arc<MockTokenVerifier>,
        expect_snapshots: impl FnOnce(&mut MockSessionSnapshots),
    ) -> Authenticate {
        let mut snapshots = MockSessionSnapshots::new();
        expect_snapshots(&mut snapshots);
        Authenticate {
            verifier,
            snapshots: Arc::new(snapshots),
            clock: clock(),
            rules: token_rules(),
        }
    }

    #[tokio::test]
    async fn a_valid_token_of_a_live_session_is_accepted() {
        let authenticate = authenticate(verifier(Ok(signed())), |snapshots| {
            snapshots
                .expect_snapshot_for()
                .withf(|identity, at| identity.session == SESSION && *at == now())
                .once()
                .returning(|_, _| Ok(Some(Arc::new(snapshot()))));
        });
        let caller = authenticate
            .execute("token")
            .await
            .expect("the token is accepted");
        assert!(caller.is(USER));
    }

    #[tokio::test]
    async fn the_step_up_of_the_caller_comes_from_the_token() {
        let max_age = token_rules().step_up_max_age;
        let oldest = now().timestamp() - max_age.num_seconds();
        for (auth_time, expected) in [
            (Some(oldest), StepUp::Recent),
            (Some(oldest - 1), StepUp::Required { max_age }),
            (None, StepUp::Required { max_age }),
        ] {
            let mut signed = signed();
            signed.claims.auth_time = auth_time;
            let authenticate = authenticate(verifier(Ok(signed)), |snapshots| {
                snapshots
                    .expect_snapshot_for()
                    .returning(|_, _| Ok(Some(Arc::new(snapshot()))));
            });
            let caller = authenticate
                .execute("token")
                .await
                .expect("the token is accepted");
            assert_eq!(caller.step_up(), expected, "{auth_time:?}");
        }
    }

    #[tokio::test]
    async fn a_forged_foreign_or_expired_token_costs_no_read() {
        let mut foreign = signed();
        foreign.claims.aud = "another".to_owned();
        let mut expired = signed();
        expired.claims.iat -= 3600;
        expired.claims.exp = now().timestamp();
        for answer in [
            Err(SignatureRefused::Malformed),
            Err(SignatureRefused::Invalid),
            Ok(foreign),
            Ok(expired),
        ] {
            let authenticate = authenticate(verifier(answer), |snapshots| {
                snapshots.expect_snapshot_for().never();
            });
            assert!(authenticate.execute("token").await.is_err());
        }
    }

    #[tokio::test]
    async fn a_caller_who_must_change_their_password_may_do_only_that() {
        let must_change = || {
            let mut snapshot = snapshot();
            user_in(&mut snapshot).must_change_password = true;
            Ok(Some(Arc::new(snapshot)))
        };
        let strict = authenticate(verifier(Ok(signed())), |snapshots| {
            snapshots
                .expect_snapshot_for()
                .returning(move |_, _| must_change());
        });
        assert!(matches!(
            strict.execute("token").await,
            Err(AuthenticateError::PasswordChangeRequired)
        ));
        let lenient = authenticate(verifier(Ok(signed())), |snapshots| {
            snapshots
                .expect_snapshot_for()
                .returning(move |_, _| must_change());
        });
        assert!(lenient.even_with_a_reset_password("token").await.is_ok());
    }

    #[tokio::test]
    async fn an_unknown_session_is_reported_as_ended() {
        let authenticate = authenticate(verifier(Ok(signed())), |snapshots| {
            snapshots.expect_snapshot_for().returning(|_, _| Ok(None));
        });
        assert!(matches!(
            authenticate.execute("token").await,
            Err(AuthenticateError::Revoked)
        ));
    }

    #[tokio::test]
    async fn unavailable_storage_is_not_reported_as_an_invalid_token() {
        let authenticate = authenticate(verifier(Ok(signed())), |snapshots| {
            snapshots
                .expect_snapshot_for()
                .returning(|_, _| Err(PortError::Unavailable("down".into())));
        });
        assert!(matches!(
            authenticate.execute("token").await,
            Err(AuthenticateError::Port(_))
        ));
    }
}
