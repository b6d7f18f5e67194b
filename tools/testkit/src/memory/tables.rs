//! The tables, and how they are read.

use super::log::Log;
use crate::ToySealer;
use chrono::{DateTime, Utc};
use domain::{
    audit::{AuditNumber, StoredCheckpoint},
    authority::Target,
    caller::SessionSnapshot,
    changes::LiveSession,
    machine::{Machine, MachineId},
    ports::{AuditSealer, LoginFacts, PlaceQuery},
    role::{Permissions, Role, RoleName, RoleNames, built_in},
    session::{
        Burst, EndReason, Generation, LastRotation, Lifetime, Liveness, NewSession, OriginFingerprint,
        SessionId, SessionSummary, StoredSession,
    },
    user::{Credentials, User, UserId},
};
use std::{collections::BTreeMap, sync::Arc};

pub(super) struct Tables {
    pub(super) is_unavailable: bool,
    pub(super) users: BTreeMap<UserId, Credentials>,
    pub(super) sessions: BTreeMap<SessionId, SessionRow>,
    /// For users whose places were forgotten, when.
    pub(super) places_since: BTreeMap<UserId, DateTime<Utc>>,
    /// The number of the last session that was stored.
    pub(super) session_numbers: i64,
    pub(super) roles: BTreeMap<RoleName, Role>,
    pub(super) machines: BTreeMap<MachineId, Machine>,
    pub(super) log: Log,
    /// In ascending order of their numbers.
    pub(super) checkpoints: BTreeMap<AuditNumber, StoredCheckpoint>,
    /// Until when each key may be used, and whether it is revoked.
    pub(super) key_uses: BTreeMap<String, (DateTime<Utc>, bool)>,
}

pub(super) struct SessionRow {
    pub(super) opened: NewSession,
    number: i64,
    pub(super) generation: Generation,
    pub(super) last_used_at: DateTime<Utc>,
    pub(super) rotated_by: Option<OriginFingerprint>,
    pub(super) replay_recorded: bool,
    /// The first generation of the burst, and when it was replaced.
    pub(super) burst: Option<(Generation, DateTime<Utc>)>,
    pub(super) authenticated_at: DateTime<Utc>,
    pub(super) idle_expires_at: DateTime<Utc>,
    pub(super) ended: Option<(DateTime<Utc>, EndReason)>,
}

impl Default for Tables {
    fn default() -> Self {
        Self::sealed_by(Arc::new(ToySealer))
    }
}

impl Tables {
    pub(super) fn sealed_by(sealer: Arc<dyn AuditSealer>) -> Self {
        Self {
            is_unavailable: false,
            users: BTreeMap::new(),
            sessions: BTreeMap::new(),
            places_since: BTreeMap::new(),
            session_numbers: 0,
            roles: built_in().map(|role| (role.name.clone(), role)).into(),
            machines: BTreeMap::new(),
            log: Log::new(sealer),
            checkpoints: BTreeMap::new(),
            key_uses: BTreeMap::new(),
        }
    }

    pub(super) fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(&id).map(|kept| &kept.user)
    }

    pub(super) fn login_facts(&self, credentials: Credentials, places: PlaceQuery) -> LoginFacts {
        let of_user = self
            .sessions
            .values()
            .filter(|row| row.opened.user == credentials.user.id && row.keeps_place_known())
            .filter(|row| {
                let since = self.places_since.get(&row.opened.user);
                since.is_none_or(|since| row.opened.created_at >= *since)
            });
        let (mut is_network_known, mut is_device_known) = (false, false);
        for row in of_user {
            let is_recent = row.opened.created_at > places.since;
            is_network_known |=
                is_recent && places.network.is_some() && row.opened.network() == places.network;
            is_device_known |= places.device == Some(row.opened.id);
        }
        LoginFacts {
            credentials,
            is_network_known,
            is_device_known,
        }
    }

    pub(super) fn active_admins(&self) -> impl Iterator<Item = &User> {
        self.users
            .values()
            .map(|kept| &kept.user)
            .filter(|user| user.is_active_admin())
    }

    pub(super) fn live_sessions(&self, user: UserId, at: DateTime<Utc>) -> impl Iterator<Item = &SessionRow> {
        self.sessions
            .values()
            .filter(move |row| row.opened.user == user && row.is_live(at))
    }

    pub(super) fn stored_session(&self, id: SessionId, now: DateTime<Utc>) -> Option<StoredSession> {
        let row = self.sessions.get(&id)?;
        let user = self.user(row.opened.user)?;
        Some(StoredSession {
            id,
            secret_digest: row.opened.secret_digest,
            generation: row.generation,
            lifetime: row.lifetime(),
            last_rotation: LastRotation {
                age: now - row.last_used_at,
                origin: row.rotated_by,
                replay_recorded: row.replay_recorded,
            },
            burst: row.burst.map(|(from, since)| Burst {
                from,
                age: now - since,
            }),
            authenticated_at: row.authenticated_at,
            holder: user.into(),
        })
    }

    pub(super) fn target(&self, id: UserId) -> Option<Target> {
        Some(Target::new(self.user(id)?.clone(), self.roles.values()))
    }

    pub(super) fn snapshot(&self, id: SessionId) -> Option<SessionSnapshot> {
        let Some(row) = self.sessions.get(&id) else {
            return self.snapshot_of_machine(id);
        };
        let user = self.user(row.opened.user)?.clone();
        Some(SessionSnapshot {
            session: id,
            lifetime: row.lifetime(),
            permissions: self.permissions(&user.roles),
            principal: user.into(),
        })
    }

    fn snapshot_of_machine(&self, id: SessionId) -> Option<SessionSnapshot> {
        let (machine, secret) = self.machine_with(id)?;
        Some(SessionSnapshot {
            session: id,
            lifetime: secret.lifetime(),
            permissions: self.permissions(&machine.roles),
            principal: machine.clone().into(),
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

impl SessionRow {
    fn keeps_place_known(&self) -> bool {
        self.ended.is_none_or(|(_, reason)| reason.keeps_place_known())
    }

    pub(super) fn new(opened: NewSession, number: i64) -> Self {
        Self {
            number,
            generation: Generation::FIRST,
            last_used_at: opened.created_at,
            rotated_by: None,
            replay_recorded: false,
            burst: None,
            authenticated_at: opened.created_at,
            idle_expires_at: opened.idle_expires_at,
            ended: None,
            opened,
        }
    }

    /// Returns what orders the row among the sessions of its user.
    pub(super) fn age(&self) -> LiveSession {
        LiveSession {
            number: self.number,
            created_at: self.opened.created_at,
            id: self.opened.id,
        }
    }

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

    /// Returns when the session ended or expires, whichever is earlier.
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
