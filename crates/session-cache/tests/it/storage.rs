//! The contract of storage, kept by storage that remembers and announces.

use crate::processes::{Process, World};
use domain::{
    invalidating::{InvalidatingRoles, InvalidatingSessions, InvalidatingUsers},
    ports::Revocations,
};
use session_cache::LeasedRevocations;
use std::sync::Arc;
use testkit::Storage;

async fn served() -> (Storage, Process) {
    let world = World::default();
    let (behind, process) = (world.storage(), world.process());
    let revocations: Arc<dyn Revocations> = Arc::new(LeasedRevocations::new(Arc::clone(&process.leasing)));
    let storage = Storage {
        users: Arc::new(InvalidatingUsers::new(behind.users, Arc::clone(&revocations))),
        sessions: Arc::new(InvalidatingSessions::new(
            behind.sessions,
            Arc::clone(&revocations),
        )),
        roles: Arc::new(InvalidatingRoles::new(behind.roles, revocations)),
        snapshots: process.snapshots.clone(),
        ..behind
    };
    process.take_lease().await;
    (storage, process)
}

testkit::storage_contract!(served);
