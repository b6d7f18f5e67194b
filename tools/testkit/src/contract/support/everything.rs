use crate::contract::prelude::*;

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
    /// Reads `user` and `sessions`, and asserts that each snapshot shows its session and its user
    /// as they are stored.
    pub(in crate::contract) async fn of(storage: &CoreStorage, user: &User, sessions: &[SessionId]) -> Self {
        let mut everything = Self {
            credentials: find_login(storage, user.login.as_typed()).await,
            sessions: Vec::new(),
            snapshots: Vec::new(),
            events: events_of(storage, user).await,
        };
        let stored_user = everything.credentials.as_ref().map(|stored| &stored.user);
        for id in sessions {
            let session = find_session(storage, *id).await;
            let snapshot = find_snapshot(storage, *id).await;
            let shown = snapshot
                .as_ref()
                .map(|it| (it.session, it.lifetime, it.principal.user()));
            let stored = session.as_ref().map(|it| (*id, it.lifetime, stored_user));
            assert_eq!(shown, stored, "a snapshot shows what is stored");
            everything.sessions.push(session);
            everything.snapshots.push(snapshot);
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
