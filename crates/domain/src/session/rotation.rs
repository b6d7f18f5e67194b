//! Rotation of refresh tokens: how a presented token is classified, and the step that follows.

use super::{
    Generation, Lifetime, Liveness, OriginFingerprint, OriginLikeness, SecretDigest, SessionId, SessionRules,
    StoredSession,
};
use crate::user::UserStatus;
use chrono::{DateTime, Duration, Utc};

/// The classification of an authentic refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// The current generation: rotate it.
    Current,
    /// The previous generation, whose successor was issued within the grace period, is unused, and
    /// may be the presenting client's own. Return the same successor again.
    Repeated {
        successor: Generation,
        origin: OriginLikeness,
    },
    /// Any older generation, or the previous one from a foreign origin: the token was copied.
    Reused,
    /// The session was ended, or its user is disabled.
    Ended,
    Expired,
}

/// The rotation that issued a session's current refresh token. At the first generation, which a
/// login issued, its values have no meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastRotation {
    /// The time since the rotation. It is negative if the clock that measures it was set back.
    pub age: Duration,
    /// The origin of the request that rotated the session; `None` if it was not stored.
    pub origin: Option<OriginFingerprint>,
    /// Whether the audit log has an event for a replay of the token that was rotated.
    pub replay_recorded: bool,
}

/// One rotation of a session's refresh token, applied by compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    pub session: SessionId,
    pub secret_digest: SecretDigest,
    pub from: Generation,
    pub to: Generation,
    pub at: DateTime<Utc>,
    /// When the session expires if it is not refreshed again, unless its maximum lifetime ends
    /// earlier.
    pub idle_until: DateTime<Utc>,
    pub origin: OriginFingerprint,
}

impl Rotation {
    /// Returns the rotation of generation `from` at `now`, or `None` if there is no next
    /// generation.
    #[must_use]
    pub fn step(
        session: SessionId,
        secret_digest: SecretDigest,
        from: Generation,
        now: DateTime<Utc>,
        origin: OriginFingerprint,
        rules: &SessionRules,
    ) -> Option<Self> {
        Some(Self {
            session,
            secret_digest,
            from,
            to: from.next()?,
            at: now,
            idle_until: now + rules.idle_ttl,
            origin,
        })
    }
}

impl StoredSession {
    /// Classifies the refresh token of `generation`, presented from `origin` at `now`.
    #[must_use]
    pub fn present(
        &self,
        generation: Generation,
        origin: &OriginFingerprint,
        now: DateTime<Utc>,
        rules: &SessionRules,
    ) -> Presented {
        match (self.lifetime.at(now), self.holder.status) {
            (Liveness::Ended(_), _) | (_, UserStatus::Disabled) => Presented::Ended,
            (Liveness::Expired, UserStatus::Active) => Presented::Expired,
            (Liveness::Live, UserStatus::Active) => self.classify(generation, origin, rules),
        }
    }

    fn classify(
        &self,
        generation: Generation,
        origin: &OriginFingerprint,
        rules: &SessionRules,
    ) -> Presented {
        let successor = generation.next();
        if generation == self.generation {
            // A session expires after `u32::MAX` refreshes.
            return successor.map_or(Presented::Expired, |_| Presented::Current);
        }
        let likeness = self.last_rotation.likeness_of(origin);
        if successor == Some(self.generation)
            && self.last_rotation.is_within(rules.grace)
            && !likeness.is_foreign()
        {
            Presented::Repeated {
                successor: self.generation,
                origin: likeness,
            }
        } else {
            Presented::Reused
        }
    }

    /// Returns this session as it was read, for a request that had arrived `waited` earlier. Time
    /// that a request spends waiting for storage does not count against its client.
    #[must_use]
    pub fn for_arrival(self, waited: Duration) -> Self {
        let age = self.last_rotation.age - waited.max(Duration::zero());
        Self {
            last_rotation: LastRotation {
                age,
                ..self.last_rotation
            },
            ..self
        }
    }

