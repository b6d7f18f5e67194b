//! Pages of the audit log.

use crate::{error::StorageError, prepared::PlannedAnew, schema::audit_trail};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper, alias, data_types::PgTimestamp,
    dsl::sql, pg::Pg, sql_types::BigInt,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::audit::{AuditFilter, AuditMac, AuditNumber, AuditRow, BrokenRow, ReadRow, Seal, SealedRow};
use uuid::Uuid;

/// Returns at most `limit` rows before `before` that match `filter`, newest first. A page by user,
/// actor or action is a range of an index, and a page of all events a range of the table.
///
/// Planned anew each time: which of two filters matches fewer events depends on their values.
pub async fn page(
    conn: &mut AsyncPgConnection,
    filter: &AuditFilter,
    before: Option<AuditNumber>,
    limit: u32,
) -> Result<Vec<ReadRow>, StorageError> {
    let before = before.map_or(i64::MAX, |number| number.0);
    let found = if is_by_time_alone(filter) {
        rows_by_time(conn, filter, before, limit).await?
    } else {
        rows_by_number(conn, filter, before, limit).await?
    };
    Ok(found.into_iter().map(StoredRow::sealed).collect())
}

fn is_by_time_alone(filter: &AuditFilter) -> bool {
    let by_other = filter.user.is_some() || filter.actor.is_some() || filter.action.is_some();
    !by_other && (filter.from.is_some() || filter.until.is_some())
}

async fn rows_by_number(
    conn: &mut AsyncPgConnection,
    filter: &AuditFilter,
    before: i64,
    limit: u32,
) -> Result<Vec<StoredRow>, StorageError> {
    let mut chosen = audit_trail::table
        .filter(audit_trail::number.lt(before))
        .order(audit_trail::number.desc())
        .limit(limit.into())
        .select(StoredRow::as_select())
        .into_boxed();
    if let Some(user) = filter.user {
        chosen = chosen.filter(audit_trail::user_id.eq(user.0));
    }
    if let Some(actor) = filter.actor {
        chosen = chosen.filter(audit_trail::actor_id.eq(actor.0));
    }
    if let Some(action) = filter.action {
        chosen = chosen.filter(audit_trail::action.eq(action.as_str()));
    }
    if let Some(from) = filter.from {
        chosen = chosen.filter(audit_trail::at.ge(from));
    }
    if let Some(until) = filter.until {
        chosen = chosen.filter(audit_trail::at.lt(until));
    }
    Ok(PlannedAnew(chosen).load(conn).await?)
}

/// Returns a page of the events in a period. Times need not rise with numbers, because clocks
/// differ and are adjusted. The statement reads the numbers in the period from the index of times
/// alone, and keeps the highest. The sum keeps the server from walking the whole log in the order
/// of numbers instead.
async fn rows_by_time(
    conn: &mut AsyncPgConnection,
    filter: &AuditFilter,
    before: i64,
    limit: u32,
) -> Result<Vec<StoredRow>, StorageError> {
    let timed = alias!(audit_trail as timed);
    let at = timed.field(audit_trail::at);
    let mut newest = timed
        .filter(timed.field(audit_trail::number).lt(before))
        .order(sql::<BigInt>("timed.number + 0").desc())
        .limit(limit.into())
        .select(timed.field(audit_trail::number))
        .into_boxed();
    if let Some(from) = filter.from {
        newest = newest.filter(at.ge(from));
    }
    if let Some(until) = filter.until {
        newest = newest.filter(at.lt(until));
    }
    let chosen = audit_trail::table
        .filter(audit_trail::number.eq_any(newest))
        .order(audit_trail::number.desc())
        .select(StoredRow::as_select());
    Ok(PlannedAnew(chosen).load(conn).await?)
}

/// Returns at most `limit` rows after `after` with their seals, lowest number first.
pub async fn rows(
    conn: &mut AsyncPgConnection,
    after: AuditNumber,
    limit: u32,
) -> Result<Vec<ReadRow>, StorageError> {
    let found: Vec<StoredRow> = audit_trail::table
        .filter(audit_trail::number.gt(after.0))
        .order(audit_trail::number)
        .limit(limit.into())
        .select(StoredRow::as_select())
        .load(conn)
        .await?;
    Ok(found.into_iter().map(StoredRow::sealed).collect())
}

/// Returns the events at `times`, without rows that cannot be read.
pub async fn rows_at(
    conn: &mut AsyncPgConnection,
    times: Vec<DateTime<Utc>>,
) -> Result<Vec<AuditRow>, StorageError> {
    let found: Vec<StoredRow> = audit_trail::table
        .filter(audit_trail::at.eq_any(times))
        .select(StoredRow::as_select())
        .load(conn)
        .await?;
    let rows = found.into_iter().filter_map(|row| AuditRow::try_from(row).ok());
    Ok(rows.collect())
}

/// A row as it is stored, even if it was tampered with: a time that chrono cannot hold makes this
/// row unreadable and no other.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_trail, check_for_backend(Pg))]
struct StoredRow {
    number: i64,
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
    seal: Vec<u8>,
    mac: Option<Vec<u8>>,
}

impl StoredRow {
    fn sealed(mut self) -> ReadRow {
        let broken = BrokenRow(AuditNumber(self.number));
        let seal = std::mem::take(&mut self.seal).try_into().map_err(|_| broken)?;
        let mac = match self.mac.take() {
            None => None,
            Some(bytes) => Some(AuditMac::from_bytes(&bytes).ok_or(broken)?),
        };
        Ok(SealedRow {
            row: self.try_into()?,
            seal: Seal(seal),
            mac,
        })
    }
}

impl TryFrom<StoredRow> for AuditRow {
    type Error = BrokenRow;

    fn try_from(row: StoredRow) -> Result<Self, Self::Error> {
        let number = AuditNumber(row.number);
        Ok(Self {
            number,
            at: instant(row.at).ok_or(BrokenRow(number))?,
            action: row.action,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            user_id: row.user_id,
            session_id: row.session_id,
            address: row.address,
            user_agent: row.user_agent,
            request_id: row.request_id,
            details: row.details,
        })
    }
}

/// The epoch of Postgres, 2000-01-01T00:00:00Z, in microseconds since 1970.
const EPOCH_OF_POSTGRES: i64 = 946_684_800_000_000;

/// Converts a time; `None` if it is out of range.
pub fn instant(at: PgTimestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(at.0.checked_add(EPOCH_OF_POSTGRES)?)
}

/// Returns the time, or the nearest one in range.
pub fn saturating_instant(at: PgTimestamp) -> DateTime<Utc> {
    let nearest = if at.0 < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    };
    instant(at).unwrap_or(nearest)
}
