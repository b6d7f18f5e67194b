//! Executes the commands of `domain::changes`: each function is called within a transaction.
//!
//! The transactions that write are immediate, and a single connection writes: no facts can change
//! between loading and applying, so nothing is locked. A function may be called again in another
//! transaction if the first one fails, so it keeps no state.

mod apply;
pub mod catalogue;
mod events;
mod import;
mod load;
pub mod machines;
mod trim;

pub use events::EventWriter;
pub use import::import;
pub use trim::trim;

use crate::error::StorageError;
use chrono::{DateTime, Utc};
use diesel::SqliteConnection;
use domain::changes::{Applied, Command, Refusal};

/// Executes `command`. After a refusal nothing is written.
pub fn execute(
    conn: &mut SqliteConnection,
    command: &dyn Command,
    events: &EventWriter,
) -> Result<Result<Applied, Refusal>, StorageError> {
    let facts = load::load(conn, &command.reads(), events.at())?;
    match command.decide(&facts, events.at()) {
        Ok(change) => Ok(Ok(apply::apply(conn, change, &facts, events)?)),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Returns what [`execute`] would return, and writes nothing.
pub fn dry_run(
    conn: &mut SqliteConnection,
    command: &dyn Command,
    at: DateTime<Utc>,
) -> Result<Result<Applied, Refusal>, StorageError> {
    let facts = load::load(conn, &command.reads(), at)?;
    match command.decide(&facts, at) {
        Ok(change) => Ok(Ok(apply::preview(conn, change)?)),
        Err(refusal) => Ok(Err(refusal)),
    }
}
