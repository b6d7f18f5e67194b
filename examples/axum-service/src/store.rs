//! Custom storage for the six main endpoints.
//!
//! The rules of each change are in `domain`: a command states what it reads, and decides on a
//! change from those facts. Storage loads the facts and applies the change in one transaction.
//! Here, the transaction is a lock around maps and lists; with a database, it is a transaction
//! of the database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::{AuditContext, AuditEvent},
    authority::Target,
    caller::SessionSnapshot,
    changes::{
        Applied, Change, ChangeError, Command, EndSessionsOf, Facts, LiveSession, OwnedSession, Reads,
        UserChange,
    },
    login::CanonicalLogin,
    password::PasswordHash,
    ports::{Accounts, AuditEvents, LoginFacts, PlaceQuery, PortError, Rotated, SessionSnapshots, Sessions},
    role::{Permissions, Role, RoleNames, built_in},
    session::{Burst, EndReason, Liveness, NewSession, Rotation, SessionId, StoredSession},
    throttle::Network,
    user::{Credentials, User, UserId, UserStatus},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// The stored users, sessions and audit events.
#[derive(Default)]
struct Tables {
    users: HashMap<UserId, Credentials>,
    sessions: HashMap<SessionId, StoredSession>,
    /// When each session was last refreshed. Its ages are as of then.
    rotated_at: HashMap<SessionId, DateTime<Utc>>,
    /// The sessions in the order in which they were opened. A clock may be set back.
    opened: Vec<SessionId>,
    /// The networks from which sessions were opened.
    networks: HashMap<SessionId, Network>,
    /// For users whose places were forgotten, when.
    places_since: HashMap<UserId, DateTime<Utc>>,
    events: Vec<(AuditEvent, AuditContext)>,
}

/// Implements the four storage ports. Each call holds the lock from beginning to end, which makes
/// it a transaction.
#[derive(Clone, Default)]
pub struct OwnStorage(Arc<Mutex<Tables>>);

impl OwnStorage {
    fn transaction(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().expect("no transaction panics")
    }
}

#[async_trait]
impl Accounts for OwnStorage {
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        Ok(self.transaction().user(id).cloned())
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        Ok(self.transaction().by_login(login).cloned())
    }

    async fn find_for_login(
        &self,
        login: &CanonicalLogin,
        places: PlaceQuery,
    ) -> Result<Option<LoginFacts>, PortError> {
        let tables = self.transaction();
        let credentials = tables.by_login(login).cloned();
        Ok(credentials.map(|credentials| tables.login_facts(credentials, places)))
    }

    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError> {
        let mut tables = self.transaction();
        let stored = tables.users.get_mut(&user).filter(|stored| stored.hash == *old);
        Ok(stored.map(|stored| stored.hash = new.clone()).is_some())
    }

    /// Loads the facts, calls the command's decision, and applies the change. No command needs code
    /// of its own.
    async fn execute(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        let mut tables = self.transaction();
        let facts = tables.load(&command.reads(), context.at);
        let change = command.decide(&facts, context.at)?;
        Ok(tables.apply(change, context))
    }

    async fn dry_run(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        let tables = self.transaction();
        let facts = tables.load(&command.reads(), context.at);
        let change = command.decide(&facts, context.at)?;
        let sessions_ended = tables.ending(&change).len() as u64;
        Ok(Applied {
            change,
            sessions_ended,
        })
    }
}

#[async_trait]
impl Sessions for OwnStorage {
    async fn find(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<StoredSession>, PortError> {
        Ok(self.transaction().session_at(id, now))
    }

    /// Compares and swaps: of concurrent refreshes with one token, only one succeeds.
    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError> {
        let mut tables = self.transaction();
        let matches = |session: &StoredSession| {
            session.generation == rotation.from
                && session.secret_digest == rotation.secret_digest
                && session.lifetime.at(rotation.at) == Liveness::Live
                && session.holder.status == UserStatus::Active
        };
        let session = tables.session_at(rotation.session, rotation.at);
        let Some(session) = session.filter(matches) else {
            return Ok(Rotated::Lost);
        };
        let rotated = session.rotated(&rotation);
        tables.sessions.insert(rotated.id, rotated.clone());
        tables.rotated_at.insert(rotated.id, rotation.at);
        Ok(Rotated::Done(rotated))
    }
}

#[async_trait]
impl SessionSnapshots for OwnStorage {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        Ok(self.transaction().snapshot(session))
    }
}

