use super::{Authenticate, AuthenticateError};
use crate::{
    audit::{Actor, AuditContext, Origin},
    caller::{NotAUser, UserCaller},
    changes::{ChangeError, Command, EndSession, EndSessions},
    ports::{Accounts, Clock, PortError, Sessions},
    refresh_token::RefreshToken,
    session::{EndReason, OriginFingerprint, Presented, SessionId, SessionRules},
    steps::{self, RecogniseRefreshToken},
    user::UserId,
};
use std::sync::Arc;
use thiserror::Error;

/// Ends the caller's session, or all of the caller's sessions. When [`execute`](Self::execute)
/// returns, every replica rejects the tokens of the ended sessions.
pub struct LogOut {
    pub(crate) authenticate: Arc<Authenticate>,
    pub(crate) recognise: Arc<RecogniseRefreshToken>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rules: SessionRules,
}

/// Why no session was ended by a logout.
#[derive(Debug, Error)]
pub enum LogOutError {
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    /// Only users have sessions to end. A machine's token expires soon, and can be revoked.
    #[error(transparent)]
    NotAUser(#[from] NotAUser),
    /// The token has the form of a refresh token, but this service did not issue it.
    #[error("the refresh token was not issued by this service")]
    RefreshTokenInvalid,
    /// The refresh token was reused; its session has been ended.
    #[error("the refresh token was reused")]
    RefreshTokenReused,
    #[error("the session has already ended")]
    SessionRevoked,
    #[error("the session has expired")]
    SessionExpired,
}

impl From<PortError> for LogOutError {
    fn from(error: PortError) -> Self {
        Self::Authenticate(error.into())
    }
}

impl LogOut {
    /// Ends the session of `token`: an access token, or a refresh token for a client whose access
    /// token has expired. Returns the user of the session.
    ///
    /// # Errors
    /// Returns the reason that the token does not belong to a live session, or a [`PortError`] if
    /// it is not known whether a session ended.
    pub async fn execute(
        &self,
        token: &str,
        everywhere: bool,
        origin: Origin,
    ) -> Result<UserId, LogOutError> {
        if is_jwt(token) {
            let caller = self.authenticate.even_with_a_reset_password(token).await?;
            let caller = UserCaller::try_from(caller)?;
            let user = caller.user().id;
            if !self.end(caller.session(), user, everywhere, origin).await? {
                return Err(AuthenticateError::Revoked.into());
            }
            Ok(user)
        } else {
            let (session, user) = self.holder_of(token, &origin).await?;
            if !self.end(session, user, everywhere, origin).await? {
                return Err(LogOutError::SessionRevoked);
            }
            Ok(user)
        }
    }

    /// Ends one session or all of them, and returns whether the session was live until now.
    async fn end(
        &self,
        session: SessionId,
        user: UserId,
        everywhere: bool,
        origin: Origin,
    ) -> Result<bool, PortError> {
        let context = AuditContext::new(self.clock.now(), Actor::User(user), origin);
        let command: Arc<dyn Command> = if everywhere {
            Arc::new(EndSessions {
                user,
                reason: EndReason::SessionsRevoked,
            })
        } else {
            Arc::new(EndSession {
                session,
                user,
                reason: EndReason::LoggedOut,
            })
        };
        match self.accounts.execute(command, context).await {
            Ok(applied) => Ok(applied.sessions_ended > 0),
            Err(ChangeError::Refused(_)) => Ok(false),
            Err(ChangeError::Port(error)) => Err(error),
        }
    }

    async fn holder_of(&self, token: &str, origin: &Origin) -> Result<(SessionId, UserId), LogOutError> {
        let now = self.clock.now();
        let token = RefreshToken::new(token.to_owned());
        let recognised = self
            .recognise
            .execute(&token)
            .ok_or(LogOutError::RefreshTokenInvalid)?;
        let session = self
            .sessions
            .find(recognised.claim.session, now)
            .await?
            .filter(|session| recognised.is_of(session))
            .ok_or(LogOutError::RefreshTokenInvalid)?
            .for_arrival(self.clock.now() - now);
        let fingerprint = OriginFingerprint::of(origin);
        match session.present(recognised.claim.generation, &fingerprint, now, &self.rules) {
            Presented::Current | Presented::Repeated { .. } => Ok((session.id, session.holder.user)),
            Presented::Ended => Err(LogOutError::SessionRevoked),
            Presented::Expired => Err(LogOutError::SessionExpired),
            Presented::Reused => {
                steps::end_reused(&*self.accounts, &session, now, origin.clone()).await?;
                Err(LogOutError::RefreshTokenReused)
            }
        }
    }
}

/// A JWT contains dots (RFC 7515, section 3.1); a refresh token contains none.
fn is_jwt(token: &str) -> bool {
    token.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{Applied, EndSessionsOf, Facts, OwnedSession, fixtures::facts_about},
        fixtures::{
            EPOCH, SESSION, USER, audit_context, now, origin, snapshot_with, stored_session, user, user_in,
        },
        ports::{MockAccounts, MockSessionSnapshots, MockSessions, MockTokenVerifier},
        role::Permissions,
        session::{Burst, Generation},
        token::{AccessClaims, SignatureRefused, SignedToken},
        use_cases::fixtures::{
            accounts_with, clock, expect_change, forged, mac, session_rules, token, token_rules,
            with_another_secret,
        },
    };
    use chrono::Duration;
    use uuid::Uuid;

