//! The two functions that every storage implements: load what a command reads, and apply what it
//! decided.

use super::tables::{SessionRow, Tables};
use chrono::{DateTime, Utc};
use domain::{
    audit::AuditContext,
    changes::{
        Applied, CatalogueChange, CatalogueFacts, CatalogueReads, Change, EndSessionsOf, Facts, OwnedSession,
        Reads, UserChange,
    },
    session::{EndReason, Generation, NewSession, SessionId},
    user::{Credentials, UserId},
};

impl Tables {
    pub(super) fn load(&self, reads: &Reads, at: DateTime<Utc>) -> Facts {
        let user = reads.account.and_then(|id| self.user(id));
        let live_sessions = reads.account.filter(|_| reads.live_sessions);
        Facts {
            login_taken: self
                .users
                .values()
                .any(|kept| reads.login.as_ref() == Some(kept.user.login.canonical())),
            account: user.map(Into::into),
            target: reads
                .account
                .filter(|_| reads.target)
                .and_then(|id| self.target(id)),
            other_admin_exists: self.active_admins().any(|admin| Some(admin.id) != reads.account),
            live_sessions: live_sessions
                .into_iter()
                .flat_map(|user| self.live_sessions(user, at))
                .map(SessionRow::age)
                .collect(),
            session: reads
                .session
                .and_then(|id| self.sessions.get(&id))
                .map(OwnedSession::from),
            caller: reads.caller.and_then(|token| self.snapshot(token.session)),
            roles: reads
                .roles
                .iter()
                .filter_map(|name| self.roles.get(name))
                .cloned()
                .collect(),
        }
    }

    pub(super) fn apply(&mut self, change: Change, context: &AuditContext) -> Applied {
        match change.user.clone() {
            UserChange::Nothing | UserChange::Unchanged(_) => {}
            UserChange::Insert(new) => {
                self.users.insert(new.user.id, new);
            }
            UserChange::Update { user, hash } => {
                if let Some(Credentials { hash: current, .. }) = self.users.remove(&user.id) {
                    let hash = hash.unwrap_or(current);
                    self.users.insert(user.id, Credentials { user, hash });
                }
            }
            UserChange::LoggedIn(id) => self.record_login(id, change.at),
            UserChange::LoggedInOnce(id) => {
                self.record_password_use(id, change.at);
                self.record_login(id, change.at);
            }
            UserChange::Delete(user) => {
                self.users.remove(&user.id);
                self.sessions.retain(|_, session| session.opened.user != user.id);
            }
        }
        let sessions_ended = self.end(&change);
        let forgotten = change.forgets_places_of(sessions_ended);
        self.places_since.extend(forgotten.map(|user| (user, change.at)));
        self.open(change.open_session.clone());
        self.record_replay(change.record_replay);
        let reauthenticated = change.reauthenticated;
        if let Some(row) = reauthenticated.and_then(|id| self.sessions.get_mut(&id)) {
            row.authenticated_at = change.at;
        }
        if let Some(event) = change.event(sessions_ended) {
            self.log.append(&event, context);
        }
        Applied {
            change,
            sessions_ended,
        }
    }

    fn record_login(&mut self, id: UserId, at: DateTime<Utc>) {
        if let Some(kept) = self.users.get_mut(&id) {
            kept.user.last_login_at = Some(at);
            kept.user.revision = kept.user.revision.next();
        }
    }

    fn record_password_use(&mut self, id: UserId, at: DateTime<Utc>) {
        let kept = self.users.get_mut(&id);
        if let Some(password) = kept.and_then(|kept| kept.user.one_time_password.as_mut()) {
            password.used_at = Some(at);
        }
    }

    /// Returns how many sessions `change` would end.
    pub(super) fn ending(&mut self, change: &Change) -> u64 {
        self.sessions_to_end(change).count() as u64
    }

    fn end(&mut self, change: &Change) -> u64 {
        let at = change.at;
        let mut count = 0;
        for (row, reason) in self.sessions_to_end(change) {
            row.ended = Some((at, reason));
            count += 1;
        }
        count
    }

    fn sessions_to_end(&mut self, change: &Change) -> impl Iterator<Item = (&mut SessionRow, EndReason)> {
        let at = change.at;
        let (sessions, reason) = change.end_sessions.clone().unzip();
        let is_meant = move |row: &SessionRow| match &sessions {
            Some(EndSessionsOf::User(user)) => row.opened.user == *user,
            Some(EndSessionsOf::Sessions(ids)) => ids.contains(&row.opened.id),
            None => false,
        };
        self.sessions
            .values_mut()
            .filter(move |row| is_meant(row) && row.is_live(at))
            .filter_map(move |row| Some((row, reason?)))
    }

    fn open(&mut self, session: Option<NewSession>) {
        if let Some(session) = session {
            self.session_numbers += 1;
            let row = SessionRow::new(session, self.session_numbers);
            self.sessions.insert(row.opened.id, row);
        }
    }

    fn record_replay(&mut self, replay: Option<(SessionId, Generation)>) {
        let Some((session, generation)) = replay else {
            return;
        };
        let row = self.sessions.get_mut(&session);
        if let Some(row) = row.filter(|row| row.generation == generation) {
            row.replay_recorded = true;
        }
    }

    pub(super) fn load_catalogue(&self, reads: &CatalogueReads) -> CatalogueFacts {
        let has_role = |kept: &&Credentials| kept.user.roles.contains(&reads.role);
        let users = self.users.values().filter(has_role);
        let machines = self.machines.values();
        let machines = machines.filter(|machine| machine.roles.contains(&reads.role));
        CatalogueFacts {
            roles: self.roles.values().cloned().collect(),
            holders: (users.count() + machines.count()) as u64,
            caller: reads.caller.and_then(|token| self.snapshot(token.session)),
        }
    }

    pub(super) fn apply_catalogue(&mut self, change: &CatalogueChange, context: &AuditContext) {
        for role in change.stored() {
            self.roles.insert(role.name.clone(), role.clone());
        }
        if let Some(name) = &change.removed {
            self.roles.remove(name);
        }
        if let Some(event) = &change.event {
            self.log.append(event, context);
        }
    }
}

impl From<&SessionRow> for OwnedSession {
    fn from(row: &SessionRow) -> Self {
        Self {
            user: row.opened.user,
            lifetime: row.lifetime(),
            generation: row.generation,
            replay_recorded: row.replay_recorded,
        }
    }
}
