use crate::{
    SqliteStorage,
    changes::{EventWriter, trim},
    tables::{audit, audit_pages},
};
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditFilter, AuditNumber, Backlog, ChainEnd, ChainEnds, ReadRow},
    changes::{AcceptAuditLog, TrimAuditLog},
    ports::{AuditLog, PortError},
};

#[async_trait]
impl AuditLog for SqliteStorage {
    /// Does nothing: the writer seals each event in the transaction of its change.
    async fn seal(&self) {}

    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<ReadRow>, PortError> {
        self.database
            .read(move |conn| audit_pages::page(conn, &filter, before, limit))
            .await
    }

    /// Returns none: no event is ever pending.
    async fn backlog(&self) -> Result<Backlog, PortError> {
        Ok(Backlog::default())
    }

    async fn ends(&self) -> Result<ChainEnds, PortError> {
        self.database.read(audit::ends).await
    }

    async fn rows(&self, after: AuditNumber, limit: u32) -> Result<Vec<ReadRow>, PortError> {
        self.database
            .read(move |conn| audit_pages::rows(conn, after, limit))
            .await
    }

    async fn trim(&self, command: TrimAuditLog, context: AuditContext) -> Result<u64, PortError> {
        let events = EventWriter::new(context, &self.sealer);
        self.database
            .write_alone(move |conn| trim(conn, command, &events))
            .await
    }

    async fn accept(&self, command: AcceptAuditLog, context: AuditContext) -> Result<ChainEnd, PortError> {
        let events = EventWriter::new(context, &self.sealer);
        self.database
            .write(move |conn| {
                let event = command.decide(audit::ends(conn)?.head);
                events.write(conn, &[event])?;
                Ok(audit::ends(conn)?.head)
            })
            .await
    }
}
