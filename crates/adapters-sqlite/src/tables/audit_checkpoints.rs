//! The checkpoints of the audit log.

use crate::{columns::Readable, error::StorageError, schema::audit_checkpoints};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, Insertable, OptionalExtension, QueryDsl, Queryable, RunQueryDsl, Selectable,
    SelectableHelper, SqliteConnection, sqlite::Sqlite,
};
use domain::audit::{AuditNumber, StoredCheckpoint};

/// Returns the checkpoint that covers the most events.
pub fn newest(conn: &mut SqliteConnection) -> Result<Option<StoredCheckpoint>, StorageError> {
    let row: Option<ReadCheckpoint> = audit_checkpoints::table
        .order(audit_checkpoints::number.desc())
        .select(ReadCheckpoint::as_select())
        .first(conn)
        .optional()?;
    Ok(row.map(StoredCheckpoint::from))
}

/// Returns all checkpoints, lowest number first.
pub fn list(conn: &mut SqliteConnection) -> Result<Vec<StoredCheckpoint>, StorageError> {
    let rows: Vec<ReadCheckpoint> = audit_checkpoints::table
        .order(audit_checkpoints::number)
        .select(ReadCheckpoint::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(StoredCheckpoint::from).collect())
}

/// Stores `checkpoint`, unless there is one of its event.
pub fn insert(conn: &mut SqliteConnection, checkpoint: &StoredCheckpoint) -> Result<(), StorageError> {
    diesel::insert_into(audit_checkpoints::table)
        .values(CheckpointRow::from(checkpoint))
        .on_conflict_do_nothing()
        .execute(conn)?;
    Ok(())
}

/// Removes the checkpoints that were stored at `from` or later and cover fewer events than
/// `number`.
pub fn remove_replaced(
    conn: &mut SqliteConnection,
    from: DateTime<Utc>,
    number: AuditNumber,
) -> Result<(), StorageError> {
    let replaced = audit_checkpoints::table
        .filter(audit_checkpoints::at.ge(from.timestamp_micros()))
        .filter(audit_checkpoints::number.lt(number.0));
    diesel::delete(replaced).execute(conn)?;
    Ok(())
}

/// Removes all checkpoints.
pub fn clear(conn: &mut SqliteConnection) -> Result<(), StorageError> {
    diesel::delete(audit_checkpoints::table).execute(conn)?;
    Ok(())
}

/// A checkpoint as it is stored, even if another program changed it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_checkpoints, check_for_backend(Sqlite))]
struct ReadCheckpoint {
    number: i64,
    /// In microseconds. Another program may have set it to a time that chrono cannot hold.
    at: i64,
    note: Readable<String>,
}

impl From<ReadCheckpoint> for StoredCheckpoint {
    fn from(row: ReadCheckpoint) -> Self {
        Self {
            number: AuditNumber(row.number),
            at: DateTime::from_timestamp_micros(row.at).unwrap_or(DateTime::<Utc>::MAX_UTC),
            // Text that is not UTF-8 is reported like any other that is not a note.
            note: row.note.0.unwrap_or_default(),
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = audit_checkpoints)]
struct CheckpointRow {
    number: i64,
    /// In microseconds.
    at: i64,
    note: String,
}

impl From<&StoredCheckpoint> for CheckpointRow {
    fn from(checkpoint: &StoredCheckpoint) -> Self {
        Self {
            number: checkpoint.number.0,
            at: checkpoint.at.timestamp_micros(),
            note: checkpoint.note.clone(),
        }
    }
}
