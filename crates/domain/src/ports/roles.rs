use super::PortError;
use crate::{
    audit::AuditContext,
    changes::{CatalogueChange, CatalogueCommand, ChangeError},
    role::{Role, RoleNames},
};
use async_trait::async_trait;
use std::sync::Arc;

/// The catalogue of roles. [Built-in roles](crate::role::built_in) MUST exist from the first start on.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Roles: Send + Sync {
    /// Returns those of `names` that exist. Names that do not MUST be left out.
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError>;

    /// Returns all roles, in the order of their names.
    async fn list(&self) -> Result<Vec<Role>, PortError>;

    /// Executes `command` in one transaction: loads and locks what it [reads](crate::changes::CatalogueReads), lets it decide
    /// at `context.at`, and applies the change together with its audit event. It MUST be in force for every user when this
    /// returns.
    ///
    /// MUST apply all of the change or, after any error, none of it. Of concurrent commands, each MUST see the effects of the
    /// ones before it. However many changes of accounts race with it, no user MUST ever have a role that is not in the
    /// catalogue.
    async fn execute(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError>;

    /// Returns what [`execute`](Self::execute) would return now. MUST write nothing.
    async fn dry_run(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError>;
}
