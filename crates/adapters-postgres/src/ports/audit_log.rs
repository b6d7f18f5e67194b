use crate::{
    PostgresStorage,
    changes::{EventWriter, trim},
    tables::{audit, audit_pages, audit_pending},
};
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditFilter, AuditNumber, AuditRecord, Backlog, ChainEnds, ReadRow},
    changes::TrimAuditLog,
    ports::{AuditLog, PortError},
};

#[async_trait]
impl AuditLog for PostgresStorage {
    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError> {
        self.seal_all().await?;
        self.database
            .read((filter, before, limit), |conn, (filter, before, limit)| {
                Box::pin(audit_pages::page(conn, filter, *before, *limit))
            })
            .await
    }

    async fn backlog(&self) -> Result<Backlog, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(audit_pending::backlog(conn)))
            .await
    }

    async fn ends(&self) -> Result<ChainEnds, PortError> {
        self.seal_all().await?;
        self.database
            .read((), |conn, ()| Box::pin(audit::ends(conn)))
            .await
    }

    async fn rows(&self, after: AuditNumber, limit: u32) -> Result<Vec<ReadRow>, PortError> {
        self.seal_all().await?;
        self.database
            .read((after, limit), |conn, (after, limit)| {
                Box::pin(audit_pages::rows(conn, *after, *limit))
            })
            .await
    }

    async fn trim(&self, command: TrimAuditLog, context: AuditContext) -> Result<u64, PortError> {
        self.seal_all().await?;
        let input = (command, EventWriter::new(context, &self.sealer, &self.written));
        self.database
            .write(input, |conn, (command, events)| {
                Box::pin(trim(conn, *command, events))
            })
            .await
    }
}
