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
    audit::{AuditAction, Stamp},
    ports::{Ended, Opened, PortError, Rotated, Sessions},
    session::{EndReason, NewSession, Rotation, SessionId, SessionSummary, StoredSession},
    user::{Epoch, UserId},
};

mod rows;

pub use rows::LifetimeRow;
use rows::{NewSessionRow, StoredSessionRow, SummaryRow};

/// Sessions in SQLite.
pub struct SqliteSessions {
    database: SqliteDatabase,
}

impl SqliteSessions {
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Sessions for SqliteSessions {
    async fn open(
        &self,
        session: NewSession,
        epoch: Epoch,
        max: u32,
        stamp: Stamp,
    ) -> Result<Opened, PortError> {
        self.database
            .write(move |conn| open(conn, &session, epoch, max, &stamp))
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
        stamp: Stamp,
    ) -> Result<Ended, PortError> {
        self.database
            .write(move |conn| end(conn, id, user, reason, &stamp))
            .await
    }

    async fn end_all(&self, user: UserId, reason: EndReason, stamp: Stamp) -> Result<u64, PortError> {
        self.database
            .write(move |conn| end_all(conn, user, reason, &stamp))
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
    session: &NewSession,
    epoch: Epoch,
    max: u32,
    stamp: &Stamp,
) -> Result<Opened, StorageError> {
    let unchanged = users::table
        .find(Id(session.user.0))
        .filter(users::status.eq("active"))
        .filter(users::token_epoch.eq(epoch.0));
    let logged_in = diesel::update(unchanged)
        .set(users::last_login_at.eq(Micros(stamp.at)))
        .execute(conn)?;
    if logged_in == 0 {
        return Ok(Opened::Stale);
    }
    insert(conn, session)?;
    make_room(conn, session.user, max, stamp.at)?;
    audit::write(conn, stamp, AuditAction::LoggedIn, session.user, Some(session.id))?;
    Ok(Opened::Now)
}

/// Stores `session` as it is.
pub fn insert(conn: &mut SqliteConnection, session: &NewSession) -> Result<(), StorageError> {
    diesel::insert_into(sessions::table)
        .values(NewSessionRow::from(session))
        .execute(conn)?;
    Ok(())
}

/// Ends the oldest live sessions of `user` until `max` are left.
pub fn make_room(
    conn: &mut SqliteConnection,
    user: UserId,
    max: u32,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    let surplus: Vec<Id> = sessions::table
        .filter(sessions::user_id.eq(Id(user.0)))
        .filter(live_at(Micros(at)))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .offset(max.into())
        .select(sessions::id)
        .load(conn)?;
    for id in surplus {
        diesel::update(sessions::table.find(id))
            .set((
                sessions::revoked_at.eq(Micros(at)),
                sessions::revoke_reason.eq(EndReason::MadeRoom.as_str()),
            ))
            .execute(conn)?;
    }
    Ok(())
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

/// The update alone decides; the read after it only tells what it left.
pub fn rotate(conn: &mut SqliteConnection, rotation: &Rotation) -> Result<Rotated, StorageError> {
    let holder_is_active = exists(
        users::table
            .filter(users::id.eq(sessions::user_id))
            .filter(users::status.eq("active")),
    );
    let current = sessions::table
        .find(Id(rotation.session.0))
        .filter(sessions::generation.eq(i64::from(rotation.from.0)))
        .filter(live_at(Micros(rotation.at)))
        .filter(holder_is_active);
    let rotated = diesel::update(current)
        .set((
            sessions::generation.eq(i64::from(rotation.to.0)),
            sessions::last_used_at.eq(Micros(rotation.at)),
            sessions::idle_expires_at.eq(Micros(rotation.idle_expires_at)),
        ))
        .execute(conn)?;
    if rotated == 0 {
        return Ok(Rotated::Lost);
    }
    Ok(find(conn, rotation.session)?.map_or(Rotated::Lost, Rotated::Now))
}

fn end(
    conn: &mut SqliteConnection,
    id: SessionId,
    user: UserId,
    reason: EndReason,
    stamp: &Stamp,
) -> Result<Ended, StorageError> {
    let live = sessions::table
        .find(Id(id.0))
        .filter(sessions::user_id.eq(Id(user.0)))
        .filter(live_at(Micros(stamp.at)));
    let ended = diesel::update(live)
        .set((
            sessions::revoked_at.eq(Micros(stamp.at)),
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
        | EndReason::UserDisabled
        | EndReason::MadeRoom => AuditAction::SessionEnded,
    };
    audit::write(conn, stamp, action, user, Some(id))?;
    Ok(Ended::Now)
}

fn end_all(
    conn: &mut SqliteConnection,
    user: UserId,
    reason: EndReason,
    stamp: &Stamp,
) -> Result<u64, StorageError> {
    if !select(exists(users::table.find(Id(user.0)))).get_result::<bool>(conn)? {
        return Ok(0);
    }
    let ended = end_live(conn, user, reason, stamp.at)?;
    audit::write(conn, stamp, AuditAction::AllSessionsEnded, user, None)?;
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
