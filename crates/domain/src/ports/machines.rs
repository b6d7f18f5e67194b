use super::PortError;
use crate::{
    audit::AuditContext,
    changes::{ChangeError, MachineCommand, MachineDecision},
    machine::{Machine, MachineId},
    session::SessionId,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Storage of machines. Their secrets are sessions, so
/// [`SessionSnapshots`](super::SessionSnapshots) MUST return their snapshots too.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Machines: Send + Sync {
    /// Returns the machine `id` with its secrets.
    async fn find(&self, id: MachineId) -> Result<Option<Machine>, PortError>;

    /// Returns all machines with their secrets, ordered by name. There are at most
    /// [`MAX_MACHINES`](crate::machine::MAX_MACHINES).
    async fn list(&self) -> Result<Vec<Machine>, PortError>;

    /// Executes `command` in one transaction: loads and locks what it
    /// [reads](crate::changes::MachineReads), calls its decision with `context.at`, and applies the
    /// change together with its audit event. The change MUST be in effect when this returns.
    ///
    /// It MUST apply all of the change or, after any error, none of it. Concurrent commands on one
    /// machine, and concurrent creations, MUST be serialised. A machine MUST NOT ever have a role
    /// that is not in the catalogue, and no two machines MUST have the same name.
    async fn execute(
        &self,
        command: Arc<dyn MachineCommand>,
        context: AuditContext,
    ) -> Result<MachineDecision, ChangeError>;

    /// Returns what [`execute`](Self::execute) would return now. It MUST write nothing.
    async fn dry_run(
        &self,
        command: Arc<dyn MachineCommand>,
        context: AuditContext,
    ) -> Result<MachineDecision, ChangeError>;

    /// Stores that the secret was used at `at`. A later time that is stored MUST stay. Does nothing
    /// if the secret does not exist.
    async fn record_use(&self, secret: SessionId, at: DateTime<Utc>) -> Result<(), PortError>;
}
