//! Events that wait for a sealer.

use super::{
    audit::THE_CHAIN,
    audit_pages::{instant, saturating_instant},
};
use crate::{
    error::{ON_PRIMARY, StorageError},
    prepared::Prepared,
    schema::audit_pending,
};
use chrono::{DateTime, Utc};
use diesel::{
    QueryDsl, QueryableByName,
    data_types::PgTimestamp,
    dsl::{count_star, min},
    sql_query,
    sql_types::{Array, BigInt, Binary, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::audit::{AuditMac, AuditNumber, AuditRow, Backlog, PendingEvent, Unsealed};
use std::{collections::HashSet, time::Duration};
use uuid::Uuid;

/// Takes each column as one array, so that one statement serves any number of rows. They draw their
/// numbers in the order of the arrays.
const INSERT: &str = "
    INSERT INTO audit_pending (at, action, actor_kind, actor_id, user_id, session_id, address, user_agent, request_id,
        details, mac)
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    RETURNING seq";

/// Stores `events`, to be sealed in their order, and returns their numbers.
///
/// This MUST be the last statement of its transaction that locks rows or draws a number: an event
/// of a transaction that waited for one of these locks must have the higher number.
pub async fn insert(conn: &mut AsyncPgConnection, events: &[PendingEvent]) -> Result<Vec<i64>, StorageError> {
    #[derive(QueryableByName)]
    struct Stored {
        #[diesel(sql_type = BigInt)]
        seq: i64,
    }
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
    let stored: Vec<Stored> = Prepared(statement).load(conn).await?;
    Ok(stored.into_iter().map(|row| row.seq).collect())
}

fn column<'a, T>(events: &'a [PendingEvent], value: impl Fn(&'a AuditRow) -> T) -> Vec<T> {
    events.iter().map(|event| value(&event.row)).collect()
}

/// Which pending events to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Those with numbers of [`Unsealed`]. The server finds them without passing the index entries
    /// of removed rows, which stay while a transaction of any program is open.
    New,
    /// All, including one that another program stored under another number.
    All,
}

/// The pending event with the lowest number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldestPending {
    pub seq: i64,
    /// The time since its change, by the clocks of the server and of the replica that wrote it.
    pub age: Duration,
}

const FIRST_NEW: &str = "
    SELECT seq, at, clock_timestamp() AS now FROM audit_pending WHERE seq = (
        SELECT min(found.seq)
        FROM audit_chain, unnest(unsealed_lowest, unsealed_highest) AS gap (lowest, highest), LATERAL (
            SELECT seq FROM audit_pending WHERE seq BETWEEN gap.lowest AND gap.highest ORDER BY seq LIMIT 1
        ) AS found
        WHERE id = $1)";

const FIRST_OF_ALL: &str = "
    SELECT seq, at, clock_timestamp() AS now FROM audit_pending WHERE seq >= $1 ORDER BY seq LIMIT 1";

/// Returns the pending event with the lowest number, if there is one.
pub async fn oldest(conn: &mut AsyncPgConnection, look: Look) -> Result<Option<OldestPending>, StorageError> {
    let rows: Vec<FirstRow> = match look {
        Look::New => {
            let statement = sql_query(FIRST_NEW).bind::<SmallInt, _>(THE_CHAIN);
            Prepared(statement).load(conn).await?
        }
        Look::All => {
            let statement = sql_query(FIRST_OF_ALL).bind::<BigInt, _>(i64::MIN);
            Prepared(statement).load(conn).await?
        }
    };
    Ok(rows
        .into_iter()
        .min_by_key(|row| row.seq)
        .map(OldestPending::from))
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

/// The array makes the server look up the numbers in the index, whatever it estimates. Only another
/// program stores a text that is cut.
const TAKE: &str = "
    DELETE FROM audit_pending WHERE seq = ANY (ARRAY(
        SELECT found.seq
        FROM unnest($1::bigint[], $2::bigint[]) AS gap (lowest, highest), LATERAL (
            SELECT seq FROM audit_pending WHERE seq BETWEEN gap.lowest AND gap.highest ORDER BY seq LIMIT $3
        ) AS found
        ORDER BY found.seq LIMIT $3))
    RETURNING seq, at, left(action, 100) AS action, left(actor_kind, 100) AS actor_kind, actor_id, user_id, session_id,
        address, user_agent, request_id, left(details, 1000000) AS details, mac";

/// Pending events that were removed, in their order.
pub struct Taken {
    pub events: Vec<PendingEvent>,
    pub seqs: Vec<i64>,
}

/// Removes the oldest pending events with numbers of `unsealed`, at most `limit`.
///
/// The transaction MUST have locked the chain, and MUST seal them.
pub async fn take(
    conn: &mut AsyncPgConnection,
    unsealed: &Unsealed,
    limit: u32,
) -> Result<Taken, StorageError> {
    let statement = sql_query(TAKE)
        .bind::<Array<BigInt>, _>(unsealed.lowest())
        .bind::<Array<BigInt>, _>(unsealed.highest())
        .bind::<BigInt, _>(i64::from(limit));
    let mut rows: Vec<PendingRow> = Prepared(statement).load(conn).await?;
    rows.sort_unstable_by_key(|row| row.seq);
    Ok(Taken {
        seqs: rows.iter().map(|row| row.seq).collect(),
        events: rows.into_iter().map(PendingEvent::from).collect(),
    })
}

/// Fails on a standby, where a committed event may not have arrived.
const MACS: &str = "SELECT ARRAY(SELECT mac FROM audit_pending WHERE seq = ANY ($1)) AS macs WHERE ";

/// Returns the MACs of the pending events with the numbers `seqs`.
pub async fn macs(conn: &mut AsyncPgConnection, seqs: &[i64]) -> Result<HashSet<AuditMac>, StorageError> {
    #[derive(QueryableByName)]
    struct Macs {
        #[diesel(sql_type = Array<Binary>)]
        macs: Vec<Vec<u8>>,
    }
    let statement = sql_query(format!("{MACS}{ON_PRIMARY}")).bind::<Array<BigInt>, _>(seqs);
    let found: Macs = Prepared(statement).get_result(conn).await?;
    let macs = found.macs.iter().filter_map(|mac| AuditMac::from_bytes(mac));
    Ok(macs.collect())
}

#[derive(QueryableByName)]
struct FirstRow {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Timestamptz)]
    at: PgTimestamp,
    #[diesel(sql_type = Timestamptz)]
    now: PgTimestamp,
}

impl From<FirstRow> for OldestPending {
    fn from(row: FirstRow) -> Self {
        let age = saturating_instant(row.now) - saturating_instant(row.at);
        Self {
            seq: row.seq,
            age: age.to_std().unwrap_or_default(),
        }
    }
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
