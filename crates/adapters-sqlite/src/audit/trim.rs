//! The trail's oldest part, when it has had its time.

use super::{pages::ends, write};
use crate::{
    columns::Micros,
    error::StorageError,
    schema::{audit_chain, audit_trail},
};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection};
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent, AuditNumber},
    ports::AuditSealer,
};

pub fn trim(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    before: DateTime<Utc>,
    limit: u32,
    context: &AuditContext,
) -> Result<u64, StorageError> {
    let ends = ends(conn)?;
    let Some(through) = last_to_go(conn, ends.head.number, before, limit)? else {
        return Ok(0);
    };
    // Events from before the chain was begun stand ahead of its base.
    if through > ends.base.number {
        move_base(conn, through)?;
    }
    let oldest = audit_trail::table.filter(audit_trail::number.le(through.0));
    let count = diesel::delete(oldest).execute(conn)? as u64;
    let event = AuditEvent::new(AuditAction::AuditLogTrimmed)
        .with("count", count)
        .with("through", through);
    write(conn, sealer, context, &event)?;
    Ok(count)
}

/// The last of the events that are to go, if any is.
pub fn last_to_go(
    conn: &mut SqliteConnection,
    head: AuditNumber,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<Option<AuditNumber>, StorageError> {
    let oldest = audit_trail::table
        .filter(audit_trail::number.lt(head.0))
        .order(audit_trail::number)
        .limit(limit.into())
        .select((audit_trail::number, audit_trail::at))
        .load_iter::<(i64, Micros), _>(conn)?;
    let mut last = None;
    for event in oldest {
        let (number, at) = event?;
        if at.0 >= before {
            break;
        }
        last = Some(AuditNumber(number));
    }
    Ok(last)
}

fn move_base(conn: &mut SqliteConnection, to: AuditNumber) -> Result<(), StorageError> {
    let seal: Vec<u8> = audit_trail::table
        .find(to.0)
        .select(audit_trail::seal)
        .first(conn)?;
    diesel::update(audit_chain::table.find(1))
        .set((audit_chain::base_number.eq(to.0), audit_chain::base_seal.eq(seal)))
        .execute(conn)?;
    Ok(())
}
