use super::PortError;
use crate::{
    audit::AuditContext,
    changes::{Applied, ChangeError, Command},
    login::CanonicalLogin,
    password::PasswordHash,
    user::{Credentials, User, UserId},
};
use async_trait::async_trait;
use std::sync::Arc;

/// Storage of accounts and their sessions, for making changes. Each method is one transaction.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Returns the user with this id, if there is one.
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError>;

    /// Returns the user with this login and the hash of their password, if there is one.
    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError>;

    /// Replaces the hash `old` with `new`, a hash of the same password. Returns whether it was
    /// replaced.
    ///
    /// It MUST replace nothing if the hash is no longer `old`, and MUST NOT change epoch, revision
    /// or sessions.
    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError>;

    /// Executes `command` in one transaction: loads and locks what it
    /// [reads](crate::changes::Reads), calls its decision with `context.at`, and applies the change
    /// together with its audit event.
    ///
    /// It MUST apply all of the change or, after any error, none of it. Commands that read the same
    /// user, session or role MUST be serialised. Of concurrent commands that may remove an
    /// administrator, each MUST see the effects of the ones before it. Of concurrent commands that
    /// need one login, exactly one MUST succeed; the others MUST fail with
    /// [`Refusal::LoginTaken`](crate::changes::Refusal::LoginTaken). A user MUST NOT ever have a
    /// role that is not in the catalogue.
    async fn execute(&self, command: Arc<dyn Command>, context: AuditContext)
    -> Result<Applied, ChangeError>;

    /// Returns what [`execute`](Self::execute) would return now. It MUST write nothing.
    async fn dry_run(&self, command: Arc<dyn Command>, context: AuditContext)
    -> Result<Applied, ChangeError>;
}
