//! What is kept, and the steps that several ports' methods share.

use super::trail::Trail;
use crate::ToySealer;
use chrono::{DateTime, Utc};
use domain::{
    audit::{AuditContext, AuditEvent},
    authority::{Authority, Denied, Target},
    caller::SessionSnapshot,
    ports::AuditSealer,
    role::{OWN_PERMISSIONS, Permissions, Role, RoleName, RoleNames, built_in},
    session::{
        EndReason, Generation, Holder, Lifetime, Liveness, NewSession, SessionId, SessionSummary,
        StoredSession,
    },
    token::TokenIdentity,
    user::{Credentials, Epoch, User, UserId, UserStatus},
};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Clone)]
pub(super) struct State {
    pub(super) away: bool,
    pub(super) users: BTreeMap<UserId, Credentials>,
    pub(super) sessions: BTreeMap<SessionId, SessionRow>,
    pub(super) roles: BTreeMap<RoleName, Role>,
    pub(super) trail: Trail,
}

#[derive(Clone)]
pub(super) struct SessionRow {
    pub(super) opened: NewSession,
    pub(super) generation: Generation,
    pub(super) last_used_at: DateTime<Utc>,
    pub(super) idle_expires_at: DateTime<Utc>,
    pub(super) ended: Option<(DateTime<Utc>, EndReason)>,
}

impl Default for State {
    fn default() -> Self {
        Self::sealed_by(Arc::new(ToySealer))
    }
}

impl State {
    pub(super) fn sealed_by(sealer: Arc<dyn AuditSealer>) -> Self {
        Self {
            away: false,
            users: BTreeMap::new(),
            sessions: BTreeMap::new(),
            roles: built_in().map(|role| (role.name.clone(), role)).into(),
            trail: Trail::new(sealer),
        }
    }

    /// Makes `change`, or finds out on a copy what it would come to.
    pub(super) fn change<T>(&mut self, dry_run: bool, change: impl FnOnce(&mut Self) -> T) -> T {
        if dry_run {
            change(&mut self.clone())
        } else {
            change(self)
        }
    }

