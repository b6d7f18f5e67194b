//! Executes commands on the catalogue of roles.

use super::events::EventWriter;
use crate::{
    error::StorageError,
    tables::{machines, roles, snapshots},
};
use chrono::{DateTime, Utc};
use diesel::SqliteConnection;
use domain::changes::{CatalogueChange, CatalogueCommand, CatalogueFacts, CatalogueReads, Refusal};

/// Executes `command`.
pub fn execute(
    conn: &mut SqliteConnection,
    command: &dyn CatalogueCommand,
    events: &EventWriter,
) -> Result<Result<CatalogueChange, Refusal>, StorageError> {
    let decided = dry_run(conn, command, events.at())?;
    if let Ok(change) = &decided {
        apply(conn, change, events)?;
    }
    Ok(decided)
}

/// Returns what [`execute`] would return, and writes nothing.
pub fn dry_run(
    conn: &mut SqliteConnection,
    command: &dyn CatalogueCommand,
    at: DateTime<Utc>,
) -> Result<Result<CatalogueChange, Refusal>, StorageError> {
    let facts = load(conn, &command.reads())?;
    Ok(command.decide(&facts, at))
}

fn load(conn: &mut SqliteConnection, reads: &CatalogueReads) -> Result<CatalogueFacts, StorageError> {
    Ok(CatalogueFacts {
        roles: roles::list(conn)?,
        holders: roles::holders(conn, &reads.role)? + machines::holders(conn, &reads.role)?,
        caller: match reads.caller {
            Some(token) => snapshots::find(conn, token.session)?,
            None => None,
        },
    })
}

fn apply(
    conn: &mut SqliteConnection,
    change: &CatalogueChange,
    events: &EventWriter,
) -> Result<(), StorageError> {
    for role in change.stored() {
        roles::store(conn, role)?;
    }
    if let Some(removed) = &change.removed {
        roles::remove(conn, removed)?;
    }
    events.write(conn, change.event.as_slice())
}
