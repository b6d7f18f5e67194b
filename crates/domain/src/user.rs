//! Users: who somebody is, and the epoch that all of their access tokens must match.

use crate::{
    login::{CanonicalLogin, Login, LoginPrefix},
    password::PasswordHash,
    revision::Revision,
    role::{RoleName, RoleNames},
};
use chrono::{DateTime, Utc};
use std::fmt;
use uuid::Uuid;

/// A user's id, a `UUIDv7`; the `sub` of their tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub Uuid);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Raised by one whenever all of a user's access tokens must die. An integer and never a time: times have a
/// resolution, skew and restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub i64);

impl Epoch {
    pub const FIRST: Self = Self(0);

    /// The epoch in which all access tokens of this one are worthless.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Whether a user may have sessions at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserStatus {
    Active,
    Disabled,
}

impl UserStatus {
    /// The name under which the status is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    /// The status stored under `name`.
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
    /// Whether the password was chosen by somebody else, so that the user may do nothing but choose another.
    pub must_change_password: bool,
    pub revision: Revision,
    pub created_at: DateTime<Utc>,
    /// When roles, password or status last changed.
    pub updated_at: DateTime<Utc>,
    pub last_login_at: Option<DateTime<Utc>>,
}

impl User {
    /// Whether the user is active and has the role `admin`.
    #[must_use]
    pub fn is_active_admin(&self) -> bool {
        self.status == UserStatus::Active && self.roles.contains(&RoleName::ADMIN)
    }

    /// Returns the user one revision later, updated at `at`.
    #[must_use]
    pub fn changed(self, at: DateTime<Utc>) -> Self {
        Self {
            revision: self.revision.next(),
            updated_at: at,
            ..self
        }
    }
}

/// A user with what their password is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub user: User,
    pub hash: PasswordHash,
}

/// A user who is about to exist: active, at the first epoch.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub id: UserId,
    pub login: Login,
    pub hash: PasswordHash,
    pub roles: RoleNames,
}

impl NewUser {
    /// The user that this becomes when it is stored at `now`.
    #[must_use]
    pub fn registered_at(&self, now: DateTime<Utc>) -> User {
        User {
            id: self.id,
            login: self.login.clone(),
            roles: self.roles.clone(),
            status: UserStatus::Active,
            epoch: Epoch::FIRST,
            must_change_password: false,
            revision: Revision::FIRST,
            created_at: now,
            updated_at: now,
            last_login_at: None,
        }
    }
}

/// A user who is brought along from another system, with a hash that was made there.
#[derive(Clone, Debug)]
pub struct ImportedUser {
    pub id: UserId,
    pub login: Login,
    pub hash: PasswordHash,
    pub roles: RoleNames,
    pub status: UserStatus,
    /// When the user registered there.
    pub created_at: DateTime<Utc>,
}

impl ImportedUser {
    /// The user that this becomes when it is stored at `now`.
    #[must_use]
    pub fn imported_at(&self, now: DateTime<Utc>) -> Credentials {
        let user = User {
            id: self.id,
            login: self.login.clone(),
            roles: self.roles.clone(),
            status: self.status,
            epoch: Epoch::FIRST,
            must_change_password: false,
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

/// Which users are asked for: those that every part that is set holds for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    pub login: Option<LoginPrefix>,
    pub role: Option<RoleName>,
    pub status: Option<UserStatus>,
}

impl UserFilter {
    /// Whether every part that is set holds for `user`.
    #[must_use]
    pub fn holds_for(&self, user: &User) -> bool {
        let login = user.login.canonical().as_str();
        let begins = |prefix: &LoginPrefix| login.starts_with(prefix.as_str());
        self.login.as_ref().is_none_or(begins)
            && self.role.as_ref().is_none_or(|role| user.roles.contains(role))
            && self.status.is_none_or(|status| user.status == status)
    }
}

/// A page of the users in the order of their canonical logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPage {
    /// Behind this login; from the first one when there is none.
    pub after: Option<CanonicalLogin>,
    /// The most users of the page.
    pub limit: u32,
}

impl UserPage {
    /// Where this page of logins with `prefix` begins, in the order of code points: the first login that may be on it, or a
    /// text before that one. Empty for the first page of all logins.
    #[must_use]
    pub fn begins_at(&self, prefix: Option<&LoginPrefix>) -> String {
        // No login has a control character, so nothing stands between a login and this.
        let behind = self.after.as_ref().map(|after| format!("{after}\u{1}"));
        let prefix = prefix.map(|prefix| prefix.as_str().to_owned());
        behind.max(prefix).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_found_by_the_name_under_which_it_is_stored() {
        for status in [UserStatus::Active, UserStatus::Disabled] {
            assert_eq!(UserStatus::from_name(status.as_str()), Some(status));
        }
        assert_eq!(UserStatus::from_name("unheard_of"), None);
    }
}
