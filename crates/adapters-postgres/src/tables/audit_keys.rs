//! What the tables of the audit log reveal about the key that was used.

use super::audit_checkpoints;
use crate::{
    error::StorageError,
    schema::{audit_pending, audit_trail},
};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::audit::{AuditMac, KeyTrace};

/// The number of events in which a MAC is searched. Servers of a version before MACs may have
/// written the newest ones during an upgrade.
const NEWEST: i64 = 1_000;

/// Returns the strongest statement about the key of the log. Seals and changes nothing.
pub async fn trace(conn: &mut AsyncPgConnection) -> Result<KeyTrace, StorageError> {
    if let Some(checkpoint) = audit_checkpoints::newest(conn).await? {
        return Ok(KeyTrace::Checkpoint(checkpoint));
    }
    let macs: Vec<Option<Vec<u8>>> = audit_trail::table
        .order(audit_trail::number.desc())
        .limit(NEWEST)
        .select(audit_trail::mac)
        .load(conn)
        .await?;
    let mut keys = macs.iter().flatten().filter_map(|mac| AuditMac::from_bytes(mac));
    if let Some(mac) = keys.next() {
        return Ok(KeyTrace::Sealed(mac.key));
    }
    let pending = oldest_pending(conn).await?;
    Ok(match pending.as_deref().map(AuditMac::from_bytes) {
        Some(Some(mac)) => KeyTrace::Pending(mac.key),
        None if macs.is_empty() => KeyTrace::Empty,
        Some(None) | None => KeyTrace::Keyless,
    })
}

async fn oldest_pending(conn: &mut AsyncPgConnection) -> Result<Option<Vec<u8>>, StorageError> {
    let mac = audit_pending::table
        .order(audit_pending::seq)
        .select(audit_pending::mac)
        .first(conn)
        .await
        .optional()?;
    Ok(mac)
}
