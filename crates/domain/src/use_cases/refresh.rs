use crate::{
    audit::Origin,
    ports::{Accounts, Clock, PortError, Rotated, Sessions},
    refresh_token::RefreshToken,
    session::{Presented, Rotation, SessionRules, StoredSession},
    steps::{self, IssueTokens, RecogniseRefreshToken, Recognised, TokenPair},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use thiserror::Error;

/// The maximum number of attempts to rotate a session. The second is needed only if the session
/// reaches the token's generation right after the first.
const MAX_TRIES: u32 = 3;

/// Exchanges a refresh token for its successor and a new access token (RFC 6749, section 6; RFC
/// 9700, section 4.14.2).
///
/// Most tokens are valid, so this rotates the session first, in one statement, and reads it only if
/// the rotation had no effect.
pub struct Refresh {
    pub(crate) recognise: Arc<RecogniseRefreshToken>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) issue_tokens: Arc<IssueTokens>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rules: SessionRules,
}

/// Why a refresh token was not exchanged.
#[derive(Debug, Error)]
pub enum RefreshError {
    /// This service did not issue the token.
    #[error("the refresh token was not issued by this service")]
    Invalid,
    /// The token was reused, so another client may hold a copy. The session has been ended.
    #[error("the refresh token was reused")]
    Reused,
    #[error("the session has ended")]
    SessionRevoked,
    #[error("the session has expired")]
    SessionExpired,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Refresh {
    /// Returns the next tokens of the session that `token` belongs to.
    ///
    /// # Errors
    /// Returns a [`RefreshError`]. [`RefreshError::Reused`] means that the session has been ended.
    /// After [`RefreshError::Port`] the session may have been rotated; the token then stays valid
    /// for at least the grace window. After any other error the session is unchanged.
    pub async fn execute(&self, token: &RefreshToken, origin: Origin) -> Result<TokenPair, RefreshError> {
        let recognised = self.recognise.execute(token).ok_or(RefreshError::Invalid)?;
        for _ in 0..MAX_TRIES {
            // Read the clock once, before storage, so that rotation and classification use the same
            // instant and a slow response does not shift the grace window.
            let now = self.clock.now();
            if let Rotated::Done(session) = self.rotate(&recognised, now).await? {
                let secret = recognised.claim.secret;
                return Ok(self.issue_tokens.issue(&session, secret, now).await?);
            }
            let session = self.find(&recognised).await?;
            match session.present(recognised.claim.generation, now, &self.rules) {
                // The session reached the token's generation after the rotation failed: try again.
                Presented::Current => {}
                Presented::Repeated { .. } => {
                    let secret = recognised.claim.secret;
                    return Ok(self.issue_tokens.issue(&session, secret, now).await?);
                }
                Presented::Reused => {
                    steps::end_reused(&*self.accounts, &session, now, origin).await?;
                    return Err(RefreshError::Reused);
                }
                Presented::Ended => return Err(RefreshError::SessionRevoked),
                Presented::Expired => return Err(RefreshError::SessionExpired),
            }
        }
        Err(PortError::Overloaded.into())
    }

    /// Rotates the session, unless the token has the last generation, which has no successor.
    /// Reading the session then shows whether the token is valid.
    async fn rotate(&self, recognised: &Recognised, now: DateTime<Utc>) -> Result<Rotated, PortError> {
        let Recognised { claim, secret_digest } = recognised;
        match Rotation::step(claim.session, *secret_digest, claim.generation, now, &self.rules) {
            Some(rotation) => self.sessions.rotate(rotation).await,
            None => Ok(Rotated::Lost),
        }
    }

    async fn find(&self, recognised: &Recognised) -> Result<StoredSession, RefreshError> {
        let found = self.sessions.find(recognised.claim.session).await?;
        found
            .filter(|session| recognised.is_of(session))
            .ok_or(RefreshError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Actor,
        changes::{EndSessionsOf, Facts, OwnedSession},
        fixtures::{SECRET, SESSION, USER, now, origin, roles, stored_session},
        ports::{MockAccounts, MockClock, MockSessions},
        refresh_token::RefreshClaim,
        session::{EndReason, Generation},
        use_cases::fixtures::{
            accounts_with, clock, expect_change, forged, issue_tokens, mac, session_rules, token,
            with_another_secret,
        },
        user::UserStatus,
    };
    use chrono::Duration;

    /// Creates the use case over sessions configured by `expect`. Any other call fails the test,
    /// and so does any change.
    fn over(expect: impl FnOnce(&mut MockSessions)) -> Refresh {
        over_at(clock(), MockAccounts::new(), expect)
    }

    fn over_at(
        clock: Arc<dyn Clock>,
        accounts: MockAccounts,
        expect: impl FnOnce(&mut MockSessions),
    ) -> Refresh {
        let mut sessions = MockSessions::new();
        expect(&mut sessions);
        Refresh {
            recognise: Arc::new(RecogniseRefreshToken::new(mac())),
            accounts: Arc::new(accounts),
            sessions: Arc::new(sessions),
            issue_tokens: issue_tokens(),
            clock,
            rules: session_rules(),
        }
    }

    /// Creates the use case over a session that does not rotate because its state is `found`, which
    /// is read once. Any change fails the test.
    fn lost(found: StoredSession) -> Refresh {
        lost_over(MockAccounts::new(), found)
    }

    fn lost_over(accounts: MockAccounts, found: StoredSession) -> Refresh {
        over_at(clock(), accounts, |sessions| {
            sessions.expect_rotate().once().returning(|_| Ok(Rotated::Lost));
            sessions
                .expect_find()
                .withf(|id| *id == SESSION)
                .once()
                .return_once(|_| Ok(Some(found)));
        })
    }

    fn live() -> Facts {
        Facts {
            session: Some(OwnedSession {
                user: USER,
                lifetime: stored_session().lifetime,
            }),
            ..Facts::default()
        }
    }

    fn at_generation(generation: u32) -> StoredSession {
        StoredSession {
            generation: Generation(generation),
            ..stored_session()
        }
    }

    fn claim_of(pair: &TokenPair) -> RefreshClaim {
        let (claim, _) =
            RefreshClaim::parse(pair.refresh_token.expose()).expect("the refresh token is well formed");
        claim
    }

    fn generation_of(pair: &TokenPair) -> u32 {
        claim_of(pair).generation.0
    }

    #[tokio::test]
    async fn the_current_token_is_rotated_in_one_call_and_carries_the_new_roles() {
        let refresh = over(|sessions| {
            sessions
                .expect_rotate()
                .withf(|rotation| {
                    *rotation
                        == Rotation {
                            session: SESSION,
                            secret_digest: stored_session().secret_digest,
                            from: Generation(5),
                            to: Generation(6),
                            at: now(),
                            idle_until: now() + session_rules().idle_ttl,
                        }
                })
                .once()
                .returning(|rotation| {
                    let mut session = stored_session().rotated(&rotation);
                    session.holder.roles = roles(&["admin"]);
                    Ok(Rotated::Done(session))
                });
            sessions.expect_find().never();
        });
        let pair = refresh
            .execute(&token(5), origin())
            .await
            .expect("tokens are issued");
        assert_eq!(generation_of(&pair), 6);
        assert_eq!(*claim_of(&pair).secret.expose(), SECRET);
        assert_eq!(pair.access_token.expose(), "epoch=4 roles=admin");
        // The session's maximum lifetime ends in two days, before its idle timeout.
        assert_eq!(pair.refresh_expires_in, Duration::days(2));
    }

    #[tokio::test]
    async fn a_forged_token_causes_no_storage_access() {
        for token in [forged(5), forged(3), RefreshToken::new("nonsense".to_owned())] {
            let refresh = over(|_| {});
            assert!(matches!(
                refresh.execute(&token, origin()).await,
                Err(RefreshError::Invalid)
            ));
        }
    }

    #[tokio::test]
    async fn a_repeated_token_gets_an_identical_successor_and_writes_nothing() {
        let rotated = over(|sessions| {
            sessions
                .expect_rotate()
                .return_once(|rotation| Ok(Rotated::Done(at_generation(4).rotated(&rotation))));
        });
        let first = rotated
            .execute(&token(4), origin())
            .await
            .expect("tokens are issued");
        let just_rotated = StoredSession {
            last_used_at: now() - Duration::seconds(9),
            ..stored_session()
        };
        let refresh = lost(just_rotated);
        let again = refresh
            .execute(&token(4), origin())
            .await
            .expect("tokens are issued");
        assert_eq!(generation_of(&again), 5);
        assert_eq!(again.refresh_token.expose(), first.refresh_token.expose());
    }

    /// The clock is read once, before storage is called.
    #[tokio::test]
    async fn a_slow_storage_does_not_shift_the_grace_window() {
        let mut clock = MockClock::new();
        clock.expect_now().once().return_const(now());
        let refresh = over_at(Arc::new(clock), MockAccounts::new(), |sessions| {
            sessions.expect_rotate().returning(|_| Ok(Rotated::Lost));
            sessions.expect_find().returning(|_| {
                Ok(Some(StoredSession {
                    last_used_at: now() - session_rules().grace + Duration::microseconds(1),
                    ..stored_session()
                }))
            });
        });
        let pair = refresh
            .execute(&token(4), origin())
            .await
            .expect("tokens are issued");
        assert_eq!(generation_of(&pair), 5);
    }

    #[tokio::test]
    async fn a_request_that_loses_the_race_gets_the_winners_successor() {
        let after = StoredSession {
            last_used_at: now(),
            ..at_generation(6)
        };
        let pair = lost(after).execute(&token(5), origin()).await;
        assert_eq!(generation_of(&pair.expect("tokens are issued")), 6);
    }

    #[tokio::test]
    async fn a_request_that_loses_to_a_logout_is_refused() {
        let mut ended = stored_session();
        ended.lifetime.ended = Some(EndReason::LoggedOut);
        let mut disabled = stored_session();
        disabled.holder.status = UserStatus::Disabled;
        for found in [ended, disabled] {
            let refused = lost(found).execute(&token(5), origin()).await;
            assert!(matches!(refused, Err(RefreshError::SessionRevoked)));
        }
    }

    #[tokio::test]
    async fn a_token_that_is_current_after_a_lost_rotation_is_tried_again() {
        let refresh = over(|sessions| {
            let mut tries = 0;
            sessions.expect_rotate().times(2).returning(move |rotation| {
                tries += 1;
                Ok(if tries == 1 {
                    Rotated::Lost
                } else {
                    Rotated::Done(stored_session().rotated(&rotation))
                })
            });
            sessions
                .expect_find()
                .once()
                .returning(|_| Ok(Some(stored_session())));
        });
        let pair = refresh
            .execute(&token(5), origin())
            .await
            .expect("tokens are issued");
        assert_eq!(generation_of(&pair), 6);
    }

    #[tokio::test]
    async fn a_rotation_is_tried_three_times_at_most() {
        let refresh = over(|sessions| {
            sessions.expect_rotate().times(3).returning(|_| Ok(Rotated::Lost));
            sessions
                .expect_find()
                .times(3)
                .returning(|_| Ok(Some(stored_session())));
        });
        assert!(matches!(
            refresh.execute(&token(5), origin()).await,
            Err(RefreshError::Port(PortError::Overloaded))
        ));
    }

    #[tokio::test]
    async fn a_reused_token_ends_the_session() {
        let mut accounts = MockAccounts::new();
        expect_change(&mut accounts, live(), |executed| {
            assert_eq!(executed.context.actor, Actor::Anonymous);
            assert_eq!(executed.context.at, now());
            let change = executed.decided.expect("the rules allow the change");
            let sessions = EndSessionsOf::Sessions(vec![SESSION]);
            assert_eq!(
                change.end_sessions,
                Some((sessions, EndReason::RefreshTokenReused))
            );
        });
        let refresh = lost_over(accounts, stored_session());
        assert!(matches!(
            refresh.execute(&token(3), origin()).await,
            Err(RefreshError::Reused)
        ));
    }

    #[tokio::test]
    async fn a_reused_token_is_reported_even_if_another_request_has_ended_the_session() {
        let refresh = lost_over(accounts_with(Facts::default()), stored_session());
        assert!(matches!(
            refresh.execute(&token(3), origin()).await,
            Err(RefreshError::Reused)
        ));
    }

    #[tokio::test]
    async fn a_reused_token_is_not_reported_as_reused_if_ending_the_session_fails() {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_execute()
            .returning(|_, _| Err(PortError::Overloaded.into()));
        let refresh = lost_over(accounts, stored_session());
        assert!(matches!(
            refresh.execute(&token(3), origin()).await,
            Err(RefreshError::Port(_))
        ));
    }

    #[tokio::test]
    async fn an_expired_session_is_reported() {
        let mut expired = stored_session();
        expired.lifetime.idle_expires_at = now();
        assert!(matches!(
            lost(expired).execute(&token(5), origin()).await,
            Err(RefreshError::SessionExpired)
        ));
    }

    /// The session is read without an attempt to rotate it.
    #[tokio::test]
    async fn the_last_generation_is_classified_without_rotation() {
        for (stored_at, reused) in [(u32::MAX, false), (5, true)] {
            let accounts = if reused {
                accounts_with(live())
            } else {
                MockAccounts::new()
            };
            let refresh = over_at(clock(), accounts, |sessions| {
                sessions.expect_rotate().never();
                sessions
                    .expect_find()
                    .once()
                    .returning(move |_| Ok(Some(at_generation(stored_at))));
            });
            let refused = refresh.execute(&token(u32::MAX), origin()).await;
            match refused.expect_err("the request is refused") {
                RefreshError::SessionExpired => assert!(!reused),
                RefreshError::Reused => assert!(reused),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The token is not reported as reused: a client with the key and a session id, which is
    /// public, must not be able to end the session.
    #[tokio::test]
    async fn a_token_with_another_secret_changes_nothing() {
        for generation in [3, 4, 5, 6, u32::MAX] {
            let refresh = over(|sessions| {
                sessions
                    .expect_rotate()
                    .withf(|rotation| rotation.secret_digest != stored_session().secret_digest)
                    .returning(|_| Ok(Rotated::Lost));
                sessions.expect_find().returning(|_| Ok(Some(stored_session())));
            });
            let token = with_another_secret(generation);
            assert!(matches!(
                refresh.execute(&token, origin()).await,
                Err(RefreshError::Invalid)
            ));
        }
    }

    #[tokio::test]
    async fn a_token_of_an_unknown_session_is_invalid() {
        let refresh = over(|sessions| {
            sessions.expect_rotate().returning(|_| Ok(Rotated::Lost));
            sessions.expect_find().returning(|_| Ok(None));
        });
        assert!(matches!(
            refresh.execute(&token(5), origin()).await,
            Err(RefreshError::Invalid)
        ));
    }

    #[tokio::test]
    async fn a_failure_of_storage_is_reported() {
        let refresh = over(|sessions| {
            sessions
                .expect_rotate()
                .once()
                .returning(|_| Err(PortError::Overloaded));
        });
        assert!(matches!(
            refresh.execute(&token(5), origin()).await,
            Err(RefreshError::Port(_))
        ));
    }
}
