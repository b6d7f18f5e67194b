//! Removing the oldest events.

use super::{Journal, THE_CHAIN, lock_ends};
use crate::{
    error::StorageError,
    prepared::Prepared,
    schema::{audit_chain, audit_trail},
};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::audit::{AuditAction, AuditEvent};

/// Locks the chain before it looks: two who trimmed at once would both begin at the same event.
///
/// Events from before the chain stand ahead of its base, unsealed, and are the first to go. The base stays then.
pub async fn trim(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: u32,
    journal: &Journal,
) -> Result<u64, StorageError> {
    let ends = lock_ends(conn).await?;
    let oldest: Vec<(i64, bool)> = audit_trail::table
        .filter(audit_trail::number.lt(ends.head.number.0))
        .order(audit_trail::number)
        .limit(limit.into())
        .select((audit_trail::number, audit_trail::at.lt(before)))
        .load(conn)
        .await?;
    let going: Vec<i64> = oldest
        .into_iter()
        .map_while(|(number, old)| old.then_some(number))
        .collect();
    let (Some(&first), Some(&last)) = (going.iter().min(), going.iter().max()) else {
        return Ok(0);
    };
    if last > ends.base.number.0 {
        move_base(conn, last).await?;
    }
    // Between two numbers, not up to one: of half a range the server thinks that it is a third of the table.
    let removed = diesel::delete(audit_trail::table.filter(audit_trail::number.between(first, last)))
        .execute(conn)
        .await?;
    let event = AuditEvent::new(AuditAction::AuditLogTrimmed)
        .with("count", removed)
        .with("through", last);
    journal.write(conn, event).await?;
    Ok(removed as u64)
}

/// With the seal as it stands, right or wrong: what follows is sealed together with it.
async fn move_base(conn: &mut AsyncPgConnection, last: i64) -> Result<(), StorageError> {
    let seal: Vec<u8> = audit_trail::table
        .find(last)
        .select(audit_trail::seal)
        .first(conn)
        .await?;
    let base = (audit_chain::base_number.eq(last), audit_chain::base_seal.eq(seal));
    Prepared(diesel::update(audit_chain::table.find(THE_CHAIN)).set(base))
        .execute(conn)
        .await?;
    Ok(())
}
