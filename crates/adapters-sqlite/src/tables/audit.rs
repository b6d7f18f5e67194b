//! The audit log as changes see it: its ends, what is appended and what is trimmed.

use crate::{
    columns::{Id, Micros},
    error::StorageError,
    schema::{audit_chain, audit_trail},
};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, Insertable, QueryDsl, RunQueryDsl, SqliteConnection};
use domain::audit::{AuditNumber, AuditRow, ChainEnd, ChainEnds, Seal};

/// Returns where the chain begins and ends.
pub fn ends(conn: &mut SqliteConnection) -> Result<ChainEnds, StorageError> {
    let (base_number, base_seal, head_number, head_seal): (i64, Vec<u8>, i64, Vec<u8>) = audit_chain::table
        .find(1)
        .select((
            audit_chain::base_number,
            audit_chain::base_seal,
            audit_chain::head_number,
            audit_chain::head_seal,
        ))
        .first(conn)?;
    Ok(ChainEnds {
        base: chain_end(base_number, base_seal)?,
        head: chain_end(head_number, head_seal)?,
    })
}

fn chain_end(number: i64, seal: Vec<u8>) -> Result<ChainEnd, StorageError> {
    let seal = seal
        .try_into()
        .map_err(|_| StorageError::row("audit_chain", "a seal has 32 bytes"))?;
    Ok(ChainEnd {
        number: AuditNumber(number),
        seal: Seal(seal),
    })
}

/// Appends `row` with its seal.
pub fn insert(conn: &mut SqliteConnection, row: &AuditRow, seal: &Seal) -> Result<(), StorageError> {
    diesel::insert_into(audit_trail::table)
        .values(NewAuditRow::new(row, seal))
        .execute(conn)?;
    Ok(())
}

/// Makes `head` the end of the chain.
pub fn set_head(conn: &mut SqliteConnection, head: &ChainEnd) -> Result<(), StorageError> {
    diesel::update(audit_chain::table.find(1))
        .set((
            audit_chain::head_number.eq(head.number.0),
            audit_chain::head_seal.eq(head.seal.0.as_slice()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Returns the oldest events up to `head` with their times, lowest number first, at most `limit`.
pub fn oldest(
    conn: &mut SqliteConnection,
    head: AuditNumber,
    limit: u32,
) -> Result<Vec<(AuditNumber, DateTime<Utc>)>, StorageError> {
    let rows = audit_trail::table
        .filter(audit_trail::number.le(head.0))
        .order(audit_trail::number)
        .limit(limit.into())
        .select((audit_trail::number, audit_trail::at))
        .load::<(i64, Micros)>(conn)?;
    let numbered = rows.into_iter().map(|(number, at)| (AuditNumber(number), at.0));
    Ok(numbered.collect())
}

/// Makes the event `number` the base of the chain, with its seal as it is stored.
pub fn move_base(conn: &mut SqliteConnection, number: AuditNumber) -> Result<(), StorageError> {
    let seal: Vec<u8> = audit_trail::table
        .find(number.0)
        .select(audit_trail::seal)
        .first(conn)?;
    diesel::update(audit_chain::table.find(1))
        .set((
            audit_chain::base_number.eq(number.0),
            audit_chain::base_seal.eq(seal),
        ))
        .execute(conn)?;
    Ok(())
}

/// Removes the events from `first` to `last`.
pub fn remove(
    conn: &mut SqliteConnection,
    first: AuditNumber,
    last: AuditNumber,
) -> Result<(), StorageError> {
    let range = audit_trail::number.between(first.0, last.0);
    diesel::delete(audit_trail::table.filter(range)).execute(conn)?;
    Ok(())
}

#[derive(Insertable)]
#[diesel(table_name = audit_trail)]
struct NewAuditRow<'a> {
    number: i64,
    at: Micros,
    action: &'a str,
    actor_kind: &'a str,
    actor_id: Option<Id>,
    user_id: Option<Id>,
    session_id: Option<Id>,
    address: Option<&'a str>,
    user_agent: Option<&'a str>,
    request_id: Option<&'a str>,
    details: &'a str,
    seal: &'a [u8],
}

impl<'a> NewAuditRow<'a> {
    fn new(row: &'a AuditRow, seal: &'a Seal) -> Self {
        Self {
            number: row.number.0,
            at: Micros(row.at),
            action: &row.action,
            actor_kind: &row.actor_kind,
            actor_id: row.actor_id.map(Id),
            user_id: row.user_id.map(Id),
            session_id: row.session_id.map(Id),
            address: row.address.as_deref(),
            user_agent: row.user_agent.as_deref(),
            request_id: row.request_id.as_deref(),
            details: &row.details,
            seal: &seal.0,
        }
    }
}
