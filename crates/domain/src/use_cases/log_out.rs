use super::{Authenticate, AuthenticateError, RecogniseRefreshToken, Recognised};
use crate::{
    audit::{Actor, Origin, Stamp},
    ports::{Clock, Ended, PortError, Sessions},
    refresh_token::RefreshToken,
    session::{EndReason, Presented, SessionId, SessionRules},
    user::UserId,
};
use std::sync::Arc;
use thiserror::Error;

/// Ends the caller's session, or all of the caller's: from the moment this returns, none of their tokens is accepted
/// anywhere.
pub struct LogOut {
    authenticate: Arc<Authenticate>,
    recognise: Arc<RecogniseRefreshToken>,
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
    rules: SessionRules,
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
    pub fn new(
        authenticate: Arc<Authenticate>,
        recognise: Arc<RecogniseRefreshToken>,
        sessions: Arc<dyn Sessions>,
        clock: Arc<dyn Clock>,
        rules: SessionRules,
    ) -> Self {
        Self {
            authenticate,
            recognise,
            sessions,
            clock,
            rules,
        }
    }

    /// `token` is an access token or, for a client whose access token ran out, a refresh token.
    ///
    /// # Errors
    /// Why the token does not stand for a live session; [`PortError`] when it is not known whether anything ended.
    pub async fn execute(&self, token: &str, everywhere: bool, origin: Origin) -> Result<(), LogOutError> {
        if is_jwt(token) {
            let caller = self.authenticate.even_with_a_reset_password(token).await?;
            match self
                .end(caller.session(), caller.user().id, everywhere, origin)
                .await?
            {
                Ended::Now => Ok(()),
                Ended::Before => Err(AuthenticateError::Revoked.into()),
            }
        } else {
            let (session, user) = self.holder_of(token, &origin).await?;
            match self.end(session, user, everywhere, origin).await? {
                Ended::Now => Ok(()),
                Ended::Before => Err(LogOutError::SessionRevoked),
            }
        }
    }

    async fn end(
        &self,
        session: SessionId,
        user: UserId,
        everywhere: bool,
        origin: Origin,
    ) -> Result<Ended, PortError> {
        let stamp = Stamp {
            at: self.clock.now(),
            actor: Actor::User(user),
            origin,
        };
        if !everywhere {
            return self
                .sessions
                .end(session, user, EndReason::LoggedOut, stamp)
                .await;
        }
        match self.sessions.end_all(user, EndReason::LoggedOut, stamp).await? {
            0 => Ok(Ended::Before),
            _ => Ok(Ended::Now),
        }
    }

    async fn holder_of(&self, token: &str, origin: &Origin) -> Result<(SessionId, UserId), LogOutError> {
        let now = self.clock.now();
        let token = RefreshToken::new(token.to_owned());
        let Recognised { session, generation } = self
            .recognise
            .execute(&token)
            .await?
            .ok_or(LogOutError::RefreshTokenInvalid)?;
        match session.present(generation, now, &self.rules) {
            Presented::Current(_) | Presented::Repeated { .. } => Ok((session.id, session.holder.user)),
            Presented::Ended => Err(LogOutError::SessionRevoked),
            Presented::Expired => Err(LogOutError::SessionExpired),
            Presented::Stolen => {
                let stamp = Stamp {
                    at: now,
                    actor: Actor::Anonymous,
                    origin: origin.clone(),
                };
                let reason = EndReason::RefreshTokenReused;
                self.sessions
                    .end(session.id, session.holder.user, reason, stamp)
                    .await?;
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
        ports::{MockSessionViews, MockSessions, MockTokenVerifier},
        refresh_token::RefreshClaim,
        session::Generation,
        token::SignatureRefused,
        use_cases::fixtures::{
            SESSION, USER, clock, mac, origin, session_rules, stored_session, token_rules,
        },
    };

    fn log_out(expect: impl FnOnce(&mut MockSessions)) -> LogOut {
        let mut verifier = MockTokenVerifier::new();
        verifier
            .expect_verify()
            .returning(|_| Err(SignatureRefused::Invalid));
        let views = Arc::new(MockSessionViews::new());
        let authenticate = Authenticate::new(Arc::new(verifier), views, clock(), token_rules());
        let mut sessions = MockSessions::new();
        sessions.expect_find().returning(|_| Ok(Some(stored_session())));
        expect(&mut sessions);
        let sessions = Arc::new(sessions);
        let recognise = RecogniseRefreshToken::new(sessions.clone(), mac());
        LogOut::new(
            Arc::new(authenticate),
            Arc::new(recognise),
            sessions,
            clock(),
            session_rules(),
        )
    }

    fn refresh_token(generation: u32) -> String {
        let claim = RefreshClaim {
            session: SESSION,
            generation: Generation(generation),
        };
        claim.seal(&[7; 32]).expose().to_owned()
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
        assert!(log_out.execute(&refresh_token(5), false, origin()).await.is_ok());
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
        assert!(log_out.execute(&refresh_token(5), true, origin()).await.is_ok());
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
            let second = log_out.execute(&refresh_token(5), everywhere, origin()).await;
            assert!(matches!(second, Err(LogOutError::SessionRevoked)));
        }
    }

    #[tokio::test]
    async fn an_old_refresh_token_ends_the_session_as_stolen() {
        let log_out = log_out(|sessions| {
            sessions
                .expect_end()
                .withf(|_, _, reason, stamp| {
                    *reason == EndReason::RefreshTokenReused && stamp.actor == Actor::Anonymous
                })
                .once()
                .returning(|_, _, _, _| Ok(Ended::Now));
        });
        let refused = log_out.execute(&refresh_token(2), false, origin()).await;
        assert!(matches!(refused, Err(LogOutError::RefreshTokenReused)));
    }

    #[tokio::test]
    async fn a_forged_token_of_either_kind_ends_nothing() {
        let forged = RefreshClaim {
            session: SESSION,
            generation: Generation(5),
        }
        .seal(&[0; 32]);
        for token in ["a.b.c", forged.expose(), "", "nonsense"] {
            let log_out = log_out(|sessions| {
                sessions.expect_end().never();
            });
            assert!(log_out.execute(token, true, origin()).await.is_err(), "{token}");
        }
    }
}
