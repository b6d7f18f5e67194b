use crate::{
    SqliteDatabase, audit,
    columns::{Id, Micros},
    error::StorageError,
    schema::{sessions, users},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SelectableHelper,
    SqliteConnection,
    dsl::{auto_type, exists, select},
};
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    ports::{AuditSealer, Ended, Opened, PortError, RevokeSessions, Rotated, Sessions, SessionsRevoked},
    session::{EndReason, NewSession, Rotation, SessionId, SessionSummary, StoredSession},
    user::{Epoch, UserId},
};
use std::sync::Arc;

mod revoke_sessions;
mod rotation;
mod rows;

pub use rotation::rotate;
pub use rows::LifetimeRow;
use rows::{NewSessionRow, StoredSessionRow, SummaryRow};

/// Sessions in SQLite.
pub struct SqliteSessions {
    database: SqliteDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl SqliteSessions {
    #[must_use]
    pub fn new(database: SqliteDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }

    async fn write<R, W>(&self, work: W) -> Result<R, PortError>
    where
        R: Send + 'static,
        W: FnOnce(&mut SqliteConnection, &dyn AuditSealer) -> Result<R, StorageError> + Send + 'static,
    {
        let sealer = Arc::clone(&self.sealer);
        self.database.write(move |conn| work(conn, &*sealer)).await
    }
}

#[async_trait]
impl Sessions for SqliteSessions {
    async fn open(
        &self,
        session: NewSession,
        epoch: Epoch,
        max: u32,
        context: AuditContext,
    ) -> Result<Opened, PortError> {
        self.write(move |conn, sealer| open(conn, sealer, &session, epoch, max, &context))
            .await
    }

    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, PortError> {
        self.database.read(move |conn| find(conn, id)).await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError> {
        self.database.write(move |conn| rotate(conn, &rotation)).await
    }

    async fn end(
        &self,
        id: SessionId,
        user: UserId,
        reason: EndReason,
        context: AuditContext,
    ) -> Result<Ended, PortError> {
        self.write(move |conn, sealer| end(conn, sealer, id, user, reason, &context))
            .await
    }

    async fn end_all(
        &self,
        user: UserId,
        reason: EndReason,
        context: AuditContext,
    ) -> Result<u64, PortError> {
        self.write(move |conn, sealer| end_all(conn, sealer, user, reason, &context))
            .await
    }

    async fn revoke_sessions(
        &self,
        force: RevokeSessions,
        context: AuditContext,
    ) -> Result<SessionsRevoked, PortError> {
        self.write(move |conn, sealer| revoke_sessions::revoke_sessions(conn, sealer, force, &context))
            .await
    }

    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionSummary>, PortError> {
        self.database.read(move |conn| list(conn, user, now)).await
    }

    async fn remove_dead(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, PortError> {
        self.database
            .write(move |conn| remove_dead(conn, before, limit))
            .await
    }
}

/// Whether a session is live at `at`, for all that its own row tells.
#[auto_type]
fn live_at(at: Micros) -> _ {
    sessions::revoked_at
        .is_null()
        .and(sessions::idle_expires_at.gt(at))
        .and(sessions::expires_at.gt(at))
}

fn open(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    session: &NewSession,
    epoch: Epoch,
    max: u32,
    context: &AuditContext,
) -> Result<Opened, StorageError> {
    let unchanged = users::table
        .find(Id(session.user.0))
        .filter(users::status.eq("active"))
        .filter(users::token_epoch.eq(epoch.0));
    let logged_in = diesel::update(unchanged)
        .set(users::last_login_at.eq(Micros(context.at)))
        .execute(conn)?;
    if logged_in == 0 {
        return Ok(Opened::Stale);
    }
    insert(conn, session)?;
    let opened = make_room(conn, session.user, max, context.at)?;
    let event = AuditEvent::on(AuditAction::LoggedIn, session.user).in_session(session.id);
    audit::write(conn, sealer, context, &event)?;
    Ok(opened)
}

/// Stores `session` as it is.
pub fn insert(conn: &mut SqliteConnection, session: &NewSession) -> Result<(), StorageError> {
    diesel::insert_into(sessions::table)
        .values(NewSessionRow::from(session))
        .execute(conn)?;
    Ok(())
}

/// Ends the oldest live sessions of `user` until `max` are left; whether there were any to end.
pub fn make_room(
    conn: &mut SqliteConnection,
    user: UserId,
    max: u32,
    at: DateTime<Utc>,
) -> Result<Opened, StorageError> {
    let surplus: Vec<Id> = sessions::table
        .filter(sessions::user_id.eq(Id(user.0)))
        .filter(live_at(Micros(at)))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .offset(max.into())
        .select(sessions::id)
        .load(conn)?;
    if surplus.is_empty() {
        return Ok(Opened::Now);
    }
    for id in surplus {
        diesel::update(sessions::table.find(id))
            .set((
                sessions::revoked_at.eq(Micros(at)),
                sessions::revoke_reason.eq(EndReason::MadeRoom.as_str()),
            ))
            .execute(conn)?;
    }
    Ok(Opened::MadeRoom)
}

/// One statement, so that session and holder are of one instant; diesel keeps it prepared.
pub fn find(conn: &mut SqliteConnection, id: SessionId) -> Result<Option<StoredSession>, StorageError> {
    sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(Id(id.0)))
        .select(StoredSessionRow::as_select())
        .first(conn)
        .optional()?
        .map(StoredSession::try_from)
        .transpose()
}

fn end(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    id: SessionId,
    user: UserId,
    reason: EndReason,
    context: &AuditContext,
) -> Result<Ended, StorageError> {
    let live = sessions::table
        .find(Id(id.0))
        .filter(sessions::user_id.eq(Id(user.0)))
        .filter(live_at(Micros(context.at)));
    let ended = diesel::update(live)
        .set((
            sessions::revoked_at.eq(Micros(context.at)),
            sessions::revoke_reason.eq(reason.as_str()),
        ))
        .execute(conn)?;
    if ended == 0 {
        return Ok(Ended::Before);
    }
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
    let event = AuditEvent::on(action, user).in_session(id);
    audit::write(conn, sealer, context, &event)?;
    Ok(Ended::Now)
}

fn end_all(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    user: UserId,
    reason: EndReason,
    context: &AuditContext,
) -> Result<u64, StorageError> {
    if !select(exists(users::table.find(Id(user.0)))).get_result::<bool>(conn)? {
        return Ok(0);
    }
    let ended = end_live(conn, user, reason, context.at)?;
    let event = AuditEvent::on(AuditAction::AllSessionsEnded, user).with("count", ended);
    audit::write(conn, sealer, context, &event)?;
    Ok(ended)
}

/// Ends every live session of `user`; how many there were.
pub fn end_live(
    conn: &mut SqliteConnection,
    user: UserId,
    reason: EndReason,
    at: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let live = sessions::table
        .filter(sessions::user_id.eq(Id(user.0)))
        .filter(live_at(Micros(at)));
    let ended = diesel::update(live)
        .set((
            sessions::revoked_at.eq(Micros(at)),
            sessions::revoke_reason.eq(reason.as_str()),
        ))
        .execute(conn)?;
    Ok(ended as u64)
}

pub fn list(
    conn: &mut SqliteConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionSummary>, StorageError> {
    sessions::table
        .filter(sessions::user_id.eq(Id(user.0)))
        .filter(live_at(Micros(now)))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .select(SummaryRow::as_select())
        .load(conn)?
        .into_iter()
        .map(SessionSummary::try_from)
        .collect()
}

pub fn remove_dead(
    conn: &mut SqliteConnection,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<u64, StorageError> {
    let dead = diesel::alias!(sessions as dead);
    let longest_dead = dead
        .filter(dead.field(sessions::dead_at).lt(Micros(before)))
        .order(dead.field(sessions::dead_at))
        .limit(limit.into())
        .select(dead.field(sessions::id));
    let removed = diesel::delete(sessions::table.filter(sessions::id.eq_any(longest_dead))).execute(conn)?;
    Ok(removed as u64)
}
