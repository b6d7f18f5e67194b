use super::PortError;
use crate::{
    audit::Stamp,
    login::CanonicalLogin,
    password::PasswordHash,
    role::RoleNames,
    session::NewSession,
    token::Vouched,
    user::{Credentials, NewUser, User, UserId, UserStatus},
};
use async_trait::async_trait;

/// What storing a user came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    Now(User),
    LoginTaken,
    /// A role of the user's is not in the catalogue.
    UnknownRole,
}

/// A change of roles, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRoles {
    pub user: UserId,
    pub roles: RoleNames,
    /// Let the sessions live: their next refresh carries the new roles.
    pub keep_sessions: bool,
    /// On whose word, if not the operator's: change nothing unless this session is live, and its user active and still at
    /// this epoch. Whoever was let in when the request began may have been shut out since.
    pub only_while: Option<Vouched>,
}

/// What a change of roles came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolesChanged {
    Now(User),
    NoSuchUser,
    /// A role is not in the catalogue.
    UnknownRole,
    /// The user is the last active one with the role `admin` and would lose it.
    LastAdmin,
    /// `only_while` no longer holds.
    Stale,
}

/// A change of password, whole: the caller goes on in a session of its own.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// Whose: change nothing unless this session is live, and its user active and still at this epoch.
    pub only_while: Vouched,
    pub hash: PasswordHash,
    pub session: NewSession,
}

/// What a change of password came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordChanged {
    /// The user as they are now; the new session stands at this epoch.
    Now(User),
    Stale,
}

/// What a change of status came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusChanged {
    Now(User),
    NoSuchUser,
    /// The user is the last active one with the role `admin` and would be disabled.
    LastAdmin,
}

/// Users at rest. Each method is one transaction; those that take a [`Stamp`] write an audit row in it, and those that
/// change a user set `updated_at`.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Users: Send + Sync {
    /// Stores a user.
    ///
    /// Exactly one of any number of concurrent calls with one canonical login MUST answer [`Inserted::Now`], the others
    /// [`Inserted::LoginTaken`]. Nothing MUST be stored on any other answer.
    async fn insert(&self, user: NewUser, stamp: Stamp) -> Result<Inserted, PortError>;

    /// The user with this login, and what their password is checked against.
    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError>;

    /// Gives a user exactly these roles, raises the epoch by one and, unless told to keep them, ends all live sessions.
    ///
    /// However many calls race, at least one active user with the role `admin` MUST be left once there was one. On any
    /// answer but [`RolesChanged::Now`] nothing MUST have changed.
    async fn change_roles(&self, change: ChangeRoles, stamp: Stamp) -> Result<RolesChanged, PortError>;

    /// Replaces the password, raises the epoch by one, ends all live sessions and opens `change.session`.
    ///
    /// On [`PasswordChanged::Stale`] nothing MUST have changed.
    async fn change_password(
        &self,
        change: ChangePassword,
        stamp: Stamp,
    ) -> Result<PasswordChanged, PortError>;

    /// Replaces `old` by `new`, the same password's hash; whether it did. MUST NOT when the hash is no longer `old`, and
    /// MUST NOT touch epoch or sessions: nothing that the user did has changed.
    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError>;

    /// Disables or enables a user. Disabling raises the epoch and ends all live sessions; enabling brings none back.
    ///
    /// However many calls race, at least one active user with the role `admin` MUST be left once there was one. When the
    /// status is already as asked, nothing MUST change and the answer is the user.
    async fn set_status(
        &self,
        user: UserId,
        status: UserStatus,
        stamp: Stamp,
    ) -> Result<StatusChanged, PortError>;

    /// Whether there is an active user with the role `admin`.
    async fn any_admin(&self) -> Result<bool, PortError>;

    /// At most `limit` users in the order of their canonical logins, those after `after`.
    async fn list(&self, after: Option<CanonicalLogin>, limit: u32) -> Result<Vec<User>, PortError>;
}
