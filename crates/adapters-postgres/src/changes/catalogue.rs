//! Executes commands on the catalogue of roles.

use super::{events::EventWriter, load::lock_caller};
use crate::{
    error::StorageError,
    tables::{machines, roles, snapshots, user_roles},
};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use domain::changes::{CatalogueChange, CatalogueCommand, CatalogueFacts, CatalogueReads, Refusal};

/// Executes `command`. The inner error is its refusal, after which the caller MUST roll back the
/// transaction.
pub async fn execute(
    conn: &mut AsyncPgConnection,
    command: &dyn CatalogueCommand,
    events: &EventWriter,
) -> Result<Result<CatalogueChange, Refusal>, StorageError> {
    let decided = dry_run(conn, command, events.at()).await?;
    if let Ok(change) = &decided {
        apply(conn, change, events).await?;
    }
    Ok(decided)
}

/// Returns what [`execute`] would return. Takes the same locks and writes nothing.
pub async fn dry_run(
    conn: &mut AsyncPgConnection,
    command: &dyn CatalogueCommand,
    at: DateTime<Utc>,
) -> Result<Result<CatalogueChange, Refusal>, StorageError> {
    let facts = load(conn, &command.reads()).await?;
    Ok(command.decide(&facts, at))
}

/// Loads the data that `reads` names and locks it until the transaction ends. Takes the locks in
/// the order that `load.rs` describes.
async fn load(conn: &mut AsyncPgConnection, reads: &CatalogueReads) -> Result<CatalogueFacts, StorageError> {
    let caller = lock_caller(conn, reads.caller, None).await?;
    roles::lock_catalogue_exclusive(conn).await?;
    if reads.removes {
        roles::lock_to_remove(conn, &reads.role).await?;
    }
    let users = user_roles::count_holders(conn, &reads.role).await?;
    let machines = machines::count_holders(conn, &reads.role).await?;
    Ok(CatalogueFacts {
        roles: roles::list(conn).await?,
        holders: users + machines,
        caller: match caller {
            Some(caller) => snapshots::find(conn, caller.session).await?,
            None => None,
        },
    })
}

async fn apply(
    conn: &mut AsyncPgConnection,
    change: &CatalogueChange,
    events: &EventWriter,
) -> Result<(), StorageError> {
    for role in change.stored() {
        roles::write(conn, role).await?;
        roles::replace_permissions(conn, &role.name, &role.permissions).await?;
    }
    if let Some(removed) = &change.removed {
        roles::remove(conn, removed).await?;
    }
    events.write(conn, change.event.as_slice()).await
}
