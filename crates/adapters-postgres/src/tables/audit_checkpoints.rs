//! The checkpoints of the audit log.

use super::audit_pages::saturating_instant;
use crate::{error::StorageError, schema::audit_checkpoints};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper,
    data_types::PgTimestamp, pg::Pg,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::audit::{AuditNumber, StoredCheckpoint};

/// Returns the checkpoint that covers the most events.
pub async fn newest(conn: &mut AsyncPgConnection) -> Result<Option<StoredCheckpoint>, StorageError> {
    let row: Option<CheckpointRow> = audit_checkpoints::table
        .order(audit_checkpoints::number.desc())
        .select(CheckpointRow::as_select())
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(StoredCheckpoint::from))
}

/// Returns all checkpoints, lowest number first.
pub async fn list(conn: &mut AsyncPgConnection) -> Result<Vec<StoredCheckpoint>, StorageError> {
    let rows: Vec<CheckpointRow> = audit_checkpoints::table
        .order(audit_checkpoints::number)
        .select(CheckpointRow::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(StoredCheckpoint::from).collect())
}

/// Stores `checkpoint`, unless there is one of its event.
pub async fn insert(conn: &mut AsyncPgConnection, checkpoint: &StoredCheckpoint) -> Result<(), StorageError> {
    diesel::insert_into(audit_checkpoints::table)
        .values((
            audit_checkpoints::number.eq(checkpoint.number.0),
            audit_checkpoints::at.eq(checkpoint.at),
            audit_checkpoints::note.eq(&checkpoint.note),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes the checkpoints that were stored at `from` or later and cover fewer events than
/// `number`.
pub async fn remove_replaced(
    conn: &mut AsyncPgConnection,
    from: DateTime<Utc>,
    number: AuditNumber,
) -> Result<(), StorageError> {
    let replaced = audit_checkpoints::table
        .filter(audit_checkpoints::at.ge(from))
        .filter(audit_checkpoints::number.lt(number.0));
    diesel::delete(replaced).execute(conn).await?;
    Ok(())
}

/// Removes all checkpoints.
pub async fn clear(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    diesel::delete(audit_checkpoints::table).execute(conn).await?;
    Ok(())
}

/// A row as it is stored, even if its time was set to one that chrono cannot hold.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_checkpoints, check_for_backend(Pg))]
struct CheckpointRow {
    number: i64,
    at: PgTimestamp,
    note: String,
}

impl From<CheckpointRow> for StoredCheckpoint {
    fn from(row: CheckpointRow) -> Self {
        Self {
            number: AuditNumber(row.number),
            at: saturating_instant(row.at),
            note: row.note,
        }
    }
}
