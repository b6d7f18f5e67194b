//! What the tables of the audit log reveal about the key that was used.

use super::audit_checkpoints;
use crate::{error::StorageError, schema::audit_trail};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection};
use domain::audit::{AuditMac, KeyTrace};

/// The number of events in which a MAC is searched. Servers of a version before MACs may have
/// written the newest ones during an upgrade.
const NEWEST: i64 = 1_000;

/// Returns the strongest statement about the key of the log. Changes nothing.
pub fn trace(conn: &mut SqliteConnection) -> Result<KeyTrace, StorageError> {
    if let Some(checkpoint) = audit_checkpoints::newest(conn)? {
        return Ok(KeyTrace::Checkpoint(checkpoint));
    }
    let macs: Vec<Option<Vec<u8>>> = audit_trail::table
        .order(audit_trail::number.desc())
        .limit(NEWEST)
        .select(audit_trail::mac)
        .load(conn)?;
    let mut keys = macs.iter().flatten().filter_map(|mac| AuditMac::from_bytes(mac));
    Ok(match keys.next() {
        Some(mac) => KeyTrace::Sealed(mac.key),
        None if macs.is_empty() => KeyTrace::Empty,
        None => KeyTrace::Keyless,
    })
}
