//! Executes the commands of `domain::changes`: each function is called within a transaction.
//!
//! A transaction loads and locks what the command reads, calls its decision, applies the change and
//! writes its audit event, which a sealer numbers and seals later.

mod apply;
pub mod catalogue;
mod chain;
mod events;
mod import;
mod load;
pub mod machines;
mod seal;

pub use chain::{accept, trim};
pub use events::EventWriter;
pub use import::import;
pub use seal::{ChainLock, SealRequest, SealedEvents, seal};

use crate::error::StorageError;
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use domain::changes::{Applied, Command, DirectChange, Refusal};

/// Executes `command`. The inner error is its refusal, after which the caller MUST roll back the
/// transaction.
pub async fn execute(
    conn: &mut AsyncPgConnection,
    command: &dyn Command,
    events: &EventWriter,
) -> Result<Result<Applied, Refusal>, StorageError> {
    let at = events.at();
    let facts = load::load(conn, &command.reads(), at).await?;
    match command.decide(&facts, at) {
        Ok(change) => apply::apply(conn, change, &facts, events).await,
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Makes `change` in one statement if its expectation holds. Returns `None` if it wrote nothing.
pub async fn execute_directly(
    conn: &mut AsyncPgConnection,
    change: &DirectChange,
    events: &EventWriter,
) -> Result<Option<Applied>, StorageError> {
    let is_made = events.write_with(conn, change).await?;
    Ok(is_made.then(|| change.applied()))
}

/// Returns what [`execute`] would return. Takes the same locks and writes nothing.
pub async fn dry_run(
    conn: &mut AsyncPgConnection,
    command: &dyn Command,
    at: DateTime<Utc>,
) -> Result<Result<Applied, Refusal>, StorageError> {
    let facts = load::load(conn, &command.reads(), at).await?;
    match command.decide(&facts, at) {
        Ok(change) => Ok(Ok(apply::preview(conn, change).await?)),
        Err(refusal) => Ok(Err(refusal)),
    }
}
