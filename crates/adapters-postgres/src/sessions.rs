use crate::{
    PostgresDatabase,
    audit::Journal,
    error::StorageError,
    prepared::Prepared,
    schema::{sessions, users},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper, dsl::auto_type,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    ports::{AuditSealer, Ended, Opened, PortError, RevokeSessions, Rotated, Sessions, SessionsRevoked},
    session::{EndReason, NewSession, Rotation, SessionId, SessionSummary, StoredSession},
    user::{Epoch, UserId},
};
use std::sync::Arc;
use uuid::Uuid;

mod ending;
mod revoke_sessions;
mod rotation;
mod rows;

pub use ending::{end, end_all, end_live};
pub use revoke_sessions::revoke_sessions;
pub use rotation::rotate;
pub use rows::LifetimeRow;
use rows::{NewSessionRow, StoredSessionRow, SummaryRow};

/// Sessions in Postgres.
pub struct PostgresSessions {
    database: PostgresDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl PostgresSessions {
    #[must_use]
    pub fn new(database: PostgresDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }

    fn journal(&self, context: AuditContext) -> Journal {
        Journal::new(context, &self.sealer)
    }
}

#[async_trait]
impl Sessions for PostgresSessions {
    async fn open(
        &self,
        session: NewSession,
        epoch: Epoch,
        max: u32,
        context: AuditContext,
    ) -> Result<Opened, PortError> {
        self.database
            .write(
                (session, epoch, max, self.journal(context)),
                |conn, (session, epoch, max, journal)| Box::pin(open(conn, session, *epoch, *max, journal)),
            )
            .await
    }

    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, PortError> {
        self.database.read(id, |conn, id| Box::pin(find(conn, *id))).await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError> {
        self.database
            .write_at_once(rotation, |conn, rotation| Box::pin(rotate(conn, rotation)))
            .await
    }

    async fn end(
        &self,
        id: SessionId,
        user: UserId,
        reason: EndReason,
        context: AuditContext,
    ) -> Result<Ended, PortError> {
        self.database
            .write(
                (id, user, reason, self.journal(context)),
                |conn, (id, user, reason, journal)| Box::pin(end(conn, *id, *user, *reason, journal)),
            )
            .await
    }

    async fn end_all(
        &self,
        user: UserId,
        reason: EndReason,
        context: AuditContext,
    ) -> Result<u64, PortError> {
        self.database
            .write(
                (user, reason, self.journal(context)),
                |conn, (user, reason, journal)| Box::pin(end_all(conn, *user, *reason, journal)),
            )
            .await
    }

    async fn revoke_sessions(
        &self,
        force: RevokeSessions,
        context: AuditContext,
    ) -> Result<SessionsRevoked, PortError> {
        self.database
            .write((force, self.journal(context)), |conn, (force, journal)| {
                Box::pin(revoke_sessions(conn, force, journal))
            })
            .await
    }

    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionSummary>, PortError> {
        self.database
            .read((user, now), |conn, (user, now)| Box::pin(list(conn, *user, *now)))
            .await
    }

    async fn remove_dead(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, PortError> {
        self.database
            .write((before, limit), |conn, (before, limit)| {
                Box::pin(remove_dead(conn, *before, *limit))
            })
            .await
    }
}

/// Whether a session is live at `at`, for all that its own row tells.
#[auto_type]
fn live_at(at: DateTime<Utc>) -> _ {
    sessions::revoked_at
        .is_null()
        .and(sessions::idle_expires_at.gt(at))
        .and(sessions::expires_at.gt(at))
}

/// The first statement locks the user's row, so that the epoch stays and logins of one user queue here. One statement for
/// all of it would not do: it would count the sessions as they were before it waited.
pub async fn open(
    conn: &mut AsyncPgConnection,
    session: &NewSession,
    epoch: Epoch,
    max: u32,
    journal: &Journal,
) -> Result<Opened, StorageError> {
    let unchanged = users::table
        .find(session.user.0)
        .filter(users::status.eq("active"))
        .filter(users::token_epoch.eq(epoch.0));
    let logged_in = Prepared(diesel::update(unchanged).set(users::last_login_at.eq(journal.context.at)))
        .execute(conn)
        .await?;
    if logged_in == 0 {
        return Ok(Opened::Stale);
    }
    insert(conn, session).await?;
    let opened = make_room(conn, session.user, max, journal.context.at).await?;
    let event = AuditEvent::on(AuditAction::LoggedIn, session.user).in_session(session.id);
    journal.write(conn, event).await?;
    Ok(opened)
}

/// Stores `session` as it is.
pub async fn insert(conn: &mut AsyncPgConnection, session: &NewSession) -> Result<(), StorageError> {
    diesel::insert_into(sessions::table)
        .values(NewSessionRow::from(session))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends the oldest live sessions of `user`, whose row is locked, until `max` are left; whether there were any to end.
pub async fn make_room(
    conn: &mut AsyncPgConnection,
    user: UserId,
    max: u32,
    at: DateTime<Utc>,
) -> Result<Opened, StorageError> {
    let surplus: Vec<Uuid> = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(live_at(at))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .offset(max.into())
        .select(sessions::id)
        .load(conn)
        .await?;
    if surplus.is_empty() {
        return Ok(Opened::Now);
    }
    // Once more whether they are live: one may have ended since, and keeps its reason.
    let oldest = sessions::table
        .filter(sessions::id.eq_any(surplus))
        .filter(live_at(at));
    Prepared(diesel::update(oldest).set((
        sessions::revoked_at.eq(at),
        sessions::revoke_reason.eq(EndReason::MadeRoom.as_str()),
    )))
    .execute(conn)
    .await?;
    Ok(Opened::MadeRoom)
}

/// One statement, so that session and holder are of one instant; diesel keeps it prepared.
pub async fn find(
    conn: &mut AsyncPgConnection,
    id: SessionId,
) -> Result<Option<StoredSession>, StorageError> {
    let row: Option<StoredSessionRow> = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(id.0))
        .select(StoredSessionRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(StoredSession::try_from).transpose()
}

pub async fn list(
    conn: &mut AsyncPgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionSummary>, StorageError> {
    let rows: Vec<SummaryRow> = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(live_at(now))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .select(SummaryRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(SessionSummary::try_from).collect()
}

/// Chosen and locked first, and then removed: replicas that clean up at once share the work and do not wait for each
/// other, and a limit within a DELETE may be applied more than once.
pub async fn remove_dead(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<u64, StorageError> {
    let longest_dead: Vec<Uuid> = sessions::table
        .filter(sessions::dead_at.lt(before))
        .order(sessions::dead_at)
        .limit(limit.into())
        .select(sessions::id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?;
    let removed = diesel::delete(sessions::table.filter(sessions::id.eq_any(longest_dead)))
        .execute(conn)
        .await?;
    Ok(removed as u64)
}
