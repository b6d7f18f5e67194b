//! The contract of storage, for storage inner the session cache and the invalidating decorators.

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
    let (inner, process) = (world.storage(), world.process());
    let revocations: Arc<dyn Revocations> = Arc::new(LeasedRevocations::new(Arc::clone(&process.coherence)));
    let storage = Storage {
        users: Arc::new(InvalidatingUsers::new(inner.users, Arc::clone(&revocations))),
        sessions: Arc::new(InvalidatingSessions::new(
            inner.sessions,
            Arc::clone(&revocations),
        )),
        roles: Arc::new(InvalidatingRoles::new(inner.roles, revocations)),
        snapshots: process.snapshots.clone(),
        ..inner
    };
    process.take_lease().await;
    (storage, process)
}

testkit::storage_contract!(served);
