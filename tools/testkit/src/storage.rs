//! The ports that a storage adapter implements.

use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditEvent, AuditFilter, read_event, row_number},
    ports::{Accounts, AuditEvents, AuditLog, SessionSnapshots, Sessions, Storage},
};
use std::sync::Arc;

/// Number of events per page.
const PAGE: u32 = 1000;

/// The storage ports that [`domain::core::Ports`] needs, over one storage, and the events that were
/// recorded in it. The contracts of these four ports need nothing else.
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

impl CoreStorage {
    /// Returns the part of `storage` that [`domain::core::Ports`] needs.
    #[must_use]
    pub fn of(storage: &Storage) -> Self {
        Self {
            accounts: storage.accounts.clone(),
            sessions: storage.sessions.clone(),
            snapshots: storage.snapshots.clone(),
            audit_events: storage.audit_events.clone(),
            recorded: Arc::new(PagedEvents(storage.audit_log.clone())),
        }
    }
}

impl From<Storage> for CoreStorage {
    fn from(storage: Storage) -> Self {
        Self::of(&storage)
    }
}

/// The events that an audit log returns page by page.
struct PagedEvents(Arc<dyn AuditLog>);

#[async_trait]
impl RecordedEvents for PagedEvents {
    async fn recorded(&self) -> Vec<(AuditEvent, AuditContext)> {
        let (mut events, mut before) = (Vec::new(), None);
        self.0.seal().await;
        loop {
            let page = self.0.page(AuditFilter::default(), before, PAGE);
            let page = page.await.expect("storage is available");
            let is_last = page.len() < PAGE as usize;
            before = page.last().map(row_number);
            events.extend(page.into_iter().map(|row| {
                let record = read_event(row).expect("the event can be read");
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
