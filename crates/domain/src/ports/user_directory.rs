use super::PortError;
use crate::{
    audit::AuditContext,
    changes::{ImportUsers, Refusal},
    user::{Credentials, User, UserFilter, UserPage},
};
use async_trait::async_trait;

/// Lists, exports and imports users. Each method is one transaction.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait UserDirectory: Send + Sync {
    /// Returns whether an active user with the role `admin` exists.
    async fn any_admin(&self) -> Result<bool, PortError>;

    /// Returns a page of the users that match `filter`. Users added or removed between calls MUST
    /// NOT make another user appear twice or be skipped.
    async fn list(&self, filter: UserFilter, page: UserPage) -> Result<Vec<User>, PortError>;

    /// Returns a page of all users with their password hashes.
    async fn export(&self, page: UserPage) -> Result<Vec<Credentials>, PortError>;

    /// Stores the users that [`ImportUsers::decide`] accepts, each with its
    /// [event](ImportUsers::event), in one transaction. Returns for each user, in input order, the
    /// stored user or the refusal.
    ///
    /// If another transaction takes a login concurrently, that user MUST be refused with
    /// [`Refusal::LoginTaken`], and the others MUST still be stored.
    async fn import(
        &self,
        users: ImportUsers,
        context: AuditContext,
    ) -> Result<Vec<Result<User, Refusal>>, PortError>;
}
