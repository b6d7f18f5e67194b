//! What a storage adapter must offer.

use domain::ports::{
    Accounts, AuditEvents, AuditLog, Roles, SessionDirectory, SessionSnapshots, Sessions, StorageHealth,
    UserDirectory,
};
use std::sync::Arc;

/// Every storage port, over one and the same storage: what is written through one is read through the others.
#[derive(Clone)]
pub struct Storage {
    pub accounts: Arc<dyn Accounts>,
    pub sessions: Arc<dyn Sessions>,
    pub snapshots: Arc<dyn SessionSnapshots>,
    pub audit_events: Arc<dyn AuditEvents>,
    pub users: Arc<dyn UserDirectory>,
    pub session_directory: Arc<dyn SessionDirectory>,
    pub roles: Arc<dyn Roles>,
    pub audit_log: Arc<dyn AuditLog>,
    pub health: Arc<dyn StorageHealth>,
}
