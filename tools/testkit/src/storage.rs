//! What a storage adapter must offer.

use domain::ports::{AuditLog, Roles, SessionSnapshots, Sessions, StorageHealth, Users};
use std::sync::Arc;

/// Every storage port, over one and the same storage: what is written through one is read through the others.
#[derive(Clone)]
pub struct Storage {
    pub users: Arc<dyn Users>,
    pub sessions: Arc<dyn Sessions>,
    pub snapshots: Arc<dyn SessionSnapshots>,
    pub roles: Arc<dyn Roles>,
    pub audit: Arc<dyn AuditLog>,
    pub health: Arc<dyn StorageHealth>,
}
