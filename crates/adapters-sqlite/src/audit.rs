use crate::SqliteDatabase;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::{
        AuditContext, AuditEvent, AuditFilter, AuditNumber, AuditRecord, AuditRow, BrokenRow, ChainEnds, Seal,
    },
    ports::{AuditLog, AuditSealer, PortError},
};
use std::{
    net::{AddrParseError, IpAddr},
    sync::Arc,
};

mod pages;
mod trim;
mod write;

pub use write::{write, write_all};
#[cfg(test)]
pub use {
    pages::{ends, page, rows},
    trim::last_to_go,
};

/// The audit trail in SQLite.
pub struct SqliteAuditLog {
    database: SqliteDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl SqliteAuditLog {
    #[must_use]
    pub fn new(database: SqliteDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }
}

#[async_trait]
impl AuditLog for SqliteAuditLog {
    async fn note(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let sealer = Arc::clone(&self.sealer);
        self.database
            .write(move |conn| write(conn, &*sealer, &context, &event))
            .await
    }

    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError> {
        self.database
            .read(move |conn| pages::page(conn, &filter, before, limit))
            .await
    }

    async fn ends(&self) -> Result<ChainEnds, PortError> {
        self.database.read(pages::ends).await
    }

    async fn rows(
        &self,
        after: AuditNumber,
        limit: u32,
    ) -> Result<Vec<Result<(AuditRow, Seal), BrokenRow>>, PortError> {
        self.database
            .read(move |conn| pages::rows(conn, after, limit))
            .await
    }

    async fn trim(&self, before: DateTime<Utc>, limit: u32, context: AuditContext) -> Result<u64, PortError> {
        let sealer = Arc::clone(&self.sealer);
        self.database
            .write(move |conn| trim::trim(conn, &*sealer, before, limit, &context))
            .await
    }
}

/// An address as kept with sessions.
pub fn parse_address(text: Option<&str>) -> Result<Option<IpAddr>, AddrParseError> {
    text.map(str::parse).transpose()
}
