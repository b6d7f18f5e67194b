use super::PortError;
use crate::{
    audit::AuditContext,
    authority::Denied,
    login::CanonicalLogin,
    password::PasswordHash,
    revision::Revision,
    role::{RoleName, RoleNames},
    session::NewSession,
    token::TokenIdentity,
    user::{Credentials, ImportedUser, NewUser, User, UserFilter, UserId, UserPage, UserStatus},
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
    /// Only while the user stands at this revision.
    pub if_revision: Option<Revision>,
    /// On whose word, if not the operator's: change nothing unless this session is live, and its user active and still at
    /// this epoch. Whoever was let in when the request began may have been shut out since.
    pub authorized_by: Option<TokenIdentity>,
    /// Find out what would happen, and change nothing.
    pub dry_run: bool,
}

/// What a change of roles came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolesChanged {
    /// The user as they are now, and how many live sessions were ended.
    Now {
        user: User,
        sessions_ended: u64,
    },
    NoSuchUser,
    /// This role is not in the catalogue.
    UnknownRole(RoleName),
    /// The user is the last active one with the role `admin` and would lose it.
    LastAdmin,
    /// The user does not stand at `if_revision`.
    AnotherRevision,
    Denied(Denied),
}

/// A change of password, whole: the caller goes on in a session of its own.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// Whose: change nothing unless this session is live, and its user active and still at this epoch.
    pub authorized_by: TokenIdentity,
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

/// Something that is done to a user's account by an administrator, the operator, or the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Administer {
    pub user: UserId,
    /// Only while the user stands at this revision.
    pub if_revision: Option<Revision>,
    /// On whose word, if not the operator's.
    pub authorized_by: Option<TokenIdentity>,
}

/// What it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Administered {
    /// The user as they are now; one who was deleted, as they were.
    Now(User),
    NoSuchUser,
    /// The user is the last active one with the role `admin` and would be so no longer.
    LastAdmin,
    /// The user does not stand at `if_revision`.
    AnotherRevision,
    Denied(Denied),
}

/// Users at rest. Each method is one transaction; those that take a [`AuditContext`] write an audit event in it, and those that
/// change a user set `updated_at` and raise the revision by one.
///
/// Methods that name an [`Authority`](crate::authority::Authority) MUST ask it within the transaction, about the caller and
/// the user as they are then. Nothing MUST have changed on any other answer than `Now`.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Users: Send + Sync {
    /// Stores a user.
    ///
    /// Exactly one of any number of concurrent calls with one canonical login MUST answer [`Inserted::Now`], the others
    /// [`Inserted::LoginTaken`].
    async fn insert(&self, user: NewUser, context: AuditContext) -> Result<Inserted, PortError>;

    /// Stores users from another system, each as by [`insert`](Self::insert) with an event of its own, all of them in one
    /// transaction; what each came to, in their order. One that is refused MUST NOT keep out the others, and of two with
    /// one login the first MUST be stored.
    async fn import(
        &self,
        users: Vec<ImportedUser>,
        context: AuditContext,
    ) -> Result<Vec<Inserted>, PortError>;

    async fn find(&self, id: UserId) -> Result<Option<User>, PortError>;

    /// The user with this login, and what their password is checked against.
    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError>;

    /// Gives a user exactly these roles, raises the epoch by one and, unless told to keep them, ends all live sessions.
    ///
    /// Asks [`Authority::assign`](crate::authority::Authority::assign). However many calls race, at least one active user
    /// with the role `admin` MUST be left once there was one. When rehearsing nothing MUST have changed either.
    async fn change_roles(
        &self,
        change: ChangeRoles,
        context: AuditContext,
    ) -> Result<RolesChanged, PortError>;

    /// Replaces the password by one of the user's own choice, raises the epoch by one, ends all live sessions and opens
    /// `change.session`.
    async fn change_password(
        &self,
        change: ChangePassword,
        context: AuditContext,
    ) -> Result<PasswordChanged, PortError>;

    /// Replaces the password by one that the user must change, raises the epoch by one and ends all live sessions.
    ///
    /// Asks [`Authority::administer`](crate::authority::Authority::administer).
    async fn reset_password(
        &self,
        whom: Administer,
        hash: PasswordHash,
        context: AuditContext,
    ) -> Result<Administered, PortError>;

    /// Replaces `old` by `new`, the same password's hash; whether it did. MUST NOT when the hash is no longer `old`, and
    /// MUST NOT touch epoch, revision or sessions: nothing that the user did has changed.
    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError>;

    /// Disables or enables a user. Disabling raises the epoch and ends all live sessions; enabling brings none back.
    ///
    /// Asks [`Authority::administer`](crate::authority::Authority::administer). However many calls race, at least one
    /// active user with the role `admin` MUST be left once there was one. When the status is already as asked, nothing
    /// MUST change and the answer is the user.
    async fn set_status(
        &self,
        whom: Administer,
        status: UserStatus,
        context: AuditContext,
    ) -> Result<Administered, PortError>;

    /// Removes a user and their sessions, for good; the trail keeps what was done to them. The login is free again.
    ///
    /// Asks [`Authority::administer`](crate::authority::Authority::administer). However many calls race, at least one
    /// active user with the role `admin` MUST be left once there was one.
    async fn delete(&self, whom: Administer, context: AuditContext) -> Result<Administered, PortError>;

    /// Whether there is an active user with the role `admin`.
    async fn any_admin(&self) -> Result<bool, PortError>;

    /// A page of the users that `filter` holds for. Users who come or go meanwhile MUST NOT make another one appear twice
    /// on following pages, or not at all.
    async fn list(&self, filter: UserFilter, page: UserPage) -> Result<Vec<User>, PortError>;

    /// A page of all users, with what their passwords are checked against.
    async fn export(&self, page: UserPage) -> Result<Vec<Credentials>, PortError>;
}
