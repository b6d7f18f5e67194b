use super::PortError;
use crate::{
    audit::AuditContext,
    changes::{CatalogueChange, CatalogueCommand, ChangeError},
    role::{Role, RoleNames},
};
use async_trait::async_trait;
use std::sync::Arc;

/// Storage of the role catalogue. The [built-in roles](crate::role::built_in) MUST exist from the
/// first start.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Roles: Send + Sync {
    /// Returns those of `names` that exist. Unknown names MUST be omitted.
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError>;

    /// Returns all roles, ordered by name.
    async fn list(&self) -> Result<Vec<Role>, PortError>;

    /// Executes `command` in one transaction: loads and locks what it
    /// [reads](crate::changes::CatalogueReads), calls its decision with `context.at`, and applies
    /// the change together with its audit event. The change MUST be in effect for every user when
    /// this returns.
    ///
    /// It MUST apply all of the change or, after any error, none of it. Concurrent commands MUST be
    /// serialised. Even when changes of accounts run concurrently, a user MUST NOT ever have a role
    /// that is not in the catalogue.
    async fn execute(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError>;

    /// Returns what [`execute`](Self::execute) would return now. It MUST write nothing.
    async fn dry_run(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError>;
}
