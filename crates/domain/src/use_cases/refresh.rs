use super::{IssueTokens, RecogniseRefreshToken, Recognised, TokenPair};
use crate::{
    audit::{Actor, Origin, Stamp},
    ports::{Clock, PortError, Rotated, Sessions},
    refresh_token::RefreshToken,
    session::{EndReason, Presented, SessionRules, StoredSession},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use thiserror::Error;

/// How often a refresh that lost its race looks again. Once is enough unless the session moves on meanwhile.
const MAX_TRIES: u32 = 3;

/// Trades a refresh token for its successor and a new access token (RFC 6749, section 6; RFC 9700, section 4.14.2).
pub struct Refresh {
    recognise: Arc<RecogniseRefreshToken>,
    sessions: Arc<dyn Sessions>,
    issue_tokens: Arc<IssueTokens>,
    clock: Arc<dyn Clock>,
    rules: SessionRules,
}

#[derive(Debug, Error)]
pub enum RefreshError {
    /// Not one of ours.
    #[error("the refresh token is not one of ours")]
    Invalid,
    /// It was used before; the session has been ended, since somebody else holds a copy.
    #[error("the refresh token was used before")]
    Reused,
    #[error("the session has ended")]
    SessionRevoked,
    #[error("the session has expired")]
    SessionExpired,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Refresh {
    pub fn new(
        recognise: Arc<RecogniseRefreshToken>,
        sessions: Arc<dyn Sessions>,
        issue_tokens: Arc<IssueTokens>,
        clock: Arc<dyn Clock>,
        rules: SessionRules,
    ) -> Self {
        Self {
            recognise,
            sessions,
            issue_tokens,
            clock,
            rules,
        }
    }

    /// # Errors
    /// [`RefreshError`]. After any but [`RefreshError::Reused`] the session is as it was.
    pub async fn execute(&self, token: &RefreshToken, origin: Origin) -> Result<TokenPair, RefreshError> {
        for _ in 0..MAX_TRIES {
            // Read before the storage, so that a slow read cannot stretch the grace window.
            let now = self.clock.now();
            let Recognised { session, generation } = self
                .recognise
                .execute(token)
                .await?
                .ok_or(RefreshError::Invalid)?;
            match session.present(generation, now, &self.rules) {
                Presented::Current(rotation) => {
                    if let Rotated::Now(session) = self.sessions.rotate(rotation).await? {
                        return Ok(self.issue_tokens.issue(&session, now).await?);
                    }
                }
                Presented::Repeated { .. } => return Ok(self.issue_tokens.issue(&session, now).await?),
                Presented::Stolen => return self.end_stolen(&session, now, origin).await,
                Presented::Ended => return Err(RefreshError::SessionRevoked),
                Presented::Expired => return Err(RefreshError::SessionExpired),
            }
        }
        Err(PortError::Overloaded.into())
    }

    async fn end_stolen(
        &self,
        session: &StoredSession,
        now: DateTime<Utc>,
        origin: Origin,
    ) -> Result<TokenPair, RefreshError> {
        let stamp = Stamp {
            at: now,
            actor: Actor::Anonymous,
            origin,
        };
        self.sessions
            .end(
                session.id,
                session.holder.user,
                EndReason::RefreshTokenReused,
                stamp,
            )
            .await?;
        Err(RefreshError::Reused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::{Ended, MockSessions},
        refresh_token::RefreshClaim,
        session::Generation,
        use_cases::fixtures::{
            SESSION, USER, clock, issue_tokens, mac, now, origin, roles, session_rules, stored_session,
        },
    };
    use chrono::Duration;

    fn token(generation: u32) -> RefreshToken {
        RefreshClaim {
            session: SESSION,
            generation: Generation(generation),
        }
        .seal(&[7; 32])
    }

    /// Refreshing over storage that answers `found`, in turn, to each read.
    fn refresh(found: Vec<StoredSession>, expect: impl FnOnce(&mut MockSessions)) -> Refresh {
        let mut reads = MockSessions::new();
        let mut found = found.into_iter();
        reads.expect_find().returning(move |_| Ok(found.next()));
        let mut writes = MockSessions::new();
        expect(&mut writes);
        Refresh::new(
            Arc::new(RecogniseRefreshToken::new(Arc::new(reads), mac())),
            Arc::new(writes),
            issue_tokens(),
            clock(),
            session_rules(),
        )
    }

    fn generation_of(pair: &TokenPair) -> u32 {
        RefreshClaim::parse(pair.refresh_token.expose())
            .expect("a refresh token")
            .0
            .generation
            .0
    }

    #[tokio::test]
    async fn the_current_token_is_rotated_and_the_new_roles_are_carried() {
        let refresh = refresh(vec![stored_session()], |sessions| {
            sessions
                .expect_rotate()
                .withf(|rotation| rotation.from == Generation(5) && rotation.at == now())
                .once()
                .returning(|rotation| {
                    let mut session = stored_session().rotated(&rotation);
                    session.holder.roles = roles(&["admin"]);
                    Ok(Rotated::Now(session))
                });
        });
        let pair = refresh.execute(&token(5), origin()).await.expect("tokens");
        assert_eq!(generation_of(&pair), 6);
        assert_eq!(pair.access_token.expose(), "epoch=4 roles=admin");
    }

    #[tokio::test]
    async fn a_repeated_token_gets_the_same_successor_and_writes_nothing() {
        let just_rotated = StoredSession {
            last_used_at: now() - Duration::seconds(9),
            ..stored_session()
        };
        let refresh = refresh(vec![just_rotated], |sessions| {
            sessions.expect_rotate().never();
            sessions.expect_end().never();
        });
        let pair = refresh.execute(&token(4), origin()).await.expect("tokens");
        assert_eq!(generation_of(&pair), 5);
    }

    #[tokio::test]
    async fn who_loses_the_race_gets_the_winners_successor() {
        let after = StoredSession {
            generation: Generation(6),
            last_used_at: now(),
            ..stored_session()
        };
        let refresh = refresh(vec![stored_session(), after], |sessions| {
            sessions.expect_rotate().once().returning(|_| Ok(Rotated::Lost));
        });
        let pair = refresh.execute(&token(5), origin()).await.expect("tokens");
        assert_eq!(generation_of(&pair), 6);
    }

    #[tokio::test]
    async fn who_loses_to_a_logout_is_told_so() {
        let mut ended = stored_session();
        ended.lifetime.ended = Some(EndReason::LoggedOut);
        let refresh = refresh(vec![stored_session(), ended], |sessions| {
            sessions.expect_rotate().once().returning(|_| Ok(Rotated::Lost));
        });
        let refused = refresh.execute(&token(5), origin()).await;
        assert!(matches!(refused, Err(RefreshError::SessionRevoked)));
    }

    #[tokio::test]
    async fn a_stolen_token_ends_the_session() {
        let refresh = refresh(vec![stored_session()], |sessions| {
            sessions
                .expect_end()
                .withf(|id, user, reason, stamp| {
                    *id == SESSION
                        && *user == USER
                        && *reason == EndReason::RefreshTokenReused
                        && stamp.actor == Actor::Anonymous
                })
                .once()
                .returning(|_, _, _, _| Ok(Ended::Now));
        });
        assert!(matches!(
            refresh.execute(&token(3), origin()).await,
            Err(RefreshError::Reused)
        ));
    }

    #[tokio::test]
    async fn a_theft_that_could_not_be_answered_for_is_not_told_as_done() {
        let refresh = refresh(vec![stored_session()], |sessions| {
            sessions
                .expect_end()
                .returning(|_, _, _, _| Err(PortError::Overloaded));
        });
        assert!(matches!(
            refresh.execute(&token(3), origin()).await,
            Err(RefreshError::Port(_))
        ));
    }

    #[tokio::test]
    async fn an_expired_session_is_told_as_such() {
        let mut expired = stored_session();
        expired.lifetime.idle_expires_at = now();
        let refresh = refresh(vec![expired], |_| {});
        assert!(matches!(
            refresh.execute(&token(5), origin()).await,
            Err(RefreshError::SessionExpired)
        ));
    }

    #[tokio::test]
    async fn a_forged_token_harms_nobody() {
        let refresh = refresh(vec![stored_session()], |sessions| {
            sessions.expect_end().never();
        });
        let forged = RefreshClaim {
            session: SESSION,
            generation: Generation(3),
        }
        .seal(&[0; 32]);
        assert!(matches!(
            refresh.execute(&forged, origin()).await,
            Err(RefreshError::Invalid)
        ));
    }
}
