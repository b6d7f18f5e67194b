//! Executes commands on machines.

use super::{events::EventWriter, load::lock_caller};
use crate::{
    error::StorageError,
    tables::{machines, roles, snapshots},
};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use domain::changes::{MachineChange, MachineCommand, MachineDecision, MachineFacts, MachineReads, Refusal};

/// Executes `command`. The inner error is its refusal, after which the caller MUST roll back the
/// transaction.
pub async fn execute(
    conn: &mut AsyncPgConnection,
    command: &dyn MachineCommand,
    events: &EventWriter,
) -> Result<Result<MachineDecision, Refusal>, StorageError> {
    let decided = dry_run(conn, command, events.at()).await?;
    if let Ok(decision) = &decided {
        apply(conn, &decision.change).await?;
        events.write(conn, decision.event.as_slice()).await?;
    }
    Ok(decided)
}

/// Returns what [`execute`] would return. Takes the same locks and writes nothing.
pub async fn dry_run(
    conn: &mut AsyncPgConnection,
    command: &dyn MachineCommand,
    at: DateTime<Utc>,
) -> Result<Result<MachineDecision, Refusal>, StorageError> {
    let facts = load(conn, &command.reads()).await?;
    Ok(command.decide(&facts, at))
}

/// Loads the data that `reads` names and locks it until the transaction ends. Takes the locks in
/// the order that `load.rs` describes.
async fn load(conn: &mut AsyncPgConnection, reads: &MachineReads) -> Result<MachineFacts, StorageError> {
    let caller = lock_caller(conn, reads.caller, Some(reads.machine)).await?;
    let mut facts = MachineFacts::default();
    if let Some(name) = &reads.created {
        roles::lock_catalogue_exclusive(conn).await?;
        facts.machines = machines::count(conn).await?;
        facts.name_taken = machines::is_name_taken(conn, name).await?;
    } else {
        roles::lock_catalogue_shared(conn).await?;
    }
    facts.machine = machines::find(conn, reads.machine).await?;
    facts.roles = roles::list(conn).await?;
    if let Some(caller) = caller {
        facts.caller = snapshots::find(conn, caller.session).await?;
    }
    Ok(facts)
}

async fn apply(conn: &mut AsyncPgConnection, change: &MachineChange) -> Result<(), StorageError> {
    match change {
        MachineChange::Insert(machine) | MachineChange::Update(machine) => {
            machines::store(conn, machine).await
        }
        MachineChange::Delete(machine) => machines::remove(conn, machine.id).await,
        MachineChange::Unchanged(_) => Ok(()),
    }
}
