use crate::{
    SqliteStorage,
    changes::{EventWriter, machines as commands},
    tables::machines,
};
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
impl Machines for SqliteStorage {
    async fn find(&self, id: MachineId) -> Result<Option<Machine>, PortError> {
        self.database.read(move |conn| machines::find(conn, id)).await
    }

    async fn list(&self) -> Result<Vec<Machine>, PortError> {
        self.database.read(machines::list).await
    }

    async fn execute(
        &self,
        command: Arc<dyn MachineCommand>,
        context: AuditContext,
    ) -> Result<MachineDecision, ChangeError> {
        let events = EventWriter::new(context, &self.sealer);
        let executed = self
            .database
            .write(move |conn| commands::execute(conn, &*command, &events))
            .await?;
        Ok(executed?)
    }

    async fn dry_run(
        &self,
        command: Arc<dyn MachineCommand>,
        context: AuditContext,
    ) -> Result<MachineDecision, ChangeError> {
        let decided = self
            .database
            .read_snapshot(move |conn| commands::dry_run(conn, &*command, context.at))
            .await?;
        Ok(decided?)
    }

    async fn record_use(&self, secret: SessionId, at: DateTime<Utc>) -> Result<(), PortError> {
        self.database
            .write(move |conn| machines::record_use(conn, secret, at))
            .await
    }
}
