use crate::{
    PostgresStorage,
    changes::{accept, trim},
    tables::{audit, audit_pages, audit_pending},
};
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditFilter, AuditNumber, Backlog, ChainEnd, ChainEnds, ReadRow},
    changes::{AcceptAuditLog, TrimAuditLog},
    ports::{AuditLog, PortError},
};
use std::error::Error;

#[async_trait]
impl AuditLog for PostgresStorage {
    async fn seal(&self) {
        if let Err(error) = self.seal_all().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "audit events cannot be sealed and stay pending; the audit log is read without them"
            );
        }
    }

    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<ReadRow>, PortError> {
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
        self.database
            .read((), |conn, ()| Box::pin(audit::ends(conn)))
            .await
    }

    async fn rows(&self, after: AuditNumber, limit: u32) -> Result<Vec<ReadRow>, PortError> {
        self.database
            .read((after, limit), |conn, (after, limit)| {
                Box::pin(audit_pages::rows(conn, *after, *limit))
            })
            .await
    }

    async fn trim(&self, command: TrimAuditLog, context: AuditContext) -> Result<u64, PortError> {
        let input = (command, self.events(context));
        self.database
            .write(input, |conn, (command, events)| {
                Box::pin(trim(conn, *command, events))
            })
            .await
    }

    async fn accept(&self, command: AcceptAuditLog, context: AuditContext) -> Result<ChainEnd, PortError> {
        let input = (command, self.events(context));
        self.database
            .write(input, |conn, (command, events)| {
                Box::pin(accept(conn, *command, events))
            })
            .await
    }
}
