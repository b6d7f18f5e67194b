//! Reads the audit log: pages of events, and rows with their seals.

use crate::{
    columns::{Id, Micros, Readable},
    error::StorageError,
    schema::audit_trail,
};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper, SqliteConnection,
    sqlite::Sqlite,
};
use domain::audit::{AuditFilter, AuditMac, AuditNumber, AuditRow, BrokenRow, ReadRow, Seal, SealedRow};

/// Returns at most `limit` rows before `before` that match `filter`, newest first. A row that
/// cannot be read is reported in its place.
///
/// A page by user, actor or action is a range of an index. A page of all events is a range of the
/// table.
pub fn page(
    conn: &mut SqliteConnection,
    filter: &AuditFilter,
    before: Option<AuditNumber>,
    limit: u32,
) -> Result<Vec<ReadRow>, StorageError> {
    let before = before.map_or(i64::MAX, |number| number.0);
    let rows: Vec<StoredRow> = if is_by_time_alone(filter) {
        rows_by_time(conn, filter, before, limit)?
    } else {
        rows_by_number(conn, filter, before, limit)?
    };
    Ok(rows.into_iter().map(StoredRow::read).collect())
}

fn is_by_time_alone(filter: &AuditFilter) -> bool {
    let by_other = filter.user.is_some() || filter.actor.is_some() || filter.action.is_some();
    !by_other && (filter.from.is_some() || filter.until.is_some())
}

fn rows_by_number(
    conn: &mut SqliteConnection,
    filter: &AuditFilter,
    before: i64,
    limit: u32,
) -> Result<Vec<StoredRow>, StorageError> {
    let mut page = audit_trail::table
        .filter(audit_trail::number.lt(before))
        .order(audit_trail::number.desc())
        .limit(limit.into())
        .select(StoredRow::as_select())
        .into_boxed();
    if let Some(user) = filter.user {
        page = page.filter(audit_trail::user_id.eq(Id(user.0)));
    }
    if let Some(actor) = filter.actor {
        page = page.filter(audit_trail::actor_id.eq(Id(actor.0)));
    }
    if let Some(action) = filter.action {
        page = page.filter(audit_trail::action.eq(action.as_str()));
    }
    if let Some(from) = filter.from {
        page = page.filter(audit_trail::at.ge(Micros(from)));
    }
    if let Some(until) = filter.until {
        page = page.filter(audit_trail::at.lt(Micros(until)));
    }
    Ok(page.load(conn)?)
}

/// Returns a page of the events in a period. Times need not rise with numbers, because clocks
/// differ and are adjusted. The statement reads the numbers in the period from the index of times
/// alone, and keeps the highest. The period always has both ends: with only one, SQLite would read
/// the whole table by number instead.
fn rows_by_time(
    conn: &mut SqliteConnection,
    filter: &AuditFilter,
    before: i64,
    limit: u32,
) -> Result<Vec<StoredRow>, StorageError> {
    let micros = |time: DateTime<Utc>| time.timestamp_micros();
    let timed = diesel::alias!(audit_trail as timed);
    let (number, at) = (timed.field(audit_trail::number), timed.field(audit_trail::at));
    let newest = timed
        .filter(at.ge(filter.from.map_or(i64::MIN, micros)))
        .filter(at.lt(filter.until.map_or(i64::MAX, micros)))
        .filter(number.lt(before))
        .order(number.desc())
        .limit(limit.into())
        .select(number);
    Ok(audit_trail::table
        .filter(audit_trail::number.eq_any(newest))
        .order(audit_trail::number.desc())
        .select(StoredRow::as_select())
        .load(conn)?)
}

/// Returns at most `limit` rows after `after`, lowest number first. A row that cannot be read is
/// reported in its place.
pub fn rows(
    conn: &mut SqliteConnection,
    after: AuditNumber,
    limit: u32,
) -> Result<Vec<ReadRow>, StorageError> {
    let rows: Vec<StoredRow> = audit_trail::table
        .filter(audit_trail::number.gt(after.0))
        .order(audit_trail::number)
        .limit(limit.into())
        .select(StoredRow::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(StoredRow::read).collect())
}

/// An event with its seal. Any stored value can be read, so that a row that was tampered with keeps
/// its number.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_trail, check_for_backend(Sqlite))]
struct StoredRow {
    number: i64,
    at: Readable<Micros>,
    action: Readable<String>,
    actor_kind: Readable<String>,
    actor_id: Readable<Option<Id>>,
    user_id: Readable<Option<Id>>,
    session_id: Readable<Option<Id>>,
    address: Readable<Option<String>>,
    user_agent: Readable<Option<String>>,
    request_id: Readable<Option<String>>,
    details: Readable<String>,
    seal: Readable<Vec<u8>>,
    mac: Readable<Option<Vec<u8>>>,
}

impl StoredRow {
    fn read(self) -> ReadRow {
        let number = AuditNumber(self.number);
        self.parse(number).ok_or(BrokenRow(number))
    }

    fn parse(self, number: AuditNumber) -> Option<SealedRow> {
        let row = AuditRow {
            number,
            at: self.at.0?.0,
            action: self.action.0?,
            actor_kind: self.actor_kind.0?,
            actor_id: self.actor_id.0?.map(|id| id.0),
            user_id: self.user_id.0?.map(|id| id.0),
            session_id: self.session_id.0?.map(|id| id.0),
            address: self.address.0?,
            user_agent: self.user_agent.0?,
            request_id: self.request_id.0?,
            details: self.details.0?,
        };
        let mac = match self.mac.0? {
            None => None,
            Some(bytes) => Some(AuditMac::from_bytes(&bytes)?),
        };
        Some(SealedRow {
            row,
            seal: Seal(self.seal.0?.try_into().ok()?),
            mac,
        })
    }
}
