use crate::{PostgresDatabase, error::StorageError, schema::audit_chain};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::{QueryDsl, Queryable, Selectable, SelectableHelper, pg::Pg};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::{
        AuditContext, AuditEvent, AuditFilter, AuditNumber, AuditRecord, AuditRow, BrokenRow, ChainEnd,
        ChainEnds, Seal,
    },
    ports::{AuditLog, AuditSealer, PortError},
};
use std::sync::Arc;

mod pages;
mod trim;
mod write;

pub use pages::{page, parse_address, rows};
pub use trim::trim;
pub use write::Journal;

/// The id of the one row of `audit_chain`.
const THE_CHAIN: i16 = 1;

/// The audit trail in Postgres.
pub struct PostgresAuditLog {
    database: PostgresDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl PostgresAuditLog {
    #[must_use]
    pub fn new(database: PostgresDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }

    fn journal(&self, context: AuditContext) -> Journal {
        Journal::new(context, &self.sealer)
    }
}

#[async_trait]
impl AuditLog for PostgresAuditLog {
    async fn note(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        self.database
            .write((event, self.journal(context)), |conn, (event, journal)| {
                Box::pin(journal.write(conn, event.clone()))
            })
            .await
    }

    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError> {
        self.database
            .read((filter, before, limit), |conn, (filter, before, limit)| {
                Box::pin(page(conn, filter, *before, *limit))
            })
            .await
    }

    async fn ends(&self) -> Result<ChainEnds, PortError> {
        self.database.read((), |conn, ()| Box::pin(ends(conn))).await
    }

    async fn rows(
        &self,
        after: AuditNumber,
        limit: u32,
    ) -> Result<Vec<Result<(AuditRow, Seal), BrokenRow>>, PortError> {
        self.database
            .read((after, limit), |conn, (after, limit)| {
                Box::pin(rows(conn, *after, *limit))
            })
            .await
    }

    async fn trim(&self, before: DateTime<Utc>, limit: u32, context: AuditContext) -> Result<u64, PortError> {
        self.database
            .write(
                (before, limit, self.journal(context)),
                |conn, (before, limit, journal)| Box::pin(trim(conn, *before, *limit, journal)),
            )
            .await
    }
}

pub async fn ends(conn: &mut AsyncPgConnection) -> Result<ChainEnds, StorageError> {
    let row: ChainRow = audit_chain::table
        .find(THE_CHAIN)
        .select(ChainRow::as_select())
        .first(conn)
        .await?;
    row.try_into()
}

/// Where the chain begins and ends, and stays so until the transaction ends: whoever would write waits. The last lock that
/// a transaction takes, and the one that all of them take.
async fn lock_ends(conn: &mut AsyncPgConnection) -> Result<ChainEnds, StorageError> {
    let row: ChainRow = audit_chain::table
        .find(THE_CHAIN)
        .select(ChainRow::as_select())
        .for_update()
        .first(conn)
        .await?;
    row.try_into()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_chain, check_for_backend(Pg))]
struct ChainRow {
    base_number: i64,
    base_seal: Vec<u8>,
    head_number: i64,
    head_seal: Vec<u8>,
}

impl TryFrom<ChainRow> for ChainEnds {
    type Error = StorageError;

    fn try_from(row: ChainRow) -> Result<Self, Self::Error> {
        let end = |number, seal: Vec<u8>| {
            let seal = seal
                .try_into()
                .map_err(|_| StorageError::row("audit_chain", "a seal has 32 bytes"))?;
            Ok::<_, StorageError>(ChainEnd {
                number: AuditNumber(number),
                seal: Seal(seal),
            })
        };
        Ok(Self {
            base: end(row.base_number, row.base_seal)?,
            head: end(row.head_number, row.head_seal)?,
        })
    }
}