    /// Returns this session after `rotation`. Its lifetime and the time of the last check of the
    /// password are as of the rotation, so that a session opened under a clock that was ahead ends
    /// in time, and its check does not suffice for longer than others.
    #[must_use]
    pub fn rotated(self, rotation: &Rotation) -> Self {
        let lifetime = self.lifetime.as_of(rotation.at);
        Self {
            generation: rotation.to,
            last_rotation: LastRotation {
                age: Duration::zero(),
                origin: Some(rotation.origin),
                replay_recorded: false,
            },
            authenticated_at: self.authenticated_at.min(rotation.at),
            lifetime: Lifetime {
                idle_expires_at: lifetime.expires_at.min(rotation.idle_until),
                ..lifetime
            },
            ..self
        }
    }
}

impl LastRotation {
    /// Returns how `origin` compares to the origin of this rotation.
    #[must_use]
    pub fn likeness_of(&self, origin: &OriginFingerprint) -> OriginLikeness {
        self.origin
            .map_or(OriginLikeness::UNKNOWN, |stored| stored.compare(origin))
    }

    /// Returns whether this rotation is less than `grace` away. A clock that was set back, or a
    /// rotation by a replica of an earlier version whose clock is ahead, moves it to the future.
    fn is_within(&self, grace: Duration) -> bool {
        self.age.abs() < grace
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        origin::Origin,
        role::RoleNames,
        session::{EndReason, Holder, Likeness},
        user::{Epoch, UserId},
    };
    use proptest::prelude::*;
    use uuid::Uuid;

