use super::{Authenticate, AuthenticateError};
use crate::{
    audit::{Actor, AuditContext, Origin},
    changes::{ChangeError, Command, EndSession, EndSessions},
    ports::{Accounts, Clock, PortError, Sessions},
    refresh_token::RefreshToken,
    session::{EndReason, Presented, SessionId, SessionRules},
    steps::{self, RecogniseRefreshToken},
    user::UserId,
};
use std::sync::Arc;
use thiserror::Error;

/// Ends the caller's session, or all of the caller's: from the moment this returns, none of their tokens is accepted
/// anywhere.
pub struct LogOut {
    pub(crate) authenticate: Arc<Authenticate>,
    pub(crate) recognise: Arc<RecogniseRefreshToken>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rules: SessionRules,
}

#[derive(Debug, Error)]
pub enum LogOutError {
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    /// Shaped like a refresh token, and none of ours.
    #[error("the refresh token is not one of ours")]
    RefreshTokenInvalid,
    /// A refresh token that was used before; its session has been ended all the same.
    #[error("the refresh token was used before")]
    RefreshTokenReused,
    #[error("the session has ended already")]
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
    /// `token` is an access token or, for a client whose access token ran out, a refresh token.
    ///
    /// # Errors
    /// Why the token does not stand for a live session; [`PortError`] when it is not known whether anything ended.
    pub async fn execute(&self, token: &str, everywhere: bool, origin: Origin) -> Result<(), LogOutError> {
        if is_jwt(token) {
            let caller = self.authenticate.even_with_a_reset_password(token).await?;
            if !self.end(caller.session(), caller.user().id, everywhere, origin).await? {
                return Err(AuthenticateError::Revoked.into());
            }
        } else {
            let (session, user) = self.holder_of(token, &origin).await?;
            if !self.end(session, user, everywhere, origin).await? {
                return Err(LogOutError::SessionRevoked);
            }
        }
        Ok(())
    }

    /// Returns whether a session was live until now.
    async fn end(
        &self,
        session: SessionId,
        user: UserId,
        everywhere: bool,
        origin: Origin,
    ) -> Result<bool, PortError> {
        let context = AuditContext {
            at: self.clock.now(),
            actor: Actor::User(user),
            origin,
        };
        let reason = EndReason::LoggedOut;
        let command: Arc<dyn Command> = if everywhere {
            Arc::new(EndSessions { user, reason })
        } else {
            Arc::new(EndSession { session, user, reason })
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
            .find(recognised.claim.session)
            .await?
            .filter(|session| recognised.is_of(session))
            .ok_or(LogOutError::RefreshTokenInvalid)?;
        match session.present(recognised.claim.generation, now, &self.rules) {
            Presented::Current | Presented::Repeated { .. } => Ok((session.id, session.holder.user)),
            Presented::Ended => Err(LogOutError::SessionRevoked),
            Presented::Expired => Err(LogOutError::SessionExpired),
            Presented::Reused => {
                let context = AuditContext {
                    at: now,
                    actor: Actor::Anonymous,
                    origin: origin.clone(),
                };
                steps::end_reused(&*self.accounts, &session, context).await?;
                Err(LogOutError::RefreshTokenReused)
            }
        }
    }
}

/// A JWT has dots (RFC 7515, section 3.1), a refresh token has none.
fn is_jwt(token: &str) -> bool {
    token.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::{MockSessionSnapshots, MockSessions, MockTokenVerifier},
        token::SignatureRefused,
        use_cases::fixtures::{
            SESSION, USER, clock, forged, mac, origin, session_rules, stored_session, token, token_rules,
            with_another_secret,
        },
    };

    fn log_out(expect: impl FnOnce(&mut MockSessions)) -> LogOut {
        let mut sessions = MockSessions::new();
        sessions.expect_find().returning(|_| Ok(Some(stored_session())));
        expect(&mut sessions);
        over(sessions)
    }

    fn over(sessions: MockSessions) -> LogOut {
        let mut verifier = MockTokenVerifier::new();
        verifier
            .expect_verify()
            .returning(|_| Err(SignatureRefused::Invalid));
        let snapshots = Arc::new(MockSessionSnapshots::new());
        let authenticate = Authenticate::new(Arc::new(verifier), snapshots, clock(), token_rules());
        let recognise = RecogniseRefreshToken::new(mac());
        LogOut::new(
            Arc::new(authenticate),
            Arc::new(recognise),
            Arc::new(sessions),
            clock(),
            session_rules(),
        )
    }

    #[tokio::test]
    async fn a_refresh_token_ends_its_session_and_no_other() {
        let log_out = log_out(|sessions| {
            sessions
                .expect_end()
                .withf(|id, user, reason, _| {
                    *id == SESSION && *user == USER && *reason == EndReason::LoggedOut
                })
                .once()
                .returning(|_, _, _, _| Ok(Ended::Now));
            sessions.expect_end_all().never();
        });
        assert!(log_out.execute(token(5).expose(), false, origin()).await.is_ok());
    }

    #[tokio::test]
    async fn everywhere_ends_them_all() {
        let log_out = log_out(|sessions| {
            sessions.expect_end().never();
            sessions
                .expect_end_all()
                .withf(|user, _, _| *user == USER)
                .once()
                .returning(|_, _, _| Ok(3));
        });
        assert!(log_out.execute(token(5).expose(), true, origin()).await.is_ok());
    }

    #[tokio::test]
    async fn who_loses_the_race_to_log_out_is_told() {
        let log_out = log_out(|sessions| {
            sessions
                .expect_end()
                .once()
                .returning(|_, _, _, _| Ok(Ended::Before));
            sessions.expect_end_all().once().returning(|_, _, _| Ok(0));
        });
        for everywhere in [false, true] {
            let second = log_out.execute(token(5).expose(), everywhere, origin()).await;
            assert!(matches!(second, Err(LogOutError::SessionRevoked)));
        }
    }

    #[tokio::test]
    async fn an_old_refresh_token_ends_the_session_as_stolen() {
        let log_out = log_out(|sessions| {
            sessions
                .expect_end()
                .withf(|_, _, reason, context| {
                    *reason == EndReason::RefreshTokenReused && context.actor == Actor::Anonymous
                })
                .once()
                .returning(|_, _, _, _| Ok(Ended::Now));
        });
        let refused = log_out.execute(token(2).expose(), false, origin()).await;
        assert!(matches!(refused, Err(LogOutError::RefreshTokenReused)));
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
            let log_out = log_out(|sessions| {
                sessions.expect_end().never();
                sessions.expect_end_all().never();
            });
            assert!(log_out.execute(token, true, origin()).await.is_err(), "{token}");
        }
    }

    #[tokio::test]
    async fn a_forged_refresh_token_is_refused_before_anything_is_read() {
        let log_out = over({
            let mut sessions = MockSessions::new();
            sessions.expect_find().never();
            sessions
        });
        let refused = log_out.execute(forged(5).expose(), true, origin()).await;
        assert!(matches!(refused, Err(LogOutError::RefreshTokenInvalid)));
    }

    /// Not as stolen: whoever has the key and the id of a session, which is no secret, must not end it.
    #[tokio::test]
    async fn a_token_with_another_secret_is_invalid_however_old() {
        for generation in [2, 4, 5, 6] {
            let log_out = log_out(|sessions| {
                sessions.expect_end().never();
            });
            let token = with_another_secret(generation);
            let refused = log_out.execute(token.expose(), false, origin()).await;
            assert!(matches!(refused, Err(LogOutError::RefreshTokenInvalid)));
        }
    }
}