/// Appends events to a list. A verifiable audit log also seals its events: see `domain::audit`.
#[async_trait]
impl AuditEvents for OwnStorage {
    async fn record_all(&self, events: Vec<AuditEvent>, context: AuditContext) -> Result<(), PortError> {
        let mut tables = self.transaction();
        tables
            .events
            .extend(events.into_iter().map(|event| (event, context.clone())));
        Ok(())
    }
}

/// Loads the facts that a command reads.
impl Tables {
    fn load(&self, reads: &Reads, at: DateTime<Utc>) -> Facts {
        let account = reads.account.and_then(|id| self.user(id));
        Facts {
            login_taken: reads.login.as_ref().is_some_and(|it| self.by_login(it).is_some()),
            account: account.map(Into::into),
            target: account
                .filter(|_| reads.target)
                .map(|user| Target::new(user.clone(), &roles(&user.roles))),
            other_admin_exists: reads.may_remove_admin && self.other_admin_exists(reads.account),
            live_sessions: account
                .filter(|_| reads.live_sessions)
                .map(|user| self.live_sessions(user.id, at))
                .unwrap_or_default(),
            session: reads
                .session
                .and_then(|id| self.sessions.get(&id))
                .map(OwnedSession::from),
            caller: reads.caller.and_then(|token| self.snapshot(token.session)),
            roles: roles(&reads.roles),
        }
    }

    fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(&id).map(|stored| &stored.user)
    }

    fn by_login(&self, login: &CanonicalLogin) -> Option<&Credentials> {
        let mut users = self.users.values();
        users.find(|stored| stored.user.login.canonical() == login)
    }

    fn login_facts(&self, credentials: Credentials, places: PlaceQuery) -> LoginFacts {
        let known = || {
            self.sessions.values().filter(|session| {
                let ended = session.lifetime.ended;
                let since = self.places_since.get(&session.holder.user);
                session.holder.user == credentials.user.id
                    && ended.is_none_or(EndReason::keeps_place_known)
                    && since.is_none_or(|since| session.lifetime.created_at >= *since)
            })
        };
        let is_network_known = known().any(|session| {
            let network = self.networks.get(&session.id);
            network.is_some_and(|network| places.network == Some(*network))
                && session.lifetime.created_at > places.since
        });
        let is_device_known = known().any(|session| places.device == Some(session.id));
        LoginFacts {
            credentials,
            is_network_known,
            is_device_known,
        }
    }

    fn other_admin_exists(&self, than: Option<UserId>) -> bool {
        let mut users = self.users.values().map(|stored| &stored.user);
        users.any(|user| user.is_active_admin() && Some(user.id) != than)
    }

    fn live_sessions(&self, user: UserId, at: DateTime<Utc>) -> Vec<LiveSession> {
        let in_order = self.opened.iter().filter_map(|id| self.sessions.get(id));
        (1..)
            .zip(in_order)
            .filter(|(_, session)| session.holder.user == user && session.lifetime.at(at) == Liveness::Live)
            .map(|(number, session)| LiveSession {
                number,
                created_at: session.lifetime.created_at,
                id: session.id,
            })
            .collect()
    }

    /// Returns the session as of `now`, with the current data of its holder.
    fn session_at(&self, id: SessionId, now: DateTime<Utc>) -> Option<StoredSession> {
        let mut session = self.sessions.get(&id)?.clone();
        session.holder = self.user(session.holder.user)?.into();
        if let Some(rotated_at) = self.rotated_at.get(&id) {
            session.last_rotation.age += now - *rotated_at;
            session.burst = session.burst.map(|burst| Burst {
                age: burst.age + (now - *rotated_at),
                ..burst
            });
        }
        Some(session)
    }

    fn snapshot(&self, id: SessionId) -> Option<SessionSnapshot> {
        let session = self.sessions.get(&id)?;
        let user = self.user(session.holder.user)?.clone();
        Some(SessionSnapshot {
            session: id,
            lifetime: session.lifetime,
            permissions: permissions(&user.roles),
            principal: user.into(),
        })
    }
}

