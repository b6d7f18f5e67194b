use crate::{
    audit::Origin,
    ports::{Accounts, Clock, PortError, Rotated, Sessions, Throttle},
    refresh_token::RefreshToken,
    session::{OriginFingerprint, OriginLikeness, Presented, Rotation, SessionRules, StoredSession},
    steps::{self, IssueTokens, RecogniseRefreshToken, Recognised, TokenPair},
    throttle::{Attempt, ThrottleDecision},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use thiserror::Error;

/// The maximum number of attempts to exchange a token. A further one is needed only if another
/// request changes the session while this one decides: it rotates or ends the session, or records a
/// replay.
const MAX_TRIES: u32 = 3;

/// Exchanges a refresh token for its successor and a new access token (RFC 6749, section 6; RFC
/// 9700, section 4.14.2).
///
/// Most tokens are valid, so this rotates the session first, in one statement, and reads it only if
/// the rotation had no effect.
pub struct Refresh {
    pub(crate) recognise: Arc<RecogniseRefreshToken>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) throttle: Arc<dyn Throttle>,
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
        let fingerprint = OriginFingerprint::of(&origin);
        // Rotation and classification are both as of the arrival, so that neither a slow response
        // nor a further attempt shifts the grace window.
        let now = self.clock.now();
        for _ in 0..MAX_TRIES {
            if let Rotated::Done(session) = self.rotate(&recognised, fingerprint, now).await? {
                let secret = recognised.claim.secret;
                return Ok(self.issue_tokens.issue(&session, secret, now).await?);
            }
            let session = self.find(&recognised, now).await?;
            match session.present(recognised.claim.generation, &fingerprint, now, &self.rules) {
                // The session reached the token's generation after the rotation failed: try again.
                Presented::Current => {}
                Presented::Repeated { origin: likeness, .. } => {
                    if self
                        .record_replay(&session, likeness, now, origin.clone())
                        .await?
                    {
                        let secret = recognised.claim.secret;
                        return Ok(self.issue_tokens.issue(&session, secret, now).await?);
                    }
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

    /// Records the replay as [`steps::record_replay`] does, or not if the session has used up its
    /// budget: a client that rotates and replays in turns would fill the audit log.
    async fn record_replay(
        &self,
        session: &StoredSession,
        likeness: OriginLikeness,
        now: DateTime<Utc>,
        origin: Origin,
    ) -> Result<bool, PortError> {
        if session.last_rotation.replay_recorded {
            return Ok(true);
        }
        let replay = Attempt::ReplayRefreshToken { session: session.id };
        match self.throttle.take(&replay).await? {
            ThrottleDecision::Allowed | ThrottleDecision::AllowedByFallback => {
                steps::record_replay(&*self.accounts, session, likeness, now, origin).await
            }
            ThrottleDecision::Refused { .. } => Ok(true),
        }
    }

    /// Rotates the session, unless the token has the last generation, which has no successor.
    /// Reading the session then shows whether the token is valid.
    async fn rotate(
        &self,
        recognised: &Recognised,
        origin: OriginFingerprint,
        now: DateTime<Utc>,
    ) -> Result<Rotated, PortError> {
        let (claim, digest) = (&recognised.claim, recognised.secret_digest);
        let rotation = Rotation::step(claim.session, digest, claim.generation, now, origin, &self.rules);
        match rotation {
            Some(rotation) => self.sessions.rotate(rotation).await,
            None => Ok(Rotated::Lost),
        }
    }

    /// Returns the session of a token that arrived at `arrived`.
    async fn find(
        &self,
        recognised: &Recognised,
        arrived: DateTime<Utc>,
    ) -> Result<StoredSession, RefreshError> {
        let found = self
            .sessions
            .find(recognised.claim.session, self.clock.now())
            .await?;
        let session = found
            .filter(|session| recognised.is_of(session))
            .ok_or(RefreshError::Invalid)?;
        Ok(session.for_arrival(self.clock.now() - arrived))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Actor, AuditContext},
        changes::{EndSessionsOf, Facts, OwnedSession, Refusal},
        fixtures::{SECRET, SESSION, now, origin, roles, stored_session},
        ports::{MockAccounts, MockClock, MockSessions, MockThrottle},
        refresh_token::RefreshClaim,
        session::{Burst, EndReason, Generation, LastRotation},
        throttle::BudgetKind,
        use_cases::fixtures::{
            accounts_with, clock, expect_change, forged, issue_tokens, mac, session_rules, token,
            with_another_secret,
        },
        user::UserStatus,
    };
    use chrono::Duration;
    use mockall::predicate::eq;
    use std::time::Duration as StdDuration;

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
            throttle: deciding(ThrottleDecision::Allowed),
            sessions: Arc::new(sessions),
            issue_tokens: issue_tokens(),
            clock,
            rules: session_rules(),
        }
    }

    fn deciding(decision: ThrottleDecision) -> Arc<dyn Throttle> {
        let mut throttle = MockThrottle::new();
        throttle
            .expect_take()
            .with(eq(Attempt::ReplayRefreshToken { session: SESSION }))
            .returning(move |_| Ok(decision));
        Arc::new(throttle)
    }

    /// Creates the use case over a session that does not rotate because its state is `found`, which
    /// is read once. Any change fails the test.
    fn lost(found: StoredSession) -> Refresh {
        lost_over(MockAccounts::new(), found)
    }

    fn lost_over(accounts: MockAccounts, found: StoredSession) -> Refresh {
        lost_over_each(clock(), accounts, vec![found])
    }

    /// Creates the use case over a session that never rotates, and is read in these states, one
    /// after the other.
    fn lost_over_each(clock: Arc<dyn Clock>, accounts: MockAccounts, found: Vec<StoredSession>) -> Refresh {
        over_at(clock, accounts, |sessions| {
            sessions
                .expect_rotate()
                .withf(|rotation| rotation.at == now())
                .times(found.len())
                .returning(|_| Ok(Rotated::Lost));
            let tries = found.len();
            let mut found = found.into_iter();
            sessions
                .expect_find()
                .withf(|id, _| *id == SESSION)
                .times(tries)
                .returning(move |_, _| Ok(found.next()));
        })
    }

    fn live() -> Facts {
        facts_after(|_| {})
    }

    /// The facts about a session after `change`.
    fn facts_after(change: impl FnOnce(&mut OwnedSession)) -> Facts {
        let mut session = OwnedSession::from(&stored_session());
        change(&mut session);
        Facts {
            session: Some(session),
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
                            origin: OriginFingerprint::of(&origin()),
                            grace: session_rules().grace,
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

    /// [`stored_session`], rotated by [`origin`] at this age.
    fn rotated(age: Duration, replay_recorded: bool) -> StoredSession {
        let session = stored_session();
        StoredSession {
            last_rotation: LastRotation {
                age,
                replay_recorded,
                ..session.last_rotation
            },
            ..session
        }
    }

    fn elsewhere() -> Origin {
        Origin::new("198.51.100.7".parse().ok(), Some("thief"), None)
    }

    #[tokio::test]
    async fn a_repeated_token_gets_an_identical_successor() {
        let rotating = over(|sessions| {
            sessions
                .expect_rotate()
                .return_once(|rotation| Ok(Rotated::Done(at_generation(4).rotated(&rotation))));
        });
        let first = rotating
            .execute(&token(4), origin())
            .await
            .expect("tokens are issued");
        let refresh = lost_over(accounts_with(live()), rotated(Duration::seconds(9), false));
        let again = refresh
            .execute(&token(4), origin())
            .await
            .expect("tokens are issued");
        assert_eq!(generation_of(&again), 5);
        assert_eq!(again.refresh_token.expose(), first.refresh_token.expose());
    }

    #[tokio::test]
    async fn the_first_replay_of_a_rotation_is_recorded_with_its_origin() {
        let mut accounts = MockAccounts::new();
        let phone = || Origin::new("198.51.100.7".parse().ok(), Some("curl/8"), None);
        expect_change(&mut accounts, live(), move |executed| {
            assert_eq!(
                executed.context,
                AuditContext::new(now(), Actor::Anonymous, phone())
            );
            let change = executed.decided.expect("the rules allow the change");
            assert_eq!(change.record_replay, Some((SESSION, Generation(5))));
            let event = change.event(0).expect("the replay is recorded");
            let details: Vec<_> = event
                .details
                .iter()
                .map(|(key, value)| (&**key, &**value))
                .collect();
            assert_eq!(details, [("network", "different"), ("user_agent", "same")]);
        });
        let refresh = lost_over(accounts, rotated(Duration::seconds(9), false));
        let pair = refresh.execute(&token(4), phone()).await;
        assert_eq!(generation_of(&pair.expect("tokens are issued")), 5);
    }

    #[tokio::test]
    async fn a_replay_beyond_the_budget_of_the_session_is_answered_and_not_recorded() {
        let refresh = Refresh {
            throttle: deciding(ThrottleDecision::Refused {
                retry_after: StdDuration::from_mins(1),
                budget: BudgetKind::Replays,
            }),
            ..lost(rotated(Duration::seconds(9), false))
        };
        let pair = refresh.execute(&token(4), origin()).await;
        assert_eq!(generation_of(&pair.expect("tokens are issued")), 5);
    }

    #[tokio::test]
    async fn further_replays_write_nothing() {
        let refresh = lost(rotated(Duration::seconds(9), true));
        let pair = refresh.execute(&token(4), origin()).await;
        assert_eq!(generation_of(&pair.expect("tokens are issued")), 5);
    }

    #[tokio::test]
    async fn a_replay_that_another_request_has_recorded_meanwhile_is_answered() {
        let facts = facts_after(|session| session.replay_recorded = true);
        let found = [false, true].map(|recorded| rotated(Duration::seconds(9), recorded));
        let refresh = lost_over_each(clock(), accounts_with(facts), found.into());
        let pair = refresh.execute(&token(4), origin()).await;
        assert_eq!(generation_of(&pair.expect("tokens are issued")), 5);
    }

    /// Another tab uses the successor after this request has read the session.
    #[tokio::test]
    async fn a_replay_during_another_rotation_gets_the_newer_token_and_is_recorded() {
        let newer = || facts_after(|session| session.generation = Generation(6));
        let mut accounts = accounts_with(newer());
        expect_change(&mut accounts, newer(), |executed| {
            let change = executed.decided.expect("the rules allow the change");
            assert_eq!(change.record_replay, Some((SESSION, Generation(6))));
        });
        let later = StoredSession {
            generation: Generation(6),
            burst: Some(Burst {
                from: Generation(4),
                age: Duration::seconds(9),
            }),
            ..rotated(Duration::zero(), false)
        };
        let found = vec![rotated(Duration::seconds(9), false), later];
        let refresh = lost_over_each(clock(), accounts, found);
        let pair = refresh.execute(&token(4), origin()).await;
        assert_eq!(generation_of(&pair.expect("tokens are issued")), 6);
    }

    #[tokio::test]
    async fn a_replay_during_a_logout_gets_no_tokens() {
        let ended = |session: &mut OwnedSession| session.lifetime.ended = Some(EndReason::LoggedOut);
        let mut later = rotated(Duration::seconds(9), false);
        later.lifetime.ended = Some(EndReason::LoggedOut);
        let found = vec![rotated(Duration::seconds(9), false), later];
        let refresh = lost_over_each(clock(), accounts_with(facts_after(ended)), found);
        let refused = refresh.execute(&token(4), origin()).await;
        assert!(matches!(refused, Err(RefreshError::SessionRevoked)));
    }

    /// The first attempt takes half a second, after which the window is over.
    #[tokio::test]
    async fn a_further_attempt_judges_a_replay_as_of_its_arrival() {
        let mut clock = MockClock::new();
        let mut reads = 0;
        clock.expect_now().returning(move || {
            reads += 1;
            now() + Duration::milliseconds(if reads <= 3 { 0 } else { 500 })
        });
        let facts = facts_after(|session| session.replay_recorded = true);
        let age = session_rules().grace - Duration::milliseconds(1);
        let found = vec![
            rotated(age, false),
            rotated(age + Duration::milliseconds(500), true),
        ];
        let refresh = lost_over_each(Arc::new(clock), accounts_with(facts), found);
        let pair = refresh.execute(&token(4), origin()).await;
        assert_eq!(generation_of(&pair.expect("tokens are issued")), 5);
    }

    #[tokio::test]
    async fn a_replay_gets_no_tokens_if_the_session_changes_during_three_attempts() {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_execute()
            .times(3)
            .returning(|_, _| Err(Refusal::ReplayRecorded.into()));
        let found = vec![rotated(Duration::seconds(9), false); 3];
        let refresh = lost_over_each(clock(), accounts, found);
        assert!(matches!(
            refresh.execute(&token(4), origin()).await,
            Err(RefreshError::Port(PortError::Overloaded))
        ));
    }

    #[tokio::test]
    async fn a_replay_that_cannot_be_recorded_gets_no_tokens() {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_execute()
            .returning(|_, _| Err(PortError::Overloaded.into()));
        let refresh = lost_over(accounts, rotated(Duration::seconds(9), false));
        assert!(matches!(
            refresh.execute(&token(4), origin()).await,
            Err(RefreshError::Port(PortError::Overloaded))
        ));
    }

    #[tokio::test]
    async fn a_replay_from_another_network_and_user_agent_ends_the_session() {
        let mut accounts = MockAccounts::new();
        expect_change(&mut accounts, live(), |executed| {
            assert_eq!(executed.context.origin, elsewhere());
            let change = executed.decided.expect("the rules allow the change");
            let sessions = EndSessionsOf::Sessions(vec![SESSION]);
            assert_eq!(
                change.end_sessions,
                Some((sessions, EndReason::RefreshTokenReused))
            );
        });
        let refresh = lost_over(accounts, rotated(Duration::seconds(1), true));
        assert!(matches!(
            refresh.execute(&token(4), elsewhere()).await,
            Err(RefreshError::Reused)
        ));
    }

    /// [`stored_session`] at generation 5, which three tabs rotated from generation 3: the first at
    /// this age, the last one second ago.
    fn rotated_by_tabs(age: Duration, replay_recorded: bool) -> StoredSession {
        StoredSession {
            burst: Some(Burst {
                from: Generation(3),
                age,
            }),
            ..rotated(Duration::seconds(1), replay_recorded)
        }
    }

    /// Storage of accounts in which the session is ended as reused.
    fn ending_as_reused() -> MockAccounts {
        let mut accounts = MockAccounts::new();
        expect_change(&mut accounts, live(), |executed| {
            let change = executed.decided.expect("the rules allow the change");
            let sessions = EndSessionsOf::Sessions(vec![SESSION]);
            assert_eq!(
                change.end_sessions,
                Some((sessions, EndReason::RefreshTokenReused))
            );
        });
        accounts
    }

    #[tokio::test]
    async fn tabs_that_present_the_first_token_of_a_burst_get_the_current_one() {
        let rotating = over(|sessions| {
            sessions
                .expect_rotate()
                .return_once(|rotation| Ok(Rotated::Done(at_generation(4).rotated(&rotation))));
        });
        let current = rotating.execute(&token(4), origin()).await;
        let current = current.expect("tokens are issued").refresh_token;
        for (accounts, replay_recorded) in [(accounts_with(live()), false), (MockAccounts::new(), true)] {
            let found = rotated_by_tabs(Duration::seconds(2), replay_recorded);
            let pair = lost_over(accounts, found).execute(&token(3), origin()).await;
            let pair = pair.expect("tokens are issued");
            assert_eq!(pair.refresh_token.expose(), current.expose());
        }
    }

    #[tokio::test]
    async fn the_first_token_of_a_burst_ends_the_session_after_the_window() {
        let grace = session_rules().grace;
        let refresh = lost_over(ending_as_reused(), rotated_by_tabs(grace, true));
        let refused = refresh.execute(&token(3), origin()).await;
        assert!(matches!(refused, Err(RefreshError::Reused)));
        let last = lost(rotated_by_tabs(grace, true))
            .execute(&token(4), origin())
            .await;
        assert_eq!(generation_of(&last.expect("tokens are issued")), 5);
    }

    #[tokio::test]
    async fn the_first_token_of_a_burst_ends_the_session_from_elsewhere() {
        let found = rotated_by_tabs(Duration::seconds(2), true);
        let refresh = lost_over(ending_as_reused(), found);
        let refused = refresh.execute(&token(3), elsewhere()).await;
        assert!(matches!(refused, Err(RefreshError::Reused)));
    }

    /// The session is read three seconds after the request arrived, and the response takes two.
    #[tokio::test]
    async fn a_slow_storage_does_not_shift_the_grace_window() {
        let mut clock = MockClock::new();
        let mut times = [0, 3, 5].into_iter();
        clock.expect_now().times(3).returning(move || {
            let second = times.next().expect("the clock is read three times");
            now() + Duration::seconds(second)
        });
        let refresh = over_at(Arc::new(clock), MockAccounts::new(), |sessions| {
            sessions
                .expect_rotate()
                .withf(|rotation| rotation.at == now())
                .returning(|_| Ok(Rotated::Lost));
            sessions
                .expect_find()
                .withf(|_, at| *at == now() + Duration::seconds(3))
                .returning(|_, _| {
                    let age = session_rules().grace + Duration::seconds(5);
                    Ok(Some(rotated(age - Duration::microseconds(1), true)))
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
            generation: Generation(6),
            ..rotated(Duration::zero(), true)
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
                .returning(|_, _| Ok(Some(stored_session())));
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
                .returning(|_, _| Ok(Some(stored_session())));
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
                    .returning(move |_, _| Ok(Some(at_generation(stored_at))));
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
                sessions
                    .expect_find()
                    .returning(|_, _| Ok(Some(stored_session())));
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
            sessions.expect_find().returning(|_, _| Ok(None));
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
