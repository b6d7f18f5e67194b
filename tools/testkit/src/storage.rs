//! What a storage adapter offers.

use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditEvent, AuditFilter},
    ports::{
        Accounts, AuditEvents, AuditLog, Roles, SessionDirectory, SessionSnapshots, Sessions, StorageHealth,
        UserDirectory,
    },
};
use std::sync::Arc;

/// How many events are read at once.
const PAGE: u32 = 1000;

/// Every storage port, over one and the same storage: what is written through one is read through
/// the others.
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

/// The storage ports that [`domain::core::Ports`] needs, over one and the same storage, and the
/// events that were recorded in it. Enough for the contracts of these four ports.
#[derive(Clone)]
pub struct CoreStorage {
    pub accounts: Arc<dyn Accounts>,
    pub sessions: Arc<dyn Sessions>,
    pub snapshots: Arc<dyn SessionSnapshots>,
    pub audit_events: Arc<dyn AuditEvents>,
    pub recorded: Arc<dyn RecordedEvents>,
}

/// The audit events of a storage, for the contract to check. No port of [`CoreStorage`] reads them.
#[async_trait]
pub trait RecordedEvents: Send + Sync {
    /// Returns all events with their contexts, oldest first.
    async fn recorded(&self) -> Vec<(AuditEvent, AuditContext)>;
}

impl Storage {
    /// The part that [`domain::core::Ports`] needs.
    #[must_use]
    pub fn core(&self) -> CoreStorage {
        CoreStorage {
            accounts: self.accounts.clone(),
            sessions: self.sessions.clone(),
            snapshots: self.snapshots.clone(),
            audit_events: self.audit_events.clone(),
            recorded: Arc::new(PagedEvents(self.audit_log.clone())),
        }
    }
}

impl From<Storage> for CoreStorage {
    fn from(storage: Storage) -> Self {
        storage.core()
    }
}

/// The events that an audit log returns page by page.
struct PagedEvents(Arc<dyn AuditLog>);

#[async_trait]
impl RecordedEvents for PagedEvents {
    async fn recorded(&self) -> Vec<(AuditEvent, AuditContext)> {
        let (mut events, mut before) = (Vec::new(), None);
        loop {
            let page = self.0.page(AuditFilter::default(), before, PAGE);
            let page = page.await.expect("the storage answers");
            let is_last = page.len() < PAGE as usize;
            before = page.last().map(|oldest| oldest.number);
            events.extend(page.into_iter().map(|record| {
                let context = AuditContext {
                    at: record.at,
                    actor: record.actor,
                    origin: record.origin,
                };
                (record.event, context)
            }));
            if is_last {
                events.reverse();
                return events;
            }
        }
    }
}

impl From<domain::ports::Storage> for Storage {
    fn from(storage: domain::ports::Storage) -> Self {
        Self {
            accounts: storage.accounts,
            sessions: storage.sessions,
            snapshots: storage.snapshots,
            audit_events: storage.audit_events,
            users: storage.users,
            session_directory: storage.session_directory,
            roles: storage.roles,
            audit_log: storage.audit_log,
            health: storage.health,
        }
    }
}
