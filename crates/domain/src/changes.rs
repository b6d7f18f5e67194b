//! Changes to accounts, sessions, the catalogue of roles and the audit log.
//!
//! A command decides: it states what it [reads](Reads), and turns the [facts](Facts) into a [change](Change) or a
//! [refusal](Refusal). Storage loads what the command reads and applies what it decided, both in one transaction.
//! All business rules of a change are here, and none is in an adapter: who may make it, the order of refusals, epochs
//! and revisions, which sessions end, the audit event, and which session snapshots become stale.

mod account;
mod assign_roles;
mod catalogue;
mod change;
mod change_password;
mod delete_role;
mod delete_user;
mod end_session;
mod end_sessions;
mod facts;
#[cfg(test)]
mod fixtures;
mod import_users;
mod open_session;
mod refusal;
mod register_user;
mod reset_password;
mod revoke_sessions;
mod set_status;
mod trim_audit_log;
mod write_role;

pub use account::Account;
pub use assign_roles::AssignRoles;
pub use catalogue::{CatalogueChange, CatalogueCommand, CatalogueFacts, CatalogueReads, RoleWritten};
pub use change::{Applied, Change, EndSessionsOf, UserChange};
pub use change_password::ChangePassword;
pub use delete_role::DeleteRole;
pub use delete_user::DeleteUser;
pub use end_session::EndSession;
pub use end_sessions::EndSessions;
pub use facts::{AccountState, Facts, OwnedSession, Reads};
pub use import_users::{ImportFacts, ImportUsers};
pub use open_session::OpenSession;
pub use refusal::{ChangeError, Refusal};
pub use register_user::RegisterUser;
pub use reset_password::ResetPassword;
pub use revoke_sessions::RevokeSessions;
pub use set_status::SetStatus;
pub use trim_audit_log::{TrimAuditLog, TrimChange, TrimFacts};
pub use write_role::{MAX_ROLES, WriteRole};

use crate::invalidation::InvalidationScope;
use chrono::{DateTime, Utc};
use std::fmt;

/// A requested change to an account or its sessions.
pub trait Command: fmt::Debug + Send + Sync {
    /// Returns what storage has to load and lock before [`decide`](Self::decide) is called.
    fn reads(&self) -> Reads;

    /// Decides what to change at `at`. Pure: the result depends on the command and the arguments alone.
    ///
    /// # Errors
    /// [`Refusal`] if the rules do not allow the change. Nothing may be written then.
    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal>;

    /// Returns the scope to invalidate when a refusal says that another request has already made this change: that
    /// request may still be waiting for replicas to acknowledge it.
    fn already_done(&self) -> Option<InvalidationScope>;
}

/// Returns what replicas must drop from their caches before the caller of `command` gets `result`.
///
/// A failure of storage invalidates nothing: the client does not learn that the change was made, if it was, and its
/// next attempt finds it made and invalidates it then.
#[must_use]
pub fn invalidated(
    command: &dyn Command,
    result: &Result<Applied, ChangeError>,
) -> Option<InvalidationScope> {
    match result {
        Ok(applied) => applied.change.invalidates,
        Err(ChangeError::Refused(refusal)) => {
            refusal.invalidates(command.already_done(), command.reads().caller)
        }
        Err(ChangeError::Port(_)) => None,
    }
}