    const RULES: SessionRules = SessionRules {
        idle_ttl: Duration::seconds(100),
        ttl: Duration::seconds(1000),
        grace: Duration::seconds(10),
        max_per_user: 100,
    };

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("chrono represents the second")
    }

    fn origin(address: &str, user_agent: &str) -> OriginFingerprint {
        OriginFingerprint::of(&Origin::new(address.parse().ok(), Some(user_agent), None))
    }

    /// The client that refreshed the session.
    fn owner() -> OriginFingerprint {
        origin("192.0.2.7", "app/1")
    }

    /// [`session`] as it is read at `now`.
    fn session_at(now: DateTime<Utc>) -> StoredSession {
        session().aged(now - at(50))
    }

    impl StoredSession {
        /// Returns the session with a last rotation of this age.
        fn aged(self, age: Duration) -> Self {
            let last_rotation = LastRotation {
                age,
                ..self.last_rotation
            };
            Self {
                last_rotation,
                ..self
            }
        }
    }

    /// A session opened at second 0, last refreshed by [`owner`] at second 50, at generation 5.
    fn session() -> StoredSession {
        StoredSession {
            id: SessionId(Uuid::nil()),
            secret_digest: SecretDigest([7; 32]),
            generation: Generation(5),
            lifetime: Lifetime {
                created_at: at(0),
                idle_expires_at: at(150),
                expires_at: at(1000),
                ended: None,
            },
            last_rotation: LastRotation {
                age: Duration::zero(),
                origin: Some(owner()),
                replay_recorded: false,
            },
            authenticated_at: at(30),
            holder: Holder {
                user: UserId(Uuid::nil()),
                status: UserStatus::Active,
                epoch: Epoch::FIRST,
                roles: RoleNames::new(),
                must_change_password: false,
            },
        }
    }

    fn step(from: Generation, now: DateTime<Utc>) -> Option<Rotation> {
        Rotation::step(session().id, session().secret_digest, from, now, owner(), &RULES)
    }

    fn kind(presented: Presented) -> &'static str {
        match presented {
            Presented::Current => "current",
            Presented::Repeated { .. } => "repeated",
            Presented::Reused => "reused",
            Presented::Ended => "ended",
            Presented::Expired => "expired",
        }
    }

    #[test]
    fn refresh_tokens_are_classified_by_generation_and_age() {
        for (generation, now, expected) in [
            (5, 50, "current"),
            (5, 149, "current"),
            (5, 150, "expired"),
            (4, 59, "repeated"),
            (4, 60, "reused"),
            (3, 51, "reused"),
            (6, 51, "reused"),
            (u32::MAX, 51, "reused"),
            (3, 150, "expired"),
            // The clock was set back, or a rotation by an earlier version is from the future.
            (4, 41, "repeated"),
            (4, 40, "reused"),
            (4, 1, "reused"),
            (5, 1, "current"),
        ] {
            let presented = session_at(at(now)).present(Generation(generation), &owner(), at(now), &RULES);
            assert_eq!(kind(presented), expected, "generation {generation} at {now}");
        }
    }

    /// The rows of the table in docs/tokens.md that concern one replay.
    #[test]
    fn a_replay_within_the_window_is_answered_unless_network_and_user_agent_both_differ() {
        for (address, user_agent, age, expected, client) in [
            (
                "192.0.2.7",
                "app/1",
                0,
                "repeated",
                "two tabs, or a lost response",
            ),
            (
                "192.0.2.9",
                "app/1",
                9,
                "repeated",
                "a retry through another address",
            ),
            ("198.51.100.7", "app/1", 9, "repeated", "a phone changes networks"),
            ("2001:db8::7", "app/1", 9, "repeated", "a client changes to IPv6"),
            ("192.0.2.7", "app/2", 9, "repeated", "an update of the client"),
            ("unknown", "app/2", 9, "repeated", "the address is not known"),
            ("198.51.100.7", "app/2", 0, "reused", "both change"),
            ("198.51.100.7", "thief", 9, "reused", "a thief within the window"),
            ("192.0.2.7", "app/1", 10, "reused", "anyone later"),
            ("198.51.100.7", "thief", 10, "reused", "a thief later"),
        ] {
            let session = session().aged(Duration::seconds(age));
            let presented = session.present(Generation(4), &origin(address, user_agent), at(60), &RULES);
            assert_eq!(kind(presented), expected, "{client}");
        }
    }

    #[test]
    fn the_origin_of_the_current_token_does_not_matter() {
        let elsewhere = origin("198.51.100.7", "app/2");
        let presented = session().present(Generation(5), &elsewhere, at(60), &RULES);
        assert_eq!(presented, Presented::Current);
    }

    #[test]
    fn a_repeated_token_carries_what_is_the_same() {
        let presented = session().present(Generation(4), &origin("198.51.100.7", "app/1"), at(50), &RULES);
        let expected = Presented::Repeated {
            successor: Generation(5),
            origin: OriginLikeness {
                network: Likeness::Different,
                user_agent: Likeness::Same,
            },
        };
        assert_eq!(presented, expected);
    }

    /// An earlier version does not store the origin.
    #[test]
    fn any_origin_may_repeat_a_rotation_of_unknown_origin() {
        let mut unknown = session();
        unknown.last_rotation.origin = None;
        let presented = unknown.present(Generation(4), &origin("198.51.100.7", "app/2"), at(50), &RULES);
        let expected = Presented::Repeated {
            successor: Generation(5),
            origin: OriginLikeness::UNKNOWN,
        };
        assert_eq!(presented, expected);
    }

    #[test]
    fn time_spent_waiting_does_not_count_and_a_clock_set_back_adds_nothing() {
        let read = session().aged(Duration::seconds(12));
        for (waited, age) in [(0, 12), (3, 9), (-3, 12)] {
            let arrived = read.clone().for_arrival(Duration::seconds(waited));
            assert_eq!(arrived, session().aged(Duration::seconds(age)));
        }
    }

    #[test]
    fn a_rotation_starts_a_window_for_its_own_origin() {
        let mut replayed = session_at(at(60));
        replayed.last_rotation.replay_recorded = true;
        let elsewhere = origin("198.51.100.7", "app/2");
        let rotation = Rotation {
            origin: elsewhere,
            ..step(Generation(5), at(60)).expect("a successor")
        };
        let expected = LastRotation {
            age: Duration::zero(),
            origin: Some(elsewhere),
            replay_recorded: false,
        };
        assert_eq!(replayed.rotated(&rotation).last_rotation, expected);
    }

    #[test]
    fn without_a_grace_period_no_token_is_repeated() {
        let strict = SessionRules {
            grace: Duration::zero(),
            ..RULES
        };
        assert_eq!(
            session().present(Generation(4), &owner(), at(50), &strict),
            Presented::Reused
        );
    }

    #[test]
    fn an_ended_session_is_not_refreshed() {
        let mut ended = session();
        ended.lifetime.ended = Some(EndReason::LoggedOut);
        let mut disabled = session();
        disabled.holder.status = UserStatus::Disabled;
        for session in [ended, disabled] {
            for generation in 3..7 {
                assert_eq!(
                    session.present(Generation(generation), &owner(), at(51), &RULES),
                    Presented::Ended
                );
            }
        }
    }

    #[test]
    fn refreshing_does_not_extend_the_maximum_lifetime() {
        let rotation = step(Generation(5), at(990)).expect("the generation has a successor");
        assert_eq!(rotation.idle_until, at(1090));
        assert_eq!(session().rotated(&rotation).lifetime.idle_expires_at, at(1000));
    }

    #[test]
    fn a_rotation_ends_a_session_of_a_clock_that_was_ahead_in_time() {
        let mut opened_ahead = session();
        opened_ahead.lifetime = Lifetime {
            created_at: at(90_000),
            idle_expires_at: at(90_100),
            expires_at: at(91_000),
            ended: None,
        };
        let rotation = step(Generation(5), at(20)).expect("a successor");
        let expected = Lifetime {
            created_at: at(20),
            idle_expires_at: at(120),
            expires_at: at(1_020),
            ended: None,
        };
        assert_eq!(opened_ahead.rotated(&rotation).lifetime, expected);
    }

    #[test]
    fn a_rotation_keeps_the_time_of_the_check_unless_it_is_in_the_future() {
        let rotation = step(Generation(5), at(40)).expect("a successor");
        for (checked, expected) in [(30, 30), (40, 40), (41, 40), (90_000, 40)] {
            let session = StoredSession {
                authenticated_at: at(checked),
                ..session()
            };
            let rotated = session.rotated(&rotation);
            assert_eq!(rotated.authenticated_at, at(expected), "{checked}");
        }
    }

    #[test]
    fn a_rotation_increments_the_generation_except_the_last() {
        assert_eq!(
            step(Generation(5), at(51)).map(|it| (it.from, it.to)),
            Some((Generation(5), Generation(6)))
        );
        assert_eq!(step(Generation(u32::MAX), at(51)), None);
    }

    #[test]
    fn the_last_generation_expires_the_session() {
        let worn = StoredSession {
            generation: Generation(u32::MAX),
            ..session()
        };
        assert_eq!(
            worn.present(Generation(u32::MAX), &owner(), at(51), &RULES),
            Presented::Expired
        );
    }

    /// Client actions: wait this many seconds, then present the generation this far behind the
    /// newest.
    fn steps() -> impl Strategy<Value = Vec<(i64, u32)>> {
        proptest::collection::vec((0_i64..40, 0_u32..4), 1..60)
    }

    proptest! {
        /// At any time at most one token can be rotated and only its parent can be repeated; after
        /// reuse or an end, no token is accepted again.
        #[test]
        fn a_token_family_has_at_most_one_current_token(steps in steps()) {
            let mut session = StoredSession { generation: Generation::FIRST, ..session() };
            let mut rotated_at = at(0);
            let mut now = at(0);
            let mut dead = false;
            for (wait, behind) in steps {
                now += Duration::seconds(wait);
                let Some(generation) = session.generation.0.checked_sub(behind).map(Generation) else { continue };
                let before = session.generation;
                session = session.aged(now - rotated_at);
                match session.present(generation, &owner(), now, &RULES) {
                    Presented::Current => {
                        prop_assert!(!dead && behind == 0);
                        let rotation = step(generation, now).expect("the generation has a successor");
                        prop_assert_eq!(rotation.to, Generation(before.0 + 1));
                        session = session.rotated(&rotation);
                        rotated_at = now;
                        prop_assert!(session.lifetime.idle_expires_at <= session.lifetime.expires_at);
                    }
                    Presented::Repeated { successor, .. } => {
                        prop_assert!(!dead && behind == 1 && now - rotated_at < RULES.grace);
                        prop_assert_eq!(successor, before);
                    }
                    Presented::Reused => {
                        prop_assert!(!dead && behind >= 1);
                        session.lifetime.ended = Some(EndReason::RefreshTokenReused);
                        dead = true;
                    }
                    Presented::Ended => prop_assert!(session.lifetime.ended.is_some()),
                    Presented::Expired => {
                        prop_assert!(now >= session.lifetime.idle_expires_at);
                        dead = true;
                    }
                }
            }
        }
    }
}
