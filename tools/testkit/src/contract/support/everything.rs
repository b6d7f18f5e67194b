use super::events_of;
use crate::CoreStorage;
use domain::{
    audit::{AuditContext, AuditEvent},
    caller::SessionSnapshot,
    session::{SessionId, StoredSession},
    user::{Credentials, User},
};

/// All that can be observed of a user, to assert that nothing changed.
#[derive(Debug)]
pub(in crate::contract) struct Everything {
    pub(in crate::contract) credentials: Option<Credentials>,
    pub(in crate::contract) sessions: Vec<Option<StoredSession>>,
    pub(in crate::contract) snapshots: Vec<Option<SessionSnapshot>>,
    pub(in crate::contract) events: Vec<(AuditEvent, AuditContext)>,
}

impl PartialEq for Everything {
    fn eq(&self, other: &Self) -> bool {
        let hash = |of: &Self| of.credentials.as_ref().map(|it| it.hash.clone());
        hash(self) == hash(other) && self.eq_except_for_the_hash(other)
    }
}

impl Everything {
    pub(in crate::contract) async fn of(storage: &CoreStorage, user: &User, sessions: &[SessionId]) -> Self {
        let mut everything = Self {
            credentials: storage
                .accounts
                .find_by_login(user.login.canonical())
                .await
                .expect("storage answers"),
            sessions: Vec::new(),
            snapshots: Vec::new(),
            events: events_of(storage, user).await,
        };
        for id in sessions {
            everything
                .sessions
                .push(storage.sessions.find(*id).await.expect("storage answers"));
            everything
                .snapshots
                .push(storage.snapshots.snapshot(*id).await.expect("storage answers"));
        }
        everything
    }

    pub(in crate::contract) fn eq_except_for_the_hash(&self, other: &Self) -> bool {
        let user = |of: &Self| of.credentials.as_ref().map(|it| it.user.clone());
        user(self) == user(other)
            && self.sessions == other.sessions
            && self.snapshots == other.snapshots
            && self.events == other.events
    }
}
