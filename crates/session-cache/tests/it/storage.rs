//! The contract of storage, for storage inside the session cache and the invalidating decorators.

use crate::processes::{Process, World};
use domain::{
    invalidating::{InvalidatingAccounts, InvalidatingMachines, InvalidatingRoles},
    ports::Revocations,
};
use session_cache::LeasedRevocations;
use std::sync::Arc;
use testkit::Storage;

async fn served() -> (Storage, Process) {
    let world = World::default();
    let (inner, process) = (world.storage(), world.process());
    let revocations: Arc<dyn Revocations> = Arc::new(LeasedRevocations::new(Arc::clone(&process.coherence)));
    let accounts = InvalidatingAccounts::new(inner.accounts, Arc::clone(&revocations));
    let storage = Storage {
        accounts: Arc::new(accounts),
        roles: Arc::new(InvalidatingRoles::new(inner.roles, Arc::clone(&revocations))),
        machines: Arc::new(InvalidatingMachines::new(inner.machines, revocations)),
        snapshots: process.snapshots.clone(),
        ..inner
    };
    process.take_lease().await;
    (storage, process)
}

testkit::storage_contract!(served);
