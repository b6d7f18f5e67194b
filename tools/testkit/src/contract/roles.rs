//! The contract of [`Roles`](domain::ports::Roles), and what [`Accounts`](domain::ports::Accounts)
//! must do for roles other than the built-in ones.

mod catalogue;
mod delete_role;
mod role_facts;
mod write_role;

part! {
    /// Defines a named test for each case of the contract of [`Roles`](domain::ports::Roles).
    ///
    /// `$fresh` is an async function that returns a [`Storage`](crate::Storage) with the built-in
    /// roles alone, and a guard that keeps it alive for the test.
    roles_contract: catalogue, write_role, delete_role, role_facts,
}

use super::prelude::*;
use domain::changes::{CatalogueCommand, DeleteRole};

/// Returns the roles among `names` that exist, in the order of their names.
async fn find(storage: &Storage, names: &[&str]) -> Vec<Role> {
    let found = storage.roles.find(&role_names(names)).await;
    let mut roles = found.expect("storage is available");
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    roles
}

/// Returns the catalogue and all events, to assert that nothing changed.
async fn everything(storage: &Storage) -> (Vec<Role>, Vec<(AuditEvent, AuditContext)>) {
    let roles = storage.roles.list().await.expect("storage is available");
    (roles, CoreStorage::of(storage).recorded.recorded().await)
}

/// Returns the command that removes the role `name`, for the operator and at any revision.
fn removal(name: &str) -> DeleteRole {
    DeleteRole {
        name: role_name(name),
        if_revision: None,
        authorized_by: None,
    }
}

/// Executes `command` at second 5, and repeats it while storage is overloaded.
async fn execute_unchecked(
    storage: &Storage,
    command: Arc<dyn CatalogueCommand>,
) -> Result<CatalogueChange, Refusal> {
    decided(|| storage.roles.execute(command.clone(), context(at(5)))).await
}

/// Executes `command` at second 5, and asserts that all of the change it decided was written, or
/// nothing if it was refused.
async fn execute(storage: &Storage, command: Arc<dyn CatalogueCommand>) -> Result<CatalogueChange, Refusal> {
    let (roles, events) = everything(storage).await;
    let result = execute_unchecked(storage, command).await;
    let (roles_now, events_now) = everything(storage).await;
    match &result {
        Ok(change) => {
            assert_eq!(roles_now, after(roles, change));
            let event = change.event.clone().map(|event| (event, context(at(5))));
            assert_eq!(events_now.get(events.len()..), Some(event.as_slice()));
        }
        Err(_) => assert_eq!((roles_now, events_now), (roles, events)),
    }
    result
}

/// Asserts that a dry run of `command` writes nothing and returns what the execution returns.
async fn assert_dry_run(storage: &Storage, command: Arc<dyn CatalogueCommand>) {
    let before = everything(storage).await;
    let dry = decided(|| storage.roles.dry_run(command.clone(), context(at(5)))).await;
    assert_eq!(everything(storage).await, before);
    assert!(dry.is_ok(), "{dry:?}");
    assert_eq!(execute(storage, command).await, dry);
}

/// Returns the catalogue after `change` is applied to `roles`.
fn after(mut roles: Vec<Role>, change: &CatalogueChange) -> Vec<Role> {
    let gone = |role: &Role| change.stored().any(|stored| stored.name == role.name);
    roles.retain(|role| !gone(role) && Some(&role.name) != change.removed.as_ref());
    roles.extend(change.stored().cloned());
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    roles
}
