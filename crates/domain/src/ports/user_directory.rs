use super::PortError;
use crate::{
    audit::AuditContext,
    changes::{ImportUsers, Refusal},
    user::{Credentials, User, UserFilter, UserPage},
};
use async_trait::async_trait;

/// Users in bulk, for administration. Each method is one transaction.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait UserDirectory: Send + Sync {
    /// Returns whether there is an active user with the role `admin`.
    async fn any_admin(&self) -> Result<bool, PortError>;

    /// Returns a page of the users that match `filter`. Users who are added or removed meanwhile MUST NOT make another user
    /// appear twice on following pages, or not at all.
    async fn list(&self, filter: UserFilter, page: UserPage) -> Result<Vec<User>, PortError>;

    /// Returns a page of all users, with what their passwords are verified against.
    async fn export(&self, page: UserPage) -> Result<Vec<Credentials>, PortError>;

    /// Stores those users that [`ImportUsers::decide`] accepts, each with its [event](ImportUsers::event), all in one
    /// transaction. Returns for each user, in their order, the stored user or the refusal.
    ///
    /// A login that another transaction takes meanwhile MUST be refused with [`Refusal::LoginTaken`], and MUST NOT keep out
    /// the other users.
    async fn import(
        &self,
        users: ImportUsers,
        context: AuditContext,
    ) -> Result<Vec<Result<User, Refusal>>, PortError>;
}
