//! Rotation of refresh tokens: how a presented token is classified, and the step that follows.

use super::{Generation, Lifetime, Liveness, SecretDigest, SessionId, SessionRules, StoredSession};
use crate::user::UserStatus;
use chrono::{DateTime, Utc};

/// The classification of an authentic refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// The current generation: rotate it.
    Current,
    /// The previous generation, whose successor was issued within the grace period and is unused.
    /// Return the same successor again. A successor that was issued in the future, by a replica
    /// whose clock is ahead, is within the period if it is not further away than that.
    Repeated {
        successor: Generation,
    },
    /// Any older generation: the token was copied.
    Reused,
    /// The session was ended, or its user is disabled.
    Ended,
    Expired,
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
        rules: &SessionRules,
    ) -> Option<Self> {
        Some(Self {
            session,
            secret_digest,
            from,
            to: from.next()?,
            at: now,
            idle_until: now + rules.idle_ttl,
        })
    }
}

impl StoredSession {
    /// Classifies the refresh token of `generation` at `now`.
    #[must_use]
    pub fn present(&self, generation: Generation, now: DateTime<Utc>, rules: &SessionRules) -> Presented {
        match (self.lifetime.at(now), self.holder.status) {
            (Liveness::Ended(_), _) | (_, UserStatus::Disabled) => Presented::Ended,
            (Liveness::Expired, UserStatus::Active) => Presented::Expired,
            (Liveness::Live, UserStatus::Active) => self.classify(generation, now, rules),
        }
    }

    fn classify(&self, generation: Generation, now: DateTime<Utc>, rules: &SessionRules) -> Presented {
        let successor = generation.next();
        if generation == self.generation {
            // A session expires after `u32::MAX` refreshes.
            successor.map_or(Presented::Expired, |_| Presented::Current)
        } else if successor == Some(self.generation) && (now - self.last_used_at).abs() < rules.grace {
            Presented::Repeated {
                successor: self.generation,
            }
        } else {
            Presented::Reused
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
            last_used_at: rotation.at,
            authenticated_at: self.authenticated_at.min(rotation.at),
            lifetime: Lifetime {
                idle_expires_at: lifetime.expires_at.min(rotation.idle_until),
                ..lifetime
            },
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        role::RoleNames,
        session::{EndReason, Holder},
        user::{Epoch, UserId},
    };
    use chrono::Duration;
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

    /// A session opened at second 0, last refreshed at second 50, at generation 5.
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
            last_used_at: at(50),
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
        Rotation::step(session().id, session().secret_digest, from, now, &RULES)
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
            // The clock of the replica that rotated the session is ahead.
            (4, 41, "repeated"),
            (4, 40, "reused"),
            (4, 1, "reused"),
            (5, 1, "current"),
        ] {
            let presented = session().present(Generation(generation), at(now), &RULES);
            assert_eq!(kind(presented), expected, "generation {generation} at {now}");
        }
    }

    #[test]
    fn without_a_grace_period_no_token_is_repeated() {
        let strict = SessionRules {
            grace: Duration::zero(),
            ..RULES
        };
        assert_eq!(
            session().present(Generation(4), at(50), &strict),
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
                    session.present(Generation(generation), at(51), &RULES),
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
            worn.present(Generation(u32::MAX), at(51), &RULES),
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
            let mut session = StoredSession { generation: Generation::FIRST, last_used_at: at(0), ..session() };
            let mut now = at(0);
            let mut dead = false;
            for (wait, behind) in steps {
                now += Duration::seconds(wait);
                let Some(generation) = session.generation.0.checked_sub(behind).map(Generation) else { continue };
                let before = session.generation;
                match session.present(generation, now, &RULES) {
                    Presented::Current => {
                        prop_assert!(!dead && behind == 0);
                        let rotation = step(generation, now).expect("the generation has a successor");
                        prop_assert_eq!(rotation.to, Generation(before.0 + 1));
                        session = session.rotated(&rotation);
                        prop_assert!(session.lifetime.idle_expires_at <= session.lifetime.expires_at);
                    }
                    Presented::Repeated { successor } => {
                        prop_assert!(!dead && behind == 1 && now - session.last_used_at < RULES.grace);
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
