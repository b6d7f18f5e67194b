use crate::{PostgresStorage, changes::machines as commands, tables::machines};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::AuditContext,
    changes::{ChangeError, MachineCommand, MachineDecision},
    machine::{Machine, MachineId},
    ports::{Machines, PortError},
    session::SessionId,
};
use std::sync::Arc;

#[async_trait]
impl Machines for PostgresStorage {
    async fn find(&self, id: MachineId) -> Result<Option<Machine>, PortError> {
        self.database
            .read(id, |conn, id| Box::pin(machines::find(conn, *id)))
            .await
    }

    async fn list(&self) -> Result<Vec<Machine>, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(machines::list(conn)))
            .await
    }

    async fn execute(
        &self,
        command: Arc<dyn MachineCommand>,
        context: AuditContext,
    ) -> Result<MachineDecision, ChangeError> {
        let events = self.events(context);
        let decision = self
            .database
            .write_unless_refused((command, events.clone()), |conn, (command, events)| {
                Box::pin(commands::execute(conn, &**command, events))
            })
            .await?;
        events.committed();
        Ok(decision)
    }

    async fn dry_run(
        &self,
        command: Arc<dyn MachineCommand>,
        context: AuditContext,
    ) -> Result<MachineDecision, ChangeError> {
        self.database
            .dry_run((command, context.at), |conn, (command, at)| {
                Box::pin(commands::dry_run(conn, &**command, *at))
            })
            .await
    }

    async fn record_use(&self, secret: SessionId, at: DateTime<Utc>) -> Result<(), PortError> {
        self.database
            .write_at_once((secret, at), |conn, (secret, at)| {
                Box::pin(machines::record_use(conn, *secret, *at))
            })
            .await
    }
}
