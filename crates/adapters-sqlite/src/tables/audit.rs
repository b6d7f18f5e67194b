//! Appends events to the audit log, trims it and finds its ends.

use crate::{
    columns::{Id, Micros},
    error::StorageError,
    schema::{audit_chain, audit_trail},
};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection};
use domain::audit::{AuditNumber, ChainEnd, ChainEnds, Seal, SealedRow};

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

/// Appends `sealed`.
pub fn insert(conn: &mut SqliteConnection, sealed: &SealedRow) -> Result<(), StorageError> {
    let SealedRow { row, seal, mac } = sealed;
    diesel::insert_into(audit_trail::table)
        .values((
            audit_trail::number.eq(row.number.0),
            audit_trail::at.eq(Micros(row.at)),
            audit_trail::action.eq(&row.action),
            audit_trail::actor_kind.eq(&row.actor_kind),
            audit_trail::actor_id.eq(row.actor_id.map(Id)),
            audit_trail::user_id.eq(row.user_id.map(Id)),
            audit_trail::session_id.eq(row.session_id.map(Id)),
            audit_trail::address.eq(row.address.as_deref()),
            audit_trail::user_agent.eq(row.user_agent.as_deref()),
            audit_trail::request_id.eq(row.request_id.as_deref()),
            audit_trail::details.eq(&row.details),
            audit_trail::seal.eq(&seal.0[..]),
            audit_trail::mac.eq(mac.map(|mac| mac.to_bytes().to_vec())),
        ))
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
///
/// A time out of the range of chrono is returned as the nearest time in range.
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
        .load::<(i64, i64)>(conn)?;
    let row = |(number, at)| (AuditNumber(number), saturating_instant(at));
    Ok(rows.into_iter().map(row).collect())
}

/// Returns the time `micros` microseconds after the epoch, or the nearest one in range.
fn saturating_instant(micros: i64) -> DateTime<Utc> {
    let nearest = if micros < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    };
    DateTime::from_timestamp_micros(micros).unwrap_or(nearest)
}

/// Makes the event `number` the base of the chain, with its seal as it is stored. A seal of another
/// length is replaced.
pub fn move_base(conn: &mut SqliteConnection, number: AuditNumber) -> Result<(), StorageError> {
    let seal: Vec<u8> = audit_trail::table
        .find(number.0)
        .select(audit_trail::seal)
        .first(conn)?;
    diesel::update(audit_chain::table.find(1))
        .set((
            audit_chain::base_number.eq(number.0),
            audit_chain::base_seal.eq(Seal::stored_as(&seal).0.to_vec()),
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
