//! Executes commands on machines.

use super::events::EventWriter;
use crate::{
    error::StorageError,
    tables::{machines, roles, snapshots},
};
use chrono::{DateTime, Utc};
use diesel::SqliteConnection;
use domain::changes::{MachineChange, MachineCommand, MachineDecision, MachineFacts, MachineReads, Refusal};

/// Executes `command`.
pub fn execute(
    conn: &mut SqliteConnection,
    command: &dyn MachineCommand,
    events: &EventWriter,
) -> Result<Result<MachineDecision, Refusal>, StorageError> {
    let decided = dry_run(conn, command, events.at())?;
    if let Ok(decision) = &decided {
        apply(conn, &decision.change)?;
        events.write(conn, decision.event.as_slice())?;
    }
    Ok(decided)
}

/// Returns what [`execute`] would return, and writes nothing.
pub fn dry_run(
    conn: &mut SqliteConnection,
    command: &dyn MachineCommand,
    at: DateTime<Utc>,
) -> Result<Result<MachineDecision, Refusal>, StorageError> {
    let facts = load(conn, &command.reads())?;
    Ok(command.decide(&facts, at))
}

fn load(conn: &mut SqliteConnection, reads: &MachineReads) -> Result<MachineFacts, StorageError> {
    let mut facts = MachineFacts {
        machine: machines::find(conn, reads.machine)?,
        roles: roles::list(conn)?,
        ..MachineFacts::default()
    };
    if let Some(name) = &reads.created {
        facts.machines = machines::count(conn)?;
        facts.name_taken = machines::has_name(conn, name)?;
    }
    if let Some(token) = reads.caller {
        facts.caller = snapshots::find(conn, token.session)?;
    }
    Ok(facts)
}

fn apply(conn: &mut SqliteConnection, change: &MachineChange) -> Result<(), StorageError> {
    match change {
        MachineChange::Insert(machine) | MachineChange::Update(machine) => machines::store(conn, machine),
        MachineChange::Delete(machine) => machines::remove(conn, machine.id),
        MachineChange::Unchanged(_) => Ok(()),
    }
}
