//! Sessions: one login on one device, and the family of refresh tokens that descends from it
//! (RFC 9700, section 4.14.2).

use crate::{
    origin::Origin,
    role::RoleNames,
    throttle::Network,
    user::{Epoch, User, UserId, UserStatus},
};
use chrono::{DateTime, Duration, DurationRound, Utc};
use std::{fmt, net::IpAddr};
use uuid::Uuid;

mod burst;
mod fingerprint;
mod rotation;
mod secret;

pub use burst::Burst;
pub use fingerprint::{Likeness, OriginFingerprint, OriginLikeness};
pub use rotation::{LastRotation, Presented, Rotation};
pub use secret::{SecretDigest, SessionSecret};

/// A session's id, a `UUIDv7`. Tokens carry it as `sid`. It is not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub Uuid);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of times a session was refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    pub const FIRST: Self = Self(0);

    /// Returns the next generation, or `None` after `u32::MAX`.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

/// Why a session was ended before it expired. It is stored with the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    LoggedOut,
    RefreshTokenReused,
    RolesChanged,
    PasswordChanged,
    PasswordReset,
    UserDisabled,
    /// The user or an administrator ended the session from elsewhere, or all sessions at once.
    SessionsRevoked,
    /// The user reached the maximum number of sessions, and this was the oldest.
    MadeRoom,
}

impl EndReason {
    /// The reasons after which the place of a session stays a known place of the account. After any
    /// other, the session may have been another person's.
    pub const THAT_KEEP_PLACES_KNOWN: [Self; 3] = [Self::LoggedOut, Self::RolesChanged, Self::MadeRoom];

    const ALL: [Self; 8] = [
        Self::LoggedOut,
        Self::RefreshTokenReused,
        Self::RolesChanged,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::UserDisabled,
        Self::SessionsRevoked,
        Self::MadeRoom,
    ];

    /// Returns the name under which the reason is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::RolesChanged => "roles_changed",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::UserDisabled => "user_disabled",
            Self::SessionsRevoked => "forced_out",
            Self::MadeRoom => "made_room",
        }
    }

    /// Returns whether the network and the device of a session that ended for this reason stay
    /// known places of the account.
    #[must_use]
    pub fn keeps_place_known(self) -> bool {
        Self::THAT_KEEP_PLACES_KNOWN.contains(&self)
    }

    /// Returns the reason stored under `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// Lifetimes and limits of sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionRules {
    /// A session expires when it has not been refreshed for this long.
    pub idle_ttl: Duration,
    /// A session expires this long after login, regardless of refreshes.
    pub ttl: Duration,
    /// How long a rotated refresh token still returns the current one; zero disables this.
    pub grace: Duration,
    /// Maximum number of live sessions per user. A further login ends the oldest.
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

/// A session to store, at its first generation. The user's password was checked when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    pub id: SessionId,
    pub user: UserId,
    pub secret_digest: SecretDigest,
    pub created_at: DateTime<Utc>,
    pub idle_expires_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub user_agent: Option<String>,
    pub address: Option<IpAddr>,
}

impl NewSession {
    /// Creates a session that is opened at `now`. Its timeouts follow from `rules`.
    #[must_use]
    pub fn opened_at(
        now: DateTime<Utc>,
        id: SessionId,
        user: UserId,
        secret_digest: SecretDigest,
        rules: &SessionRules,
        origin: &Origin,
    ) -> Self {
        let expires_at = now + rules.ttl;
        Self {
            id,
            user,
            secret_digest,
            created_at: now,
            idle_expires_at: expires_at.min(now + rules.idle_ttl),
            expires_at,
            user_agent: origin.user_agent.clone(),
            address: origin.address,
        }
    }

    /// Returns the network in which the account is known from then on, if the address is known.
    #[must_use]
    pub fn network(&self) -> Option<Network> {
        self.address.map(Network::site)
    }

    /// Returns the session as stored for `user`.
    #[must_use]
    pub fn stored(&self, user: &User) -> StoredSession {
        StoredSession {
            id: self.id,
            secret_digest: self.secret_digest,
            generation: Generation::FIRST,
            lifetime: Lifetime {
                created_at: self.created_at,
                idle_expires_at: self.idle_expires_at,
                expires_at: self.expires_at,
                ended: None,
            },
            last_rotation: LastRotation::default(),
            burst: None,
            authenticated_at: self.created_at,
            holder: user.into(),
        }
    }
}

/// When a session expires, and whether it was ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    pub created_at: DateTime<Utc>,
    pub idle_expires_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ended: Option<EndReason>,
}

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    Live,
    Ended(EndReason),
    Expired,
}

impl Lifetime {
    /// Returns the lifetime for a clock that shows `now`. A session that was opened later, under a
    /// clock that was ahead, counts as opened now: it ends no later than such a session would.
    #[must_use]
    pub fn as_of(self, now: DateTime<Utc>) -> Self {
        let ahead = (self.created_at - now).max(Duration::zero());
        let expires_at = self.expires_at - ahead;
        Self {
            created_at: self.created_at - ahead,
            idle_expires_at: self.idle_expires_at.min(expires_at),
            expires_at,
            ended: self.ended,
        }
    }