/// Applies the change that a command decided.
impl Tables {
    fn apply(&mut self, change: Change, context: AuditContext) -> Applied {
        self.apply_to_user(&change);
        let ending = self.ending(&change);
        for (id, reason) in &ending {
            if let Some(session) = self.sessions.get_mut(id) {
                session.lifetime.ended = Some(*reason);
            }
        }
        let sessions_ended = ending.len() as u64;
        let forgotten = change.forgets_places_of(sessions_ended);
        self.places_since.extend(forgotten.map(|user| (user, change.at)));
        if let Some(session) = &change.open_session {
            self.open(session);
        }
        let replayed = change.record_replay.map(|(session, _)| session);
        if let Some(session) = replayed.and_then(|id| self.sessions.get_mut(&id)) {
            session.last_rotation.replay_recorded = true;
        }
        let reauthenticated = change.reauthenticated;
        if let Some(session) = reauthenticated.and_then(|id| self.sessions.get_mut(&id)) {
            session.authenticated_at = change.at;
        }
        let event = change.event(sessions_ended);
        self.events.extend(event.map(|event| (event, context)));
        Applied {
            change,
            sessions_ended,
        }
    }

    fn apply_to_user(&mut self, change: &Change) {
        match &change.user {
            UserChange::Nothing | UserChange::Unchanged(_) => {}
            UserChange::Insert(new) => {
                self.users.insert(new.user.id, new.clone());
            }
            UserChange::Update { user, hash } => {
                if let Some(stored) = self.users.get_mut(&user.id) {
                    stored.user = user.clone();
                    stored.hash = hash.clone().unwrap_or_else(|| stored.hash.clone());
                }
            }
            UserChange::LoggedIn(id) => self.record_login(*id, change.at),
            UserChange::LoggedInOnce(id) => {
                self.record_password_use(*id, change.at);
                self.record_login(*id, change.at);
            }
            UserChange::Delete(user) => {
                self.users.remove(&user.id);
                self.sessions.retain(|_, session| session.holder.user != user.id);
            }
        }
    }

    fn record_login(&mut self, id: UserId, at: DateTime<Utc>) {
        if let Some(stored) = self.users.get_mut(&id) {
            stored.user.last_login_at = Some(at);
            stored.user.revision = stored.user.revision.next();
        }
    }

    fn record_password_use(&mut self, id: UserId, at: DateTime<Utc>) {
        let stored = self.users.get_mut(&id);
        if let Some(password) = stored.and_then(|stored| stored.user.one_time_password.as_mut()) {
            password.used_at = Some(at);
        }
    }

    /// Returns the sessions that `change` ends, each with the reason.
    fn ending(&self, change: &Change) -> Vec<(SessionId, EndReason)> {
        let Some((sessions, reason)) = &change.end_sessions else {
            return Vec::new();
        };
        let ids = match sessions {
            EndSessionsOf::User(user) => {
                let live = self.live_sessions(*user, change.at).into_iter();
                live.map(|session| session.id).collect()
            }
            EndSessionsOf::Sessions(ids) => ids.clone(),
        };
        ids.into_iter().map(|id| (id, *reason)).collect()
    }

    fn open(&mut self, session: &NewSession) {
        if let Some(stored) = self.users.get(&session.user) {
            self.sessions.insert(session.id, session.stored(&stored.user));
            self.opened.push(session.id);
            self.networks
                .extend(session.network().map(|network| (session.id, network)));
        }
    }
}

/// Returns the roles with these names. This service has only the built-in roles; a service that
/// manages roles stores them.
fn roles(names: &RoleNames) -> Vec<Role> {
    let all = built_in().into_iter();
    all.filter(|role| names.contains(&role.name)).collect()
}

fn permissions(names: &RoleNames) -> Permissions {
    roles(names)
        .into_iter()
        .flat_map(|role| role.permissions)
        .collect()
}

#[cfg(test)]
mod contract {
    use super::{AuditContext, AuditEvent, OwnStorage, async_trait};
    use std::sync::Arc;
    use testkit::{CoreStorage, RecordedEvents};

    /// Gives the contract access to the events, which no port of this service reads.
    #[async_trait]
    impl RecordedEvents for OwnStorage {
        async fn recorded(&self) -> Vec<(AuditEvent, AuditContext)> {
            self.transaction().events.clone()
        }
    }

    async fn fresh() -> (CoreStorage, ()) {
        let storage = Arc::new(OwnStorage::default());
        let core = CoreStorage {
            accounts: storage.clone(),
            sessions: storage.clone(),
            snapshots: storage.clone(),
            audit_events: storage.clone(),
            recorded: storage,
        };
        std::future::ready((core, ())).await
    }

    testkit::accounts_contract!(fresh);
    testkit::sessions_contract!(fresh);
    testkit::session_snapshots_contract!(fresh);
    testkit::audit_events_contract!(fresh);
}
