use super::{MemoryStorage, tables::SessionRow};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    caller::SessionSnapshot,
    ports::{PortError, Rotated, SessionDirectory, SessionSnapshots, Sessions},
    session::{Rotation, SessionId, SessionSummary, StoredSession},
    user::{UserId, UserStatus},
};
use std::cmp::Reverse;

#[async_trait]
impl Sessions for MemoryStorage {
    async fn find(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<StoredSession>, PortError> {
        Ok(self.transaction()?.stored_session(id, now))
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError> {
        let mut tables = self.transaction()?;
        let Some(session) = tables.stored_session(rotation.session, rotation.at) else {
            return Ok(Rotated::Lost);
        };
        let Some(row) = tables.sessions.get_mut(&rotation.session).filter(|row| {
            row.generation == rotation.from
                && row.opened.secret_digest == rotation.secret_digest
                && row.is_live(rotation.at)
                && session.holder.status == UserStatus::Active
        }) else {
            return Ok(Rotated::Lost);
        };
        let rotated = session.rotated(&rotation);
        row.generation = rotated.generation;
        row.last_used_at = rotation.at;
        row.rotated_by = Some(rotation.origin);
        row.burst = rotated.burst.map(|burst| (burst.from, rotation.at - burst.age));
        row.replay_recorded = false;
        row.authenticated_at = rotated.authenticated_at;
        row.idle_expires_at = rotated.lifetime.idle_expires_at;
        row.opened.created_at = rotated.lifetime.created_at;
        row.opened.expires_at = rotated.lifetime.expires_at;
        Ok(Rotated::Done(rotated))
    }
}

#[async_trait]
impl SessionSnapshots for MemoryStorage {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        Ok(self.transaction()?.snapshot(session))
    }
}

#[async_trait]
impl SessionDirectory for MemoryStorage {
    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionSummary>, PortError> {
        let tables = self.transaction()?;
        let mut newest_first: Vec<_> = tables.live_sessions(user, now).collect();
        newest_first.sort_by_key(|row| Reverse(row.age()));
        Ok(newest_first.into_iter().map(SessionRow::summary).collect())
    }

    async fn remove_dead(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, PortError> {
        let mut tables = self.transaction()?;
        let dead: Vec<_> = tables
            .sessions
            .values()
            .filter(|row| row.dead_since() < before)
            .map(|row| row.opened.id)
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .collect();
        for id in &dead {
            tables.sessions.remove(id);
        }
        Ok(dead.len() as u64)
    }
}