    const ACCESS_TOKEN: &str = "header.claims.signature";

    /// The content of [`ACCESS_TOKEN`], which belongs to [`SESSION`].
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
                exp: now().timestamp() + 60,
                jti: Uuid::from_u128(3),
                sid: SESSION.0,
                epoch: EPOCH.0,
                roles: user().roles,
                auth_time: Some(now().timestamp()),
                permissions: None,
            },
        }
    }

    /// Creates the use case over storage that finds the session of each refresh token.
    fn log_out(accounts: MockAccounts) -> LogOut {
        let mut sessions = MockSessions::new();
        sessions
            .expect_find()
            .returning(|_, _| Ok(Some(stored_session())));
        over(accounts, sessions)
    }

    /// Creates the use case with a verifier that rejects every access token except
    /// [`ACCESS_TOKEN`], whose user must change their password.
    fn over(accounts: MockAccounts, sessions: MockSessions) -> LogOut {
        let mut verifier = MockTokenVerifier::new();
        verifier.expect_verify().returning(|token| match token {
            ACCESS_TOKEN => Ok(Arc::new(signed())),
            _ => Err(SignatureRefused::Invalid),
        });
        let mut snapshots = MockSessionSnapshots::new();
        snapshots.expect_snapshot_for().returning(|_, _| {
            let mut snapshot = snapshot_with(Permissions::new());
            user_in(&mut snapshot).must_change_password = true;
            Ok(Some(Arc::new(snapshot)))
        });
        let authenticate = Authenticate {
            verifier: Arc::new(verifier),
            snapshots: Arc::new(snapshots),
            clock: clock(),
            rules: token_rules(),
        };
        LogOut {
            authenticate: Arc::new(authenticate),
            recognise: Arc::new(RecogniseRefreshToken::new(mac())),
            accounts: Arc::new(accounts),
            sessions: Arc::new(sessions),
            clock: clock(),
            rules: session_rules(),
        }
    }

    /// Facts about [`user`] and their live session.
    fn live() -> Facts {
        Facts {
            session: Some(OwnedSession::from(&stored_session())),
            ..facts_about(user())
        }
    }

    /// Storage that expects no change.
    fn unchanged() -> MockAccounts {
        let mut accounts = MockAccounts::new();
        accounts.expect_execute().never();
        accounts
    }

    #[tokio::test]
    async fn a_refresh_token_ends_its_session_and_no_other() {
        let mut accounts = MockAccounts::new();
        expect_change(&mut accounts, live(), |executed| {
            assert_eq!(executed.context, audit_context());
            let change = executed.decided.expect("the rules allow the change");
            let expected = (EndSessionsOf::Sessions(vec![SESSION]), EndReason::LoggedOut);
            assert_eq!(change.end_sessions, Some(expected));
        });
        let log_out = log_out(accounts);
        assert!(log_out.execute(token(5).expose(), false, origin()).await.is_ok());
    }

    #[tokio::test]
    async fn an_access_token_ends_its_session_even_if_the_password_has_to_be_changed() {
        let log_out = log_out(accounts_with(live()));
        assert!(log_out.execute(ACCESS_TOKEN, false, origin()).await.is_ok());
    }

    #[tokio::test]
    async fn logging_out_everywhere_ends_all_sessions() {
        for token in [token(5).expose(), ACCESS_TOKEN] {
            let mut accounts = MockAccounts::new();
            expect_change(&mut accounts, live(), |executed| {
                assert_eq!(executed.context, audit_context());
                let change = executed.decided.expect("the rules allow the change");
                let expected = (EndSessionsOf::User(USER), EndReason::SessionsRevoked);
                assert_eq!(change.end_sessions, Some(expected));
            });
            assert!(log_out(accounts).execute(token, true, origin()).await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_request_that_loses_the_race_to_log_out_is_refused() {
        for everywhere in [false, true] {
            let second = log_out(accounts_with(Facts::default()))
                .execute(token(5).expose(), everywhere, origin())
                .await;
            assert!(matches!(second, Err(LogOutError::SessionRevoked)));
            let second = log_out(accounts_with(Facts::default()))
                .execute(ACCESS_TOKEN, everywhere, origin())
                .await;
            assert!(matches!(
                second,
                Err(LogOutError::Authenticate(AuthenticateError::Revoked))
            ));
        }
    }

    #[tokio::test]
    async fn logging_out_everywhere_without_a_live_session_is_refused() {
        let mut accounts = MockAccounts::new();
        accounts.expect_execute().once().returning(|command, context| {
            Ok(Applied {
                change: command.decide(&live(), context.at)?,
                sessions_ended: 0,
            })
        });
        let second = log_out(accounts).execute(token(5).expose(), true, origin()).await;
        assert!(matches!(second, Err(LogOutError::SessionRevoked)));
    }

    #[tokio::test]
    async fn a_failure_of_storage_is_not_reported_as_logged_out() {
        for generation in [5, 2] {
            let mut accounts = MockAccounts::new();
            accounts
                .expect_execute()
                .once()
                .returning(|_, _| Err(PortError::Overloaded.into()));
            let failed = log_out(accounts)
                .execute(token(generation).expose(), false, origin())
                .await;
            assert!(matches!(
                failed,
                Err(LogOutError::Authenticate(AuthenticateError::Port(_)))
            ));
        }
    }

    #[tokio::test]
    async fn an_old_refresh_token_ends_the_session_as_reused() {
        // The token is reported as reused even if another request has ended the session meanwhile.
        for facts in [live(), Facts::default()] {
            let mut accounts = MockAccounts::new();
            expect_change(&mut accounts, facts, |executed| {
                assert_eq!(executed.reads.session, Some(SESSION));
                assert_eq!(executed.context.actor, Actor::Anonymous);
                if let Ok(change) = executed.decided {
                    let reason = change.end_sessions.map(|(_, reason)| reason);
                    assert_eq!(reason, Some(EndReason::RefreshTokenReused));
                }
            });
            let refused = log_out(accounts)
                .execute(token(2).expose(), false, origin())
                .await;
            assert!(matches!(refused, Err(LogOutError::RefreshTokenReused)));
        }
    }

    /// [`stored_session`] was refreshed a second ago, so the token before the current one is within
    /// the grace window.
    #[tokio::test]
    async fn a_repeated_refresh_token_logs_out_unless_it_comes_from_elsewhere() {
        let elsewhere = Origin::new("198.51.100.7".parse().ok(), Some("thief"), None);
        for (origin, reason) in [
            (origin(), EndReason::LoggedOut),
            (elsewhere, EndReason::RefreshTokenReused),
        ] {
            let mut accounts = MockAccounts::new();
            expect_change(&mut accounts, live(), move |executed| {
                let change = executed.decided.expect("the rules allow the change");
                assert_eq!(change.end_sessions.map(|(_, reason)| reason), Some(reason));
            });
            let mut sessions = MockSessions::new();
            sessions.expect_find().returning(|_, _| {
                let mut session = stored_session();
                session.last_rotation.age = Duration::seconds(1);
                Ok(Some(session))
            });
            let done = over(accounts, sessions)
                .execute(token(4).expose(), false, origin)
                .await;
            match reason {
                EndReason::LoggedOut => assert!(done.is_ok()),
                _ => assert!(matches!(done, Err(LogOutError::RefreshTokenReused))),
            }
        }
    }

    /// Three tabs rotated the session from generation 3 to 5, and the first of them logs out.
    #[tokio::test]
    async fn a_token_of_a_burst_logs_out_within_the_window() {
        let grace = session_rules().grace;
        for (age, reason) in [
            (Duration::seconds(2), EndReason::LoggedOut),
            (grace, EndReason::RefreshTokenReused),
        ] {
            let mut accounts = MockAccounts::new();
            expect_change(&mut accounts, live(), move |executed| {
                let change = executed.decided.expect("the rules allow the change");
                assert_eq!(change.end_sessions.map(|(_, reason)| reason), Some(reason));
            });
            let mut sessions = MockSessions::new();
            sessions.expect_find().returning(move |_, _| {
                let mut session = stored_session();
                session.last_rotation.age = Duration::seconds(1);
                session.burst = Some(Burst {
                    from: Generation(3),
                    age,
                });
                Ok(Some(session))
            });
            let done = over(accounts, sessions)
                .execute(token(3).expose(), false, origin())
                .await;
            match reason {
                EndReason::LoggedOut => assert!(done.is_ok()),
                _ => assert!(matches!(done, Err(LogOutError::RefreshTokenReused))),
            }
        }
    }

    #[tokio::test]
    async fn a_forged_token_of_either_kind_ends_nothing() {
        let (forged, with_another_secret) = (forged(5), with_another_secret(5));
        for token in [
            "a.b.c",
            forged.expose(),
            with_another_secret.expose(),
            "",
            "nonsense",
        ] {
            let log_out = log_out(unchanged());
            assert!(log_out.execute(token, true, origin()).await.is_err(), "{token}");
        }
    }

    #[tokio::test]
    async fn a_forged_refresh_token_is_refused_before_any_read() {
        let mut sessions = MockSessions::new();
        sessions.expect_find().never();
        let log_out = over(unchanged(), sessions);
        let refused = log_out.execute(forged(5).expose(), true, origin()).await;
        assert!(matches!(refused, Err(LogOutError::RefreshTokenInvalid)));
    }

    /// The token is not reported as reused: a client with the key and a session id, which is
    /// public, must not be able to end the session.
    #[tokio::test]
    async fn a_token_with_another_secret_is_invalid_however_old() {
        for generation in [2, 4, 5, 6] {
            let log_out = log_out(unchanged());
            let token = with_another_secret(generation);
            let refused = log_out.execute(token.expose(), false, origin()).await;
            assert!(matches!(refused, Err(LogOutError::RefreshTokenInvalid)));
        }
    }
}
