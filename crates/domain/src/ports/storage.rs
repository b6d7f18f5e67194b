use super::{
    Accounts, AuditCheckpoints, AuditEvents, AuditLog, Machines, Roles, SessionDirectory, SessionSnapshots,
    Sessions, StorageHealth, UserDirectory,
};
use std::sync::Arc;

/// Every storage port, for composition. Use cases get only the ports that they call.
#[derive(Clone)]
pub struct Storage {
    pub accounts: Arc<dyn Accounts>,
    pub sessions: Arc<dyn Sessions>,
    pub snapshots: Arc<dyn SessionSnapshots>,
    pub audit_events: Arc<dyn AuditEvents>,
    pub users: Arc<dyn UserDirectory>,
    pub session_directory: Arc<dyn SessionDirectory>,
    pub roles: Arc<dyn Roles>,
    pub machines: Arc<dyn Machines>,
    pub audit_log: Arc<dyn AuditLog>,
    pub audit_checkpoints: Arc<dyn AuditCheckpoints>,
    pub health: Arc<dyn StorageHealth>,
}

impl Storage {
    /// Uses `storage` for every port.
    #[must_use]
    pub fn over<S>(storage: &Arc<S>) -> Self
    where
        S: Accounts + Sessions + SessionSnapshots + AuditEvents + UserDirectory + SessionDirectory + 'static,
        S: Roles + Machines + AuditLog + AuditCheckpoints + StorageHealth,
    {
        Self {
            accounts: storage.clone(),
            sessions: storage.clone(),
            snapshots: storage.clone(),
            audit_events: storage.clone(),
            users: storage.clone(),
            session_directory: storage.clone(),
            roles: storage.clone(),
            machines: storage.clone(),
            audit_log: storage.clone(),
            audit_checkpoints: storage.clone(),
            health: storage.clone(),
        }
    }
}
