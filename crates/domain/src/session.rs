//! A session: one login on one device, and the family of refresh tokens that descends from it (RFC 9700, section 4.14.2).

use crate::{
    audit::Origin,
    role::RoleNames,
    user::{Epoch, User, UserId, UserStatus},
};
use chrono::{DateTime, Duration, Utc};
use std::{fmt, net::IpAddr};
use uuid::Uuid;

/// A session's id, a `UUIDv7`; the `sid` of its tokens. No secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub Uuid);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often a session was refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    pub const FIRST: Self = Self(0);

    /// The next one; `None` after four billion.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

/// 32 random bytes that each session's refresh tokens are bound to. With the refresh key they mint tokens; alone they
/// are worth nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt([REDACTED])")
    }
}

/// Why a session ended before its time; kept with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    LoggedOut,
    RefreshTokenReused,
    RolesChanged,
    PasswordChanged,
    PasswordReset,
    UserDisabled,
    /// An administrator ended all of the user's sessions.
    ForcedOut,
    /// The user opened more sessions than are allowed, and this was the oldest.
    MadeRoom,
}

impl EndReason {
    const ALL: [Self; 8] = [
        Self::LoggedOut,
        Self::RefreshTokenReused,
        Self::RolesChanged,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::UserDisabled,
        Self::ForcedOut,
        Self::MadeRoom,
    ];

    /// The name under which the reason is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::RolesChanged => "roles_changed",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::UserDisabled => "user_disabled",
            Self::ForcedOut => "forced_out",
            Self::MadeRoom => "made_room",
        }
    }

    /// The reason stored under `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// How long sessions and their parts live.
#[derive(Clone, Copy, Debug)]
pub struct SessionRules {
    /// A session ends when it was not refreshed for so long.
    pub idle_ttl: Duration,
    /// A session ends so long after the login, however often it is refreshed.
    pub ttl: Duration,
    /// How long a rotated refresh token still answers with its successor; zero is strict.
    pub grace: Duration,
    /// The most live sessions of one user; the oldest makes room.
    pub max_per_user: u32,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            idle_ttl: Duration::days(30),
            ttl: Duration::days(90),
            grace: Duration::seconds(10),
            max_per_user: 100,
        }
    }
}

/// A session that is about to be stored, at its first generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    pub id: SessionId,
    pub user: UserId,
    pub salt: Salt,
    pub created_at: DateTime<Utc>,
    pub idle_expires_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub user_agent: Option<String>,
    pub address: Option<IpAddr>,
}

impl NewSession {
    #[must_use]
    pub fn opened_at(
        now: DateTime<Utc>,
        id: SessionId,
        user: UserId,
        salt: Salt,
        rules: &SessionRules,
        origin: &Origin,
    ) -> Self {
        let expires_at = now + rules.ttl;
        Self {
            id,
            user,
            salt,
            created_at: now,
            idle_expires_at: expires_at.min(now + rules.idle_ttl),
            expires_at,
            user_agent: origin.user_agent.clone(),
            address: origin.address,
        }
    }

    /// The session that this becomes when it is stored for `user`.
    #[must_use]
    pub fn stored(&self, user: &User) -> StoredSession {
        StoredSession {
            id: self.id,
            salt: self.salt,
            generation: Generation::FIRST,
            lifetime: Lifetime {
                created_at: self.created_at,
                idle_expires_at: self.idle_expires_at,
                expires_at: self.expires_at,
                ended: None,
            },
            last_used_at: self.created_at,
            holder: Holder {
                user: user.id,
                status: user.status,
                epoch: user.epoch,
                roles: user.roles.clone(),
                must_change_password: user.must_change_password,
            },
        }
    }
}

/// When a session lives, and whether it was ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    pub created_at: DateTime<Utc>,
    pub idle_expires_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ended: Option<EndReason>,
}

/// What has become of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    Live,
    Ended(EndReason),
    Expired,
}

impl Lifetime {
    #[must_use]
    pub fn at(&self, now: DateTime<Utc>) -> Liveness {
        match self.ended {
            Some(reason) => Liveness::Ended(reason),
            None if now < self.idle_expires_at && now < self.expires_at => Liveness::Live,
            None => Liveness::Expired,
        }
    }
}

/// A session as stored, with what is needed to refresh it; all read in one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    pub id: SessionId,
    pub salt: Salt,
    pub generation: Generation,
    pub lifetime: Lifetime,
    /// When the newest generation was issued.
    pub last_used_at: DateTime<Utc>,
    pub holder: Holder,
}

/// Whose session it is, and what their next access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub user: UserId,
    pub status: UserStatus,
    pub epoch: Epoch,
    pub roles: RoleNames,
    pub must_change_password: bool,
}

/// What a presented refresh token, its authenticity settled, turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// The newest of its family: rotate it.
    Current(Rotation),
    /// The one before, its successor unused and just issued: answer that same successor.
    Repeated {
        successor: Generation,
    },
    /// Anything else: somebody else holds a copy.
    Stolen,
    /// The session was ended, or its user is disabled.
    Ended,
    Expired,
}

/// One step of a session's refresh token, to be taken by compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    pub session: SessionId,
    pub from: Generation,
    pub to: Generation,
    pub at: DateTime<Utc>,
    pub idle_expires_at: DateTime<Utc>,
}

impl StoredSession {
    /// Judges the refresh token of `generation` at `now`.
    #[must_use]
    pub fn present(&self, generation: Generation, now: DateTime<Utc>, rules: &SessionRules) -> Presented {
        match (self.lifetime.at(now), self.holder.status) {
            (Liveness::Ended(_), _) | (_, UserStatus::Disabled) => Presented::Ended,
            (Liveness::Expired, UserStatus::Active) => Presented::Expired,
            (Liveness::Live, UserStatus::Active) => self.judge(generation, now, rules),
        }
    }

