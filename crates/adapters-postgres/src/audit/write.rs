//! Writing events, each sealed with the seal of the one before it.

use super::{THE_CHAIN, lock_ends};
use crate::{error::StorageError, prepared::Prepared};
use diesel::{
    sql_query,
    sql_types::{Array, BigInt, Binary, Nullable, SmallInt, Text, Timestamptz, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::{AuditContext, AuditEvent, AuditRow, ChainEnd, Seal},
    ports::AuditSealer,
};
use std::sync::Arc;

/// Where a change writes what it did, in its own transaction.
pub struct Journal {
    pub context: AuditContext,
    sealer: Arc<dyn AuditSealer>,
}

impl Journal {
    pub fn new(context: AuditContext, sealer: &Arc<dyn AuditSealer>) -> Self {
        Self {
            context,
            sealer: Arc::clone(sealer),
        }
    }

    /// Writes an event: the last thing that a transaction does, since all others that write wait from here on.
    pub async fn write(&self, conn: &mut AsyncPgConnection, event: AuditEvent) -> Result<(), StorageError> {
        self.write_all(conn, &[event]).await
    }

    /// As [`write`](Self::write), for many events at once.
    pub async fn write_all(
        &self,
        conn: &mut AsyncPgConnection,
        events: &[AuditEvent],
    ) -> Result<(), StorageError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut head = lock_ends(conn).await?.head;
        let sealed: Vec<_> = events
            .iter()
            .map(|event| {
                let row = AuditRow::new(head.next(), event, &self.context);
                head = head.seal_next(&row, &*self.sealer);
                (row, head.seal)
            })
            .collect();
        append(conn, &sealed, head).await
    }
}

/// Appends rows and moves the head, in one round trip: the chain is locked meanwhile. A column is one value, so that one
/// statement serves any number of rows.
const APPEND: &str = "
    WITH moved AS (UPDATE audit_chain SET head_number = $2, head_seal = $3 WHERE id = $1)
    INSERT INTO audit_trail (number, at, action, actor_kind, actor_id, user_id, session_id, address, user_agent,
        request_id, details, seal)
    SELECT * FROM unnest($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

async fn append(
    conn: &mut AsyncPgConnection,
    sealed: &[(AuditRow, Seal)],
    head: ChainEnd,
) -> Result<(), StorageError> {
    let rows = || sealed.iter().map(|(row, _)| row);
    let numbers: Vec<_> = rows().map(|row| row.number.0).collect();
    let times: Vec<_> = rows().map(|row| row.at).collect();
    let actions: Vec<_> = rows().map(|row| &*row.action).collect();
    let actor_kinds: Vec<_> = rows().map(|row| &*row.actor_kind).collect();
    let actors: Vec<_> = rows().map(|row| row.actor_id).collect();
    let users: Vec<_> = rows().map(|row| row.user_id).collect();
    let sessions: Vec<_> = rows().map(|row| row.session_id).collect();
    let addresses: Vec<_> = rows().map(|row| row.address.as_deref()).collect();
    let user_agents: Vec<_> = rows().map(|row| row.user_agent.as_deref()).collect();
    let requests: Vec<_> = rows().map(|row| row.request_id.as_deref()).collect();
    let details: Vec<_> = rows().map(|row| &*row.details).collect();
    let seals: Vec<_> = sealed.iter().map(|(_, seal)| &seal.0[..]).collect();
    let statement = sql_query(APPEND)
        .bind::<SmallInt, _>(THE_CHAIN)
        .bind::<BigInt, _>(head.number.0)
        .bind::<Binary, _>(&head.seal.0[..])
        .bind::<Array<BigInt>, _>(numbers)
        .bind::<Array<Timestamptz>, _>(times)
        .bind::<Array<Text>, _>(actions)
        .bind::<Array<Text>, _>(actor_kinds)
        .bind::<Array<Nullable<Uuid>>, _>(actors)
        .bind::<Array<Nullable<Uuid>>, _>(users)
        .bind::<Array<Nullable<Uuid>>, _>(sessions)
        .bind::<Array<Nullable<Text>>, _>(addresses)
        .bind::<Array<Nullable<Text>>, _>(user_agents)
        .bind::<Array<Nullable<Text>>, _>(requests)
        .bind::<Array<Text>, _>(details)
        .bind::<Array<Binary>, _>(seals);
    Prepared(statement).execute(conn).await?;
    Ok(())
}