    /// Returns the state of the session at `now`.
    #[must_use]
    pub fn at(&self, now: DateTime<Utc>) -> Liveness {
        match self.ended {
            Some(reason) => Liveness::Ended(reason),
            None if now < self.idle_expires_at && now < self.expires_at => Liveness::Live,
            None => Liveness::Expired,
        }
    }
}

/// A stored session with what a refresh needs, read in one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    pub id: SessionId,
    pub secret_digest: SecretDigest,
    pub generation: Generation,
    pub lifetime: Lifetime,
    pub last_rotation: LastRotation,
    /// The burst of the last rotation; `None` at the first generation, and if only replicas of an
    /// earlier version have rotated the session.
    pub burst: Option<Burst>,
    /// When the user's password was last checked in this session.
    pub authenticated_at: DateTime<Utc>,
    pub holder: Holder,
}

/// The user of a session, and the contents of their next access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub user: UserId,
    pub status: UserStatus,
    pub epoch: Epoch,
    pub roles: RoleNames,
    pub must_change_password: bool,
}

impl From<&User> for Holder {
    fn from(user: &User) -> Self {
        Self {
            user: user.id,
            status: user.status,
            epoch: user.epoch,
            roles: user.roles.clone(),
            must_change_password: user.must_change_password,
        }
    }
}

/// An entry in a user's list of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    pub id: SessionId,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub user_agent: Option<String>,
    pub address: Option<IpAddr>,
}

impl SessionSummary {
    /// Returns the summary to show when the clock shows `now`: its times are as
    /// [`Lifetime::as_of`] returns them, and the last use has a resolution of one hour.
    ///
    /// The exact time would show a thief when the owner refreshes, and thus when a stolen token can
    /// be presented within the grace window.
    #[must_use]
    pub fn as_of(self, now: DateTime<Utc>) -> Self {
        let ahead = (self.created_at - now).max(Duration::zero());
        let created_at = self.created_at - ahead;
        Self {
            created_at,
            last_used_at: start_of_hour(self.last_used_at.min(now)).max(created_at),
            expires_at: self.expires_at - ahead,
            ..self
        }
    }
}

/// Returns the start of the hour of `time`, UTC.
fn start_of_hour(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(Duration::hours(1)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a valid second")
    }

    /// A session opened at second 1,000 for 500 seconds, or 100 without a refresh.
    fn lifetime() -> Lifetime {
        Lifetime {
            created_at: at(1_000),
            idle_expires_at: at(1_100),
            expires_at: at(1_500),
            ended: None,
        }
    }

    #[test]
    fn a_session_opened_in_the_future_counts_as_opened_now() {
        for (now, created, idle, expires) in [
            (1_000, 1_000, 1_100, 1_500),
            (1_499, 1_000, 1_100, 1_500),
            (9_999, 1_000, 1_100, 1_500),
            (999, 999, 1_100, 1_499),
            (10, 10, 510, 510),
        ] {
            let seen = lifetime().as_of(at(now));
            let expected = Lifetime {
                created_at: at(created),
                idle_expires_at: at(idle),
                expires_at: at(expires),
                ended: None,
            };
            assert_eq!(seen, expected, "at {now}");
            assert_eq!(
                seen.at(at(now)),
                lifetime().at(at(now)),
                "it is as live as before, at {now}"
            );
        }
    }

    #[test]
    fn a_summary_shows_no_time_from_the_future() {
        let summary = SessionSummary {
            id: SessionId(Uuid::nil()),
            created_at: at(1_000),
            last_used_at: at(4_000),
            expires_at: at(9_500),
            user_agent: None,
            address: None,
        };
        for (now, created, used, expires) in [
            (4_000, 1_000, 3_600, 9_500),
            (3_599, 1_000, 1_000, 9_500),
            (10, 10, 10, 8_510),
        ] {
            let seen = summary.clone().as_of(at(now));
            let times = (seen.created_at, seen.last_used_at, seen.expires_at);
            assert_eq!(times, (at(created), at(used), at(expires)), "at {now}");
        }
    }

    #[test]
    fn a_summary_shows_the_hour_of_the_last_use_but_no_time_before_the_login() {
        let hour = 3_600;
        let moment = Duration::microseconds(1);
        for (created, used, shown) in [
            (at(0), at(hour * 3), at(hour * 3)),
            (at(0), at(hour * 3) + moment, at(hour * 3)),
            (at(0), at(hour * 4) - moment, at(hour * 3)),
            (at(hour * 3 + 7), at(hour * 3 + 7), at(hour * 3 + 7)),
            (at(hour * 3 + 7), at(hour * 3 + 8), at(hour * 3 + 7)),
            (at(hour * 3 + 7), at(hour * 4), at(hour * 4)),
            // Before 1970.
            (at(-hour * 9), at(-1), at(-hour)),
        ] {
            let summary = SessionSummary {
                id: SessionId(Uuid::nil()),
                created_at: created,
                last_used_at: used,
                expires_at: at(hour * 99),
                user_agent: None,
                address: None,
            };
            assert_eq!(summary.as_of(at(hour * 9)).last_used_at, shown, "{used}");
        }
    }

    #[test]
    fn reason_names_are_unique() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::from_name(reason.as_str()), Some(reason));
        }
        assert_eq!(EndReason::from_name("unheard_of"), None);
    }
}