    fn judge(&self, generation: Generation, now: DateTime<Utc>, rules: &SessionRules) -> Presented {
        let successor = generation.next();
        if generation == self.generation {
            // A session that was refreshed four billion times has had its time.
            successor.map_or(Presented::Expired, |to| {
                Presented::Current(Rotation {
                    session: self.id,
                    from: generation,
                    to,
                    at: now,
                    idle_expires_at: self.lifetime.expires_at.min(now + rules.idle_ttl),
                })
            })
        } else if successor == Some(self.generation) && now < self.last_used_at + rules.grace {
            Presented::Repeated {
                successor: self.generation,
            }
        } else {
            Presented::Stolen
        }
    }

    /// This session after `rotation` was taken.
    #[must_use]
    pub fn rotated(self, rotation: &Rotation) -> Self {
        Self {
            generation: rotation.to,
            last_used_at: rotation.at,
            lifetime: Lifetime {
                idle_expires_at: rotation.idle_expires_at,
                ..self.lifetime
            },
            ..self
        }
    }
}

/// One line of a user's list of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    pub id: SessionId,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub user_agent: Option<String>,
    pub address: Option<IpAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: SessionRules = SessionRules {
        idle_ttl: Duration::seconds(100),
        ttl: Duration::seconds(1000),
        grace: Duration::seconds(10),
        max_per_user: 100,
    };

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a valid second")
    }

    /// A session opened at second 0 that was last refreshed at second 50 and stands at generation 5.
    fn session() -> StoredSession {
        StoredSession {
            id: SessionId(Uuid::nil()),
            salt: Salt([7; 32]),
            generation: Generation(5),
            lifetime: Lifetime {
                created_at: at(0),
                idle_expires_at: at(150),
                expires_at: at(1000),
                ended: None,
            },
            last_used_at: at(50),
            holder: Holder {
                user: UserId(Uuid::nil()),
                status: UserStatus::Active,
                epoch: Epoch::FIRST,
                roles: RoleNames::new(),
                must_change_password: false,
            },
        }
    }

    fn kind(presented: Presented) -> &'static str {
        match presented {
            Presented::Current(_) => "current",
            Presented::Repeated { .. } => "repeated",
            Presented::Stolen => "stolen",
            Presented::Ended => "ended",
            Presented::Expired => "expired",
        }
    }

    #[test]
    fn a_refresh_token_is_judged_by_generation_and_age() {
        for (generation, now, verdict) in [
            (5, 50, "current"),
            (5, 149, "current"),
            (5, 150, "expired"),
            (4, 59, "repeated"),
            (4, 60, "stolen"),
            (3, 51, "stolen"),
            (6, 51, "stolen"),
            (u32::MAX, 51, "stolen"),
            (3, 150, "expired"),
        ] {
            let presented = session().present(Generation(generation), at(now), &RULES);
            assert_eq!(kind(presented), verdict, "generation {generation} at {now}");
        }
    }

    #[test]
    fn a_grace_window_of_nothing_is_strict() {
        let strict = SessionRules {
            grace: Duration::zero(),
            ..RULES
        };
        assert_eq!(
            session().present(Generation(4), at(50), &strict),
            Presented::Stolen
        );
    }

    #[test]
    fn nothing_is_refreshed_after_the_end() {
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
    fn refreshing_never_outlives_the_session() {
        let late = StoredSession {
            lifetime: Lifetime {
                idle_expires_at: at(1000),
                ..session().lifetime
            },
            ..session()
        };
        let Presented::Current(rotation) = late.present(Generation(5), at(990), &RULES) else {
            panic!("the current token is current");
        };
        assert_eq!(rotation.idle_expires_at, at(1000));
    }

    #[test]
    fn the_last_generation_ends_the_session_in_peace() {
        let worn = StoredSession {
            generation: Generation(u32::MAX),
            ..session()
        };
        assert_eq!(
            worn.present(Generation(u32::MAX), at(51), &RULES),
            Presented::Expired
        );
    }

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::from_name(reason.as_str()), Some(reason));
        }
        assert_eq!(EndReason::from_name("unheard_of"), None);
    }

    /// What a client may do next: wait so many seconds and present the generation so far behind the newest one it holds.
    fn steps() -> impl Strategy<Value = Vec<(i64, u32)>> {
        proptest::collection::vec((0_i64..40, 0_u32..4), 1..60)
    }

    proptest! {
        /// The session as a state machine: at any time at most one token can be rotated, only its parent can be
        /// repeated, and after a theft or an end nothing ever works again.
        #[test]
        fn a_family_has_one_living_line(steps in steps()) {
            let mut session = StoredSession { generation: Generation::FIRST, last_used_at: at(0), ..session() };
            let mut now = at(0);
            let mut dead = false;
            for (wait, behind) in steps {
                now += Duration::seconds(wait);
                let Some(generation) = session.generation.0.checked_sub(behind).map(Generation) else { continue };
                let before = session.generation;
                match session.present(generation, now, &RULES) {
                    Presented::Current(rotation) => {
                        prop_assert!(!dead && behind == 0);
                        prop_assert_eq!(rotation.to, Generation(before.0 + 1));
                        prop_assert!(rotation.idle_expires_at <= session.lifetime.expires_at);
                        session = session.rotated(&rotation);
                    }
                    Presented::Repeated { successor } => {
                        prop_assert!(!dead && behind == 1 && now - session.last_used_at < RULES.grace);
                        prop_assert_eq!(successor, before);
                    }
                    Presented::Stolen => {
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
