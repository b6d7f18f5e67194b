//! What is added to the trail, in the transaction of the change that it tells of.

use super::pages::ends;
use crate::{
    columns::{Id, Micros},
    error::StorageError,
    schema::{audit_chain, audit_trail},
};
use diesel::{ExpressionMethods, Insertable, QueryDsl, RunQueryDsl, SqliteConnection};
use domain::{
    audit::{AuditContext, AuditEvent, AuditRow, Seal},
    ports::AuditSealer,
};
use std::slice;

/// Seals `event` as the last of the chain. Nobody writes beside, so nobody else takes the number.
pub fn write(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    context: &AuditContext,
    event: &AuditEvent,
) -> Result<(), StorageError> {
    write_all(conn, sealer, context, slice::from_ref(event))
}

/// [`write`] for each of `events`, in their order.
pub fn write_all(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    context: &AuditContext,
    events: &[AuditEvent],
) -> Result<(), StorageError> {
    let mut head = ends(conn)?.head;
    for event in events {
        let row = AuditRow::new(head.next(), event, context);
        head = head.seal_next(&row, sealer);
        diesel::insert_into(audit_trail::table)
            .values(NewAuditRow::new(&row, &head.seal))
            .execute(conn)?;
    }
    diesel::update(audit_chain::table.find(1))
        .set((
            audit_chain::head_number.eq(head.number.0),
            audit_chain::head_seal.eq(head.seal.0.as_slice()),
        ))
        .execute(conn)?;
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
