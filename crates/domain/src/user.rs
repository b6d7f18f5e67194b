//! Users: identity, status, and the epoch that a user's access tokens must match.

use crate::{
    login::{CanonicalLogin, Login, LoginPrefix},
    one_time_password::OneTimePassword,
    password::{Password, PasswordHash},
    revision::Revision,
    role::{RoleName, RoleNames},
};
use chrono::{DateTime, Utc};
use std::fmt;
use uuid::Uuid;

/// A user's id, a `UUIDv7`. Tokens carry it as `sub`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub Uuid);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A counter that is incremented to invalidate all of a user's access tokens. It is an integer and
/// not a time, because clocks have a limited resolution, differ between replicas and can be set
/// back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub i64);

impl Epoch {
    pub const FIRST: Self = Self(0);

    /// Returns the next epoch, in which all access tokens of this one are invalid.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Whether a user may have sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserStatus {
    Active,
    Disabled,
}

impl UserStatus {
    /// Returns the name under which the status is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    /// Returns the status stored under `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Disabled]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// A registered user. All times are UTC to the microsecond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub login: Login,
    pub roles: RoleNames,
    pub status: UserStatus,
    pub epoch: Epoch,
    /// Whether another user chose the password, so that this user must change it before doing
    /// anything else.
    pub must_change_password: bool,
    /// The limits of the password, if another user or the operator has set it.
    pub one_time_password: Option<OneTimePassword>,
    /// Increases with each change to the other fields. A login is one.
    pub revision: Revision,
    pub created_at: DateTime<Utc>,
    /// The time of the last change to roles, password or status.
    pub updated_at: DateTime<Utc>,
    pub last_login_at: Option<DateTime<Utc>>,
}

impl User {
    /// Returns whether the user is active and has the role `admin`.
    #[must_use]
    pub fn is_active_admin(&self) -> bool {
        self.status == UserStatus::Active && self.roles.contains(&RoleName::ADMIN)
    }

    /// Returns whether the user's password may open a session at `now`.
    #[must_use]
    pub fn may_log_in(&self, now: DateTime<Utc>) -> bool {
        let is_usable = |password: OneTimePassword| password.is_usable_at(now);
        self.status == UserStatus::Active && self.one_time_password.is_none_or(is_usable)
    }

    /// Returns the text to compare with the hash of the user's password if a client sent `typed`.
    #[must_use]
    pub fn normalised(&self, typed: Password) -> Password {
        match self.one_time_password {
            Some(_) => typed.into_one_time(),
            None => typed,
        }
    }

    /// Returns the user at the next revision, updated at `at`.
    #[must_use]
    pub fn changed(self, at: DateTime<Utc>) -> Self {
        Self {
            revision: self.revision.next(),
            updated_at: at,
            ..self
        }
    }
}

/// A revision of one user. It names the user, because a login can pass to another user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRevision {
    pub user: UserId,
    pub revision: Revision,
}

impl UserRevision {
    /// Returns the revision that `user` must have; one that never exists if this names another
    /// user.
    #[must_use]
    pub fn required_of(self, user: UserId) -> Revision {
        if user == self.user {
            self.revision
        } else {
            Revision::NEVER
        }
    }
}

/// A user and the hash of their password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub user: User,
    pub hash: PasswordHash,
}

/// A user to be stored: active, at the first epoch.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub id: UserId,
    pub login: Login,
    pub hash: PasswordHash,
    pub roles: RoleNames,
}

impl NewUser {
    /// Returns the user as stored at `now`.
    #[must_use]
    pub fn registered_at(&self, now: DateTime<Utc>) -> User {
        User {
            id: self.id,
            login: self.login.clone(),
            roles: self.roles.clone(),
            status: UserStatus::Active,
            epoch: Epoch::FIRST,
            must_change_password: false,
            one_time_password: None,
            revision: Revision::FIRST,
            created_at: now,
            updated_at: now,
            last_login_at: None,
        }
    }
}

/// A user imported from another system, with a password hash made there.
#[derive(Clone, Debug)]
pub struct ImportedUser {
    pub id: UserId,
    pub login: Login,
    pub hash: PasswordHash,
    pub roles: RoleNames,
    pub status: UserStatus,
    /// The limits of the password, which must then be changed.
    pub one_time_password: Option<OneTimePassword>,
    /// The time of registration in the other system.
    pub created_at: DateTime<Utc>,
}

impl ImportedUser {
    /// Returns the user as stored at `now`.
    #[must_use]
    pub fn imported_at(&self, now: DateTime<Utc>) -> Credentials {
        let user = User {
            id: self.id,
            login: self.login.clone(),
            roles: self.roles.clone(),
            status: self.status,
            epoch: Epoch::FIRST,
            must_change_password: self.one_time_password.is_some(),
            one_time_password: self.one_time_password,
            revision: Revision::FIRST,
            created_at: self.created_at,
            updated_at: now,
            last_login_at: None,
        };
        Credentials {
            user,
            hash: self.hash.clone(),
        }
    }
}

/// A filter for users. A user matches if every part that is set matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    pub login: Option<LoginPrefix>,
    pub role: Option<RoleName>,
    pub status: Option<UserStatus>,
}

impl UserFilter {
    /// Returns whether every part that is set matches `user`.
    #[must_use]
    pub fn holds_for(&self, user: &User) -> bool {
        let login = user.login.canonical().as_str();
        let begins = |prefix: &LoginPrefix| login.starts_with(prefix.as_str());
        self.login.as_ref().is_none_or(begins)
            && self.role.as_ref().is_none_or(|role| user.roles.contains(role))
            && self.status.is_none_or(|status| user.status == status)
    }
}

/// A page of the users, ordered by canonical login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPage {
    /// Start after this login, or at the first one if `None`.
    pub after: Option<CanonicalLogin>,
    /// The maximum number of users on the page.
    pub limit: u32,
}

impl UserPage {
    /// Returns where this page of logins with `prefix` starts, in the order of code points: the
    /// first login that may be on it, or a text that sorts before that login. Empty for the first
    /// page of all logins.
    #[must_use]
    pub fn begins_at(&self, prefix: Option<&LoginPrefix>) -> String {
        // Logins contain no control characters, so no login sorts between `after` and this text.
        let behind = self.after.as_ref().map(|after| format!("{after}\u{1}"));
        let prefix = prefix.map(|prefix| prefix.as_str().to_owned());
        behind.max(prefix).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_parsed_from_its_stored_name() {
        for status in [UserStatus::Active, UserStatus::Disabled] {
            assert_eq!(UserStatus::from_name(status.as_str()), Some(status));
        }
        assert_eq!(UserStatus::from_name("unheard_of"), None);
    }
}
