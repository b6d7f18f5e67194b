//! Changes, each within one transaction: what a command reads is loaded, the command decides, and
//! what it decided is applied together with its audit event.
//!
//! The transactions that write are immediate, and a single connection writes: no facts can change
//! between loading and applying, so nothing is locked.

mod apply;
pub mod catalogue;
pub mod events;
pub mod import;
mod load;
pub mod trim;

use crate::error::StorageError;
use chrono::{DateTime, Utc};
use diesel::SqliteConnection;
use domain::{
    audit::AuditContext,
    changes::{Applied, Command, Refusal},
    ports::AuditSealer,
};

/// Executes `command`.
pub fn execute(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    command: &dyn Command,
    context: &AuditContext,
) -> Result<Result<Applied, Refusal>, StorageError> {
    let facts = load::facts(conn, &command.reads(), context.at)?;
    let change = match command.decide(&facts, context.at) {
        Ok(change) => change,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let sessions_ended = apply::change(conn, &change, &facts)?;
    if let Some(event) = change.event(sessions_ended) {
        events::write(conn, sealer, context, &event)?;
    }
    Ok(Ok(Applied {
        change,
        sessions_ended,
    }))
}

/// Returns what [`execute`] would return, and writes nothing.
pub fn dry_run(
    conn: &mut SqliteConnection,
    command: &dyn Command,
    at: DateTime<Utc>,
) -> Result<Result<Applied, Refusal>, StorageError> {
    let facts = load::facts(conn, &command.reads(), at)?;
    let change = match command.decide(&facts, at) {
        Ok(change) => change,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let sessions_ended = load::sessions_to_end(conn, &change)?;
    Ok(Ok(Applied {
        change,
        sessions_ended,
    }))
}