    pub(super) fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(&id).map(|kept| &kept.user)
    }

    /// The user, if they are active and at `epoch`.
    pub(super) fn active_at(&mut self, id: UserId, epoch: Epoch) -> Option<&mut Credentials> {
        self.users
            .get_mut(&id)
            .filter(|kept| kept.user.status == UserStatus::Active && kept.user.epoch == epoch)
    }

    /// Stores `user`, who is there already, as changed at `at`.
    pub(super) fn keep_changed(&mut self, user: &mut User, at: DateTime<Utc>) {
        user.updated_at = at;
        user.revision = user.revision.next();
        if let Some(kept) = self.users.get_mut(&user.id) {
            kept.user.clone_from(user);
        }
    }

    /// The first of `names` that is not in the catalogue.
    pub(super) fn unknown<'a>(&self, names: &'a RoleNames) -> Option<&'a RoleName> {
        names.iter().find(|name| !self.roles.contains_key(*name))
    }

    /// Puts `role` into the catalogue, in place of one of the same name.
    pub(super) fn put_role(&mut self, role: Role) {
        self.roles.insert(role.name.clone(), role);
        self.give_admin_everything();
    }

    pub(super) fn remove_role(&mut self, name: &RoleName) {
        self.roles.remove(name);
        self.give_admin_everything();
    }

    /// Admins have every permission that any other role has.
    fn give_admin_everything(&mut self) {
        let others = self.roles.values().filter(|role| role.name != RoleName::ADMIN);
        let granted = others.flat_map(|role| role.permissions.iter().cloned());
        let everything = granted.chain(OWN_PERMISSIONS).collect();
        if let Some(admin) = self.roles.get_mut(&RoleName::ADMIN) {
            admin.permissions = everything;
        }
    }

    pub(super) fn holders(&self, role: &RoleName) -> u64 {
        let has_it = |kept: &&Credentials| kept.user.roles.contains(role);
        let holders = self.users.values().filter(has_it).count();
        holders.try_into().unwrap_or(u64::MAX)
    }

    pub(super) fn is_last_admin(&self, user: &User) -> bool {
        is_active_admin(user) && self.active_admins().count() == 1
    }

    pub(super) fn active_admins(&self) -> impl Iterator<Item = &User> {
        self.users
            .values()
            .map(|kept| &kept.user)
            .filter(|user| is_active_admin(user))
    }

    pub(super) fn note(&mut self, event: &AuditEvent, context: &AuditContext) {
        self.trail.append(event, context);
    }

    pub(super) fn store_session(&mut self, session: NewSession) {
        self.sessions.insert(session.id, SessionRow::from(session));
    }

    /// Ends the live sessions of `user`; how many there were.
    pub(super) fn end_all(&mut self, user: UserId, reason: EndReason, at: DateTime<Utc>) -> u64 {
        let mut count = 0;
        for session in self.sessions.values_mut() {
            if session.opened.user == user && session.is_live(at) {
                session.ended = Some((at, reason));
                count += 1;
            }
        }
        count
    }

    pub(super) fn stored_session(&self, id: SessionId) -> Option<StoredSession> {
        let row = self.sessions.get(&id)?;
        let user = self.user(row.opened.user)?;
        Some(StoredSession {
            id,
            secret_digest: row.opened.secret_digest,
            generation: row.generation,
            lifetime: row.lifetime(),
            last_used_at: row.last_used_at,
            holder: Holder {
                user: user.id,
                status: user.status,
                epoch: user.epoch,
                roles: user.roles.clone(),
                must_change_password: user.must_change_password,
            },
        })
    }

    /// Whoever asks, as of now.
    pub(super) fn authority(
        &self,
        word: Option<TokenIdentity>,
        at: DateTime<Utc>,
    ) -> Result<Authority, Denied> {
        let snapshot = word.and_then(|word| self.snapshot(word.session));
        Authority::standing(word, snapshot, at)
    }

    /// Whoever is about to be changed, as of now.
    pub(super) fn subject(&self, user: &User) -> Target {
        Target {
            permissions: self.permissions(&user.roles),
            user: user.clone(),
        }
    }

    pub(super) fn snapshot(&self, id: SessionId) -> Option<SessionSnapshot> {
        let row = self.sessions.get(&id)?;
        let user = self.user(row.opened.user)?.clone();
        Some(SessionSnapshot {
            session: id,
            lifetime: row.lifetime(),
            permissions: self.permissions(&user.roles),
            user,
        })
    }

    fn permissions(&self, roles: &RoleNames) -> Permissions {
        roles
            .iter()
            .filter_map(|name| self.roles.get(name))
            .flat_map(|role| role.permissions.iter().cloned())
            .collect()
    }
}

fn is_active_admin(user: &User) -> bool {
    user.status == UserStatus::Active && user.roles.contains(&RoleName::ADMIN)
}

impl SessionRow {
    pub(super) fn lifetime(&self) -> Lifetime {
        Lifetime {
            created_at: self.opened.created_at,
            idle_expires_at: self.idle_expires_at,
            expires_at: self.opened.expires_at,
            ended: self.ended.map(|(_, reason)| reason),
        }
    }

    pub(super) fn is_live(&self, at: DateTime<Utc>) -> bool {
        self.lifetime().at(at) == Liveness::Live
    }

    /// When it ended or expires, whichever comes first.
    pub(super) fn dead_since(&self) -> DateTime<Utc> {
        let expires = self.idle_expires_at.min(self.opened.expires_at);
        self.ended.map_or(expires, |(at, _)| at.min(expires))
    }

    pub(super) fn summary(&self) -> SessionSummary {
        SessionSummary {
            id: self.opened.id,
            created_at: self.opened.created_at,
            last_used_at: self.last_used_at,
            expires_at: self.opened.expires_at,
            user_agent: self.opened.user_agent.clone(),
            address: self.opened.address,
        }
    }
}

impl From<NewSession> for SessionRow {
    fn from(opened: NewSession) -> Self {
        Self {
            generation: Generation::FIRST,
            last_used_at: opened.created_at,
            idle_expires_at: opened.idle_expires_at,
            ended: None,
            opened,
        }
    }
}
