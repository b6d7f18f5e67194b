use super::{
    MemoryStorage,
    state::{SessionRow, State},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    authority::Denied,
    ports::{Ended, Opened, PortError, RevokeSessions, Rotated, Sessions, SessionsRevoked},
    session::{EndReason, NewSession, Rotation, SessionId, SessionSummary, StoredSession},
    user::{Epoch, User, UserId, UserStatus},
};
use std::cmp::Reverse;

#[async_trait]
impl Sessions for MemoryStorage {
    async fn open(
        &self,
        session: NewSession,
        epoch: Epoch,
        max: u32,
        context: AuditContext,
    ) -> Result<Opened, PortError> {
        let mut state = self.transaction()?;
        let Some(holder) = state.active_at(session.user, epoch) else {
            return Ok(Opened::Stale);
        };
        holder.user.last_login_at = Some(context.at);
        let (id, user) = (session.id, session.user);
        state.store_session(session);
        let opened = make_room(&mut state, user, max, context.at);
        state.note(
            &AuditEvent::on(AuditAction::LoggedIn, user).in_session(id),
            &context,
        );
        Ok(opened)
    }

    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, PortError> {
        Ok(self.transaction()?.stored_session(id))
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError> {
        let mut state = self.transaction()?;
        let Some(session) = state.stored_session(rotation.session) else {
            return Ok(Rotated::Lost);
        };
        let Some(row) = state.sessions.get_mut(&rotation.session).filter(|row| {
            row.generation == rotation.from
                && row.opened.secret_digest == rotation.secret_digest
                && row.is_live(rotation.at)
                && session.holder.status == UserStatus::Active
        }) else {
            return Ok(Rotated::Lost);
        };
        row.generation = rotation.to;
        row.last_used_at = rotation.at;
        row.idle_expires_at = rotation.idle_until.min(row.opened.expires_at);
        Ok(Rotated::Now(session.rotated(&rotation)))
    }

    async fn end(
        &self,
        id: SessionId,
        user: UserId,
        reason: EndReason,
        context: AuditContext,
    ) -> Result<Ended, PortError> {
        let mut state = self.transaction()?;
        let Some(row) = state
            .sessions
            .get_mut(&id)
            .filter(|row| row.opened.user == user && row.is_live(context.at))
        else {
            return Ok(Ended::Before);
        };
        row.ended = Some((context.at, reason));
        let action = match reason {
            EndReason::RefreshTokenReused => AuditAction::RefreshTokenReused,
            EndReason::LoggedOut
            | EndReason::RolesChanged
            | EndReason::PasswordChanged
            | EndReason::PasswordReset
            | EndReason::UserDisabled
            | EndReason::SessionsRevoked
            | EndReason::MadeRoom => AuditAction::SessionEnded,
        };
        state.note(&AuditEvent::on(action, user).in_session(id), &context);
        Ok(Ended::Now)
    }

    async fn end_all(
        &self,
        user: UserId,
        reason: EndReason,
        context: AuditContext,
    ) -> Result<u64, PortError> {
        let mut state = self.transaction()?;
        if state.user(user).is_none() {
            return Ok(0);
        }
        let count = state.end_all(user, reason, context.at);
        let event = AuditEvent::on(AuditAction::AllSessionsEnded, user).with("count", count);
        state.note(&event, &context);
        Ok(count)
    }

    async fn revoke_sessions(
        &self,
        force: RevokeSessions,
        context: AuditContext,
    ) -> Result<SessionsRevoked, PortError> {
        let mut state = self.transaction()?;
        let Some(user) = state.user(force.user) else {
            return Ok(SessionsRevoked::NoSuchUser);
        };
        if let Err(denied) = may_revoke(&state, &force, user, &context) {
            return Ok(SessionsRevoked::Denied(denied));
        }
        let count = state.end_all(force.user, EndReason::SessionsRevoked, context.at);
        let event = AuditEvent::on(AuditAction::AllSessionsEnded, force.user)
            .with("count", count)
            .with("forced", true);
        state.note(&event, &context);
        Ok(SessionsRevoked::Now(count))
    }

    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionSummary>, PortError> {
        let mut state = self.transaction()?;
        let mut newest_first = live_of(&mut state, user, now);
        newest_first.sort_by_key(|row| Reverse((row.opened.created_at, row.opened.id)));
        Ok(newest_first.into_iter().map(|row| row.summary()).collect())
    }

    async fn remove_dead(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, PortError> {
        let mut state = self.transaction()?;
        let is_dead = |row: &&SessionRow| row.dead_since() < before;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let dead: Vec<_> = state
            .sessions
            .values()
            .filter(is_dead)
            .map(|row| row.opened.id)
            .take(limit)
            .collect();
        for id in &dead {
            state.sessions.remove(id);
        }
        Ok(dead.len().try_into().unwrap_or(u64::MAX))
    }
}

fn may_revoke(
    state: &State,
    force: &RevokeSessions,
    user: &User,
    context: &AuditContext,
) -> Result<(), Denied> {
    state
        .authority(force.authorized_by, context.at)?
        .revoke(&state.subject(user))
}

/// Ends the oldest live sessions of `user` until `max` are left; whether there were any to end.
fn make_room(state: &mut State, user: UserId, max: u32, at: DateTime<Utc>) -> Opened {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let mut oldest_first = live_of(state, user, at);
    oldest_first.sort_by_key(|row| (row.opened.created_at, row.opened.id));
    let surplus = oldest_first.len().saturating_sub(max);
    for row in oldest_first.into_iter().take(surplus) {
        row.ended = Some((at, EndReason::MadeRoom));
    }
    if surplus == 0 {
        Opened::Now
    } else {
        Opened::MadeRoom
    }
}

fn live_of(state: &mut State, user: UserId, at: DateTime<Utc>) -> Vec<&mut SessionRow> {
    state
        .sessions
        .values_mut()
        .filter(|row| row.opened.user == user && row.is_live(at))
        .collect()
}
