//! Rotation of refresh tokens: how a presented token is classified, and the step that follows.

use super::{
    Burst, Generation, Lifetime, Liveness, OriginFingerprint, OriginLikeness, SecretDigest, SessionId,
    SessionRules, StoredSession, burst::is_within,
};
use crate::user::UserStatus;
use chrono::{DateTime, Duration, Utc};

/// The maximum time by which a wait for storage moves the grace window. A request waits for less:
/// at most 0.9 seconds (docs/adr/0016-one-wait-budget-per-request.md).
const LONGEST_WAIT: Duration = Duration::seconds(5);

/// The classification of an authentic refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// The current generation: rotate it.
    Current,
    /// An earlier generation that was replaced within the grace window, and may be the presenting
    /// client's own. Return the current token, which was issued already.
    Repeated {
        /// The current generation.
        successor: Generation,
        origin: OriginLikeness,
    },
    /// Any other generation, or an earlier one from a foreign origin: the token was copied.
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
    /// Whether the audit log has an event for a replay of an earlier token since the rotation.
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
    /// The grace window, which separates a [`Burst`] from the next.
    pub grace: Duration,
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
            grace: rules.grace,
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
        if generation == self.generation {
            // A session expires after `u32::MAX` refreshes.
            return generation
                .next()
                .map_or(Presented::Expired, |_| Presented::Current);
        }
        let likeness = self.last_rotation.likeness_of(origin);
        if self.was_replaced_within(rules.grace, generation) && !likeness.is_foreign() {
            Presented::Repeated {
                successor: self.generation,
                origin: likeness,
            }
        } else {
            Presented::Reused
        }
    }

    /// Returns whether the session shows that `generation` was replaced less than `grace` ago: by
    /// its last rotation, or by its last burst.
    fn was_replaced_within(&self, grace: Duration, generation: Generation) -> bool {
        let by_last = generation.next() == Some(self.generation) && is_within(self.last_rotation.age, grace);
        let is_covered = || self.burst.is_some_and(|burst| burst.covers(generation, grace));
        by_last || (generation < self.generation && is_covered())
    }

    /// Returns this session as it was read, for a request that had arrived `waited` earlier. Time
    /// that a request spends waiting for storage does not count against its client, up to 5
    /// seconds: a clock that jumps forward during a request does not make old tokens acceptable.
    #[must_use]
    pub fn for_arrival(self, waited: Duration) -> Self {
        let waited = waited.clamp(Duration::zero(), LONGEST_WAIT);
        Self {
            last_rotation: LastRotation {
                age: self.last_rotation.age - waited,
                ..self.last_rotation
            },
            burst: self.burst.map(|burst| burst.before(waited)),
            ..self
        }
    }

    /// Returns this session, as read at the time of `rotation`, after it. Its lifetime and the time
    /// of the last check of the password are as of the rotation, so that a session opened under a
    /// clock that was ahead ends in time, and its check does not suffice for longer than others.
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
            burst: Some(Burst::of_rotation(self.burst, rotation.from, rotation.grace)),
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
        /// Returns the session with a last rotation and a burst of this age.
        fn aged(self, age: Duration) -> Self {
            let last_rotation = LastRotation {
                age,
                ..self.last_rotation
            };
            Self {
                last_rotation,
                burst: self.burst.map(|burst| Burst { age, ..burst }),
                ..self
            }
        }

        /// Returns the session as it is read this much later.
        fn later(self, time: Duration) -> Self {
            let last_rotation = LastRotation {
                age: self.last_rotation.age + time,
                ..self.last_rotation
            };
            let burst = self.burst.map(|burst| Burst {
                age: burst.age + time,
                ..burst
            });
            Self {
                last_rotation,
                burst,
                ..self
            }
        }
    }

    /// A session opened at second 0, last refreshed by [`owner`] at second 50, at generation 5. Its
    /// burst has this one rotation.
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
            burst: Some(Burst {
                from: Generation(4),
                age: Duration::zero(),
            }),
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

    /// [`session`], rotated from generation 2 by a burst that began at this age, and last at this.
    fn in_burst(burst: Duration, last: Duration) -> StoredSession {
        StoredSession {
            burst: Some(Burst {
                from: Generation(2),
                age: burst,
            }),
            ..session().aged(last)
        }
    }

    #[test]
    fn the_tokens_of_a_burst_are_repeated_until_it_is_as_old_as_the_window() {
        for (generation, burst, last, expected) in [
            (2, 3, 1, "repeated"),
            (3, 3, 1, "repeated"),
            (4, 3, 1, "repeated"),
            (1, 3, 1, "reused"),
            (0, 3, 1, "reused"),
            (6, 3, 1, "reused"),
            (u32::MAX, 3, 1, "reused"),
            (5, 3, 1, "current"),
            (2, 9, 9, "repeated"),
            // The previous token has a window of its own.
            (2, 10, 1, "reused"),
            (3, 10, 1, "reused"),
            (4, 10, 1, "repeated"),
            (4, 19, 10, "reused"),
            // A replica of an earlier version rotated last: the burst is older than its rotation.
            (4, 60, 1, "repeated"),
            (3, 60, 1, "reused"),
            // The request arrived before the burst began, or the clock was set back.
            (2, -1, -3, "repeated"),
            (2, -9, -9, "repeated"),
            (2, -10, -10, "reused"),
        ] {
            let session = in_burst(Duration::seconds(burst), Duration::seconds(last));
            let presented = session.present(Generation(generation), &owner(), at(60), &RULES);
            let case = format!("generation {generation}, burst {burst} s ago, last {last} s ago");
            assert_eq!(kind(presented), expected, "{case}");
        }
    }

    #[test]
    fn a_token_of_a_burst_gets_the_current_one_unless_it_comes_from_elsewhere() {
        let burst = in_burst(Duration::seconds(3), Duration::seconds(1));
        let same_agent = origin("198.51.100.7", "app/1");
        let expected = Presented::Repeated {
            successor: Generation(5),
            origin: OriginLikeness {
                network: Likeness::Different,
                user_agent: Likeness::Same,
            },
        };
        assert_eq!(
            burst.present(Generation(2), &same_agent, at(60), &RULES),
            expected
        );
        let elsewhere = origin("198.51.100.7", "thief");
        let presented = burst.present(Generation(2), &elsewhere, at(60), &RULES);
        assert_eq!(presented, Presented::Reused);
    }

    /// Only servers of an earlier version have rotated the session.
    #[test]
    fn without_a_burst_only_the_previous_token_is_repeated() {
        let unknown = StoredSession {
            burst: None,
            ..session()
        };
        for (generation, expected) in [(4, "repeated"), (3, "reused"), (0, "reused")] {
            let presented = unknown.present(Generation(generation), &owner(), at(50), &RULES);
            assert_eq!(kind(presented), expected, "generation {generation}");
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

    /// The database's clock measures the age, and the process's clock the wait.
    #[test]
    fn a_clock_that_jumps_forward_moves_the_window_by_five_seconds_at_most() {
        for (age, waited, expected) in [
            (14, 5, "repeated"),
            (14, 14, "repeated"),
            (15, 5, "reused"),
            (15, 15, "reused"),
            (3_600, 3_600, "reused"),
        ] {
            let read = in_burst(Duration::seconds(age), Duration::seconds(age));
            let arrived = read.for_arrival(Duration::seconds(waited));
            for generation in [2, 4] {
                let presented = arrived.present(Generation(generation), &owner(), at(60), &RULES);
                let case = format!("generation {generation} after {age} s, waited {waited} s");
                assert_eq!(kind(presented), expected, "{case}");
            }
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
    fn a_rotation_continues_the_burst_of_the_session_or_begins_one() {
        let rotation = step(Generation(5), at(60)).expect("a successor");
        for (age, from) in [(3, 2), (9, 2), (10, 5), (-1, 5)] {
            let age = Duration::seconds(age);
            let rotated = in_burst(age, Duration::zero()).rotated(&rotation);
            let began = Burst {
                from: Generation(from),
                age: if from == 2 { age } else { Duration::zero() },
            };
            assert_eq!(rotated.burst, Some(began), "{age}");
        }
    }

    #[test]
    fn without_a_grace_period_no_token_is_repeated() {
        let strict = SessionRules {
            grace: Duration::zero(),
            ..RULES
        };
        let burst = in_burst(Duration::zero(), Duration::zero());
        for generation in 0..5 {
            let presented = burst.present(Generation(generation), &owner(), at(50), &strict);
            assert_eq!(presented, Presented::Reused);
        }
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
        let waits = prop_oneof![0_i64..4, 0_i64..40];
        proptest::collection::vec((waits, 0_u32..4), 1..60)
    }

    proptest! {
        /// At any time at most one token can be rotated, and only tokens that were replaced within
        /// the window can be repeated; after reuse or an end, no token is accepted again.
        #[test]
        fn a_token_family_has_at_most_one_current_token(steps in steps()) {
            let mut session = StoredSession { generation: Generation::FIRST, burst: None, ..session() };
            let mut replaced_at = Vec::new();
            let mut now = at(0);
            let mut dead = false;
            for (wait, behind) in steps {
                let wait = Duration::seconds(wait);
                now += wait;
                session = session.later(wait);
                let Some(generation) = session.generation.0.checked_sub(behind).map(Generation) else { continue };
                let before = session.generation;
                match session.present(generation, &owner(), now, &RULES) {
                    Presented::Current => {
                        prop_assert!(!dead && behind == 0);
                        let rotation = step(generation, now).expect("the generation has a successor");
                        prop_assert_eq!(rotation.to, Generation(before.0 + 1));
                        session = session.rotated(&rotation);
                        replaced_at.push(now);
                        prop_assert!(session.lifetime.idle_expires_at <= session.lifetime.expires_at);
                    }
                    Presented::Repeated { successor, .. } => {
                        prop_assert!(!dead && behind >= 1);
                        let replaced = replaced_at[replaced_at.len() - behind as usize];
                        prop_assert!(now - replaced < RULES.grace);
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

    /// What happens to a session after some milliseconds.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Read,
        /// A rotation by a replica whose window has this many seconds.
        Rotation {
            grace: i64,
        },
        /// A rotation by a replica of an earlier version, which does not store the burst.
        RotationByEarlierVersion,
    }

    /// A session, next to a record of when each of its generations was replaced.
    struct Recorded {
        session: StoredSession,
        replaced_at: Vec<DateTime<Utc>>,
        now: DateTime<Utc>,
    }

    impl Recorded {
        fn new() -> Self {
            Self {
                session: StoredSession {
                    generation: Generation::FIRST,
                    burst: None,
                    ..session()
                },
                replaced_at: Vec::new(),
                now: at(0),
            }
        }

        fn after(mut self, wait: Duration, event: Event) -> Self {
            self.now += wait;
            let session = self.session.later(wait);
            let rotation = step(session.generation, self.now).expect("a successor");
            self.session = match event {
                Event::Read => return Self { session, ..self },
                Event::Rotation { grace } => session.rotated(&Rotation {
                    grace: Duration::seconds(grace),
                    ..rotation
                }),
                Event::RotationByEarlierVersion => {
                    let burst = session.burst;
                    StoredSession {
                        burst,
                        ..session.rotated(&rotation)
                    }
                }
            };
            self.replaced_at.push(self.now);
            self
        }

        fn is_repeated(&self, generation: usize) -> bool {
            let generation = Generation(u32::try_from(generation).expect("few generations"));
            let presented = self.session.classify(generation, &owner(), &RULES);
            matches!(presented, Presented::Repeated { .. })
        }

        /// Returns when the first rotation took place after the last pause of at least the window.
        fn began_at(&self) -> Option<DateTime<Utc>> {
            let pairs = self.replaced_at.windows(2).rev();
            let mut pauses = pairs.filter(|pair| pair[1] - pair[0] >= RULES.grace);
            let after_pause = pauses.next().map(|pair| pair[1]);
            after_pause.or(self.replaced_at.first().copied())
        }
    }

    /// Returns up to 40 events like `event`, each with the time before it.
    fn events(event: impl Strategy<Value = Event>) -> impl Strategy<Value = Vec<(Duration, Event)>> {
        let waits = prop_oneof![5 => 0_i64..4_000, 1 => 8_000_i64..12_000, 1 => 0_i64..40_000];
        proptest::collection::vec((waits.prop_map(Duration::milliseconds), event), 1..40)
    }

    proptest! {
        /// Replicas of an earlier version, and with other windows, may rotate the session as well.
        #[test]
        fn no_token_is_repeated_that_was_replaced_longer_ago_than_the_window(
            events in events(prop_oneof![
                Just(Event::Read),
                (0_i64..30).prop_map(|grace| Event::Rotation { grace }),
                Just(Event::RotationByEarlierVersion),
            ]),
        ) {
            let mut recorded = Recorded::new();
            for (wait, event) in events {
                recorded = recorded.after(wait, event);
                for (generation, replaced_at) in recorded.replaced_at.iter().enumerate() {
                    let recently = recorded.now - *replaced_at < RULES.grace;
                    prop_assert!(recently || !recorded.is_repeated(generation), "generation {generation}");
                }
            }
        }

        #[test]
        fn every_token_that_was_replaced_within_the_window_is_repeated_if_the_rotations_began_within_it(
            events in events(prop_oneof![Just(Event::Read), Just(Event::Rotation { grace: 10 })]),
        ) {
            let mut recorded = Recorded::new();
            for (wait, event) in events {
                recorded = recorded.after(wait, event);
                let is_short = recorded.began_at().is_some_and(|began| recorded.now - began < RULES.grace);
                for (generation, replaced_at) in recorded.replaced_at.iter().enumerate() {
                    let recently = recorded.now - *replaced_at < RULES.grace;
                    let is_last = generation + 1 == recorded.replaced_at.len();
                    if recently && (is_short || is_last) {
                        prop_assert!(recorded.is_repeated(generation), "generation {generation}");
                    }
                }
            }
        }
    }
}
