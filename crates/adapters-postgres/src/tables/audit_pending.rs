//! Events that wait for a sealer.

use super::audit_pages::{instant, saturating_instant};
use crate::{error::StorageError, prepared::Prepared, schema::audit_pending};
use chrono::{DateTime, Utc};
use diesel::{
    OptionalExtension, QueryDsl, QueryableByName,
    data_types::PgTimestamp,
    dsl::{count_star, min},
    sql_query,
    sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::audit::{AuditMac, AuditNumber, AuditRow, Backlog, PendingEvent};
use uuid::Uuid;

/// Takes each column as one array, so that one statement serves any number of rows. They draw their
/// numbers in the order of the arrays.
const INSERT: &str = "
    INSERT INTO audit_pending (at, action, actor_kind, actor_id, user_id, session_id, address, user_agent, request_id,
        details, mac)
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// Stores `events`, to be sealed in their order.
///
/// This MUST be the last statement of its transaction that locks rows or draws a number: an event
/// of a transaction that waited for one of these locks must have the higher number.
pub async fn insert(conn: &mut AsyncPgConnection, events: &[PendingEvent]) -> Result<(), StorageError> {
    let macs: Vec<_> = events
        .iter()
        .map(|event| event.mac.map(|mac| mac.to_bytes().to_vec()).unwrap_or_default())
        .collect();
    let statement = sql_query(INSERT)
        .bind::<Array<Timestamptz>, _>(column(events, |row| row.at))
        .bind::<Array<Text>, _>(column(events, |row| &*row.action))
        .bind::<Array<Text>, _>(column(events, |row| &*row.actor_kind))
        .bind::<Array<Nullable<SqlUuid>>, _>(column(events, |row| row.actor_id))
        .bind::<Array<Nullable<SqlUuid>>, _>(column(events, |row| row.user_id))
        .bind::<Array<Nullable<SqlUuid>>, _>(column(events, |row| row.session_id))
        .bind::<Array<Nullable<Text>>, _>(column(events, |row| row.address.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(events, |row| row.user_agent.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(events, |row| row.request_id.as_deref()))
        .bind::<Array<Text>, _>(column(events, |row| &*row.details))
        .bind::<Array<Binary>, _>(macs);
    Prepared(statement).execute(conn).await?;
    Ok(())
}

fn column<'a, T>(events: &'a [PendingEvent], value: impl Fn(&'a AuditRow) -> T) -> Vec<T> {
    events.iter().map(|event| value(&event.row)).collect()
}

/// Returns whether there is a pending event. The order makes the server look into the index, which
/// skips removed rows faster than the table does.
pub async fn any(conn: &mut AsyncPgConnection) -> Result<bool, StorageError> {
    let oldest: Option<i64> = audit_pending::table
        .select(audit_pending::seq)
        .order(audit_pending::seq)
        .first(conn)
        .await
        .optional()?;
    Ok(oldest.is_some())
}

/// Returns the number of pending events, and the time of the oldest.
pub async fn backlog(conn: &mut AsyncPgConnection) -> Result<Backlog, StorageError> {
    let (count, oldest): (i64, Option<PgTimestamp>) = audit_pending::table
        .select((count_star(), min(audit_pending::at)))
        .first(conn)
        .await?;
    Ok(Backlog {
        count: count.unsigned_abs(),
        oldest: oldest.map(saturating_instant),
    })
}

/// The array makes the server look up the numbers in the index, whatever it estimates.
const TAKE: &str = "
    DELETE FROM audit_pending
    WHERE seq = ANY (ARRAY(SELECT seq FROM audit_pending ORDER BY seq LIMIT $1))
    RETURNING seq, at, action, actor_kind, actor_id, user_id, session_id, address, user_agent, request_id, details, mac";

/// Removes the oldest pending events, at most `limit`, and returns them in their order.
///
/// The transaction MUST have locked the chain, and MUST seal them.
pub async fn take(conn: &mut AsyncPgConnection, limit: u32) -> Result<Vec<PendingEvent>, StorageError> {
    let statement = sql_query(TAKE).bind::<BigInt, _>(i64::from(limit));
    let mut rows: Vec<PendingRow> = Prepared(statement).load(conn).await?;
    rows.sort_unstable_by_key(|row| row.seq);
    Ok(rows.into_iter().map(PendingEvent::from).collect())
}

/// A row as it is stored. Any row can be read, so that a forged one does not keep the others from
/// being sealed.
#[derive(QueryableByName)]
#[diesel(table_name = audit_pending)]
struct PendingRow {
    seq: i64,
    at: PgTimestamp,
    action: String,
    actor_kind: String,
    actor_id: Option<Uuid>,
    user_id: Option<Uuid>,
    session_id: Option<Uuid>,
    address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    details: String,
    mac: Vec<u8>,
}

impl From<PendingRow> for PendingEvent {
    /// Replaces a time that chrono cannot hold, which only another program writes.
    fn from(row: PendingRow) -> Self {
        Self {
            row: AuditRow {
                number: AuditNumber::NONE,
                at: instant(row.at).unwrap_or(DateTime::<Utc>::UNIX_EPOCH),
                action: row.action,
                actor_kind: row.actor_kind,
                actor_id: row.actor_id,
                user_id: row.user_id,
                session_id: row.session_id,
                address: row.address,
                user_agent: row.user_agent,
                request_id: row.request_id,
                details: row.details,
            },
            mac: AuditMac::from_bytes(&row.mac),
        }
    }
}
