//! Sessions: finding, locking, storing and removing them.

use super::{
    lifetimes::live_at,
    session_rows::{NewSessionRow, OwnedSessionRow, StoredSessionRow, SummaryRow},
};
use crate::{
    error::StorageError,
    prepared::Prepared,
    schema::{sessions, users},
};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper, sql_query,
    sql_types::{BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    changes::OwnedSession,
    session::{NewSession, SessionId, SessionSummary, StoredSession},
    user::UserId,
};
use uuid::Uuid;

/// Returns a session with its holder, both as of one instant.
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

/// Returns the sessions of `user` that are live at `now`, newest first.
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

/// Returns the sessions of `user` that are live at `at`, with their creation times.
pub async fn live_of(
    conn: &mut AsyncPgConnection,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<Vec<(SessionId, DateTime<Utc>)>, StorageError> {
    let rows: Vec<(Uuid, DateTime<Utc>)> = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(live_at(at))
        .select((sessions::id, sessions::created_at))
        .load(conn)
        .await?;
    let row = |(id, created_at)| (SessionId(id), created_at);
    Ok(rows.into_iter().map(row).collect())
}

/// Locks a session's row for update, and returns what it says then.
pub async fn lock(conn: &mut AsyncPgConnection, id: SessionId) -> Result<Option<OwnedSession>, StorageError> {
    let row: Option<OwnedSessionRow> = sessions::table
        .find(id.0)
        .select(OwnedSessionRow::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()?;
    row.map(OwnedSession::try_from).transpose()
}

/// Keeps a session from ending until the transaction ends; returns whether it exists.
pub async fn lock_shared(conn: &mut AsyncPgConnection, id: SessionId) -> Result<bool, StorageError> {
    let session = sessions::table.find(id.0).select(sessions::id);
    let found: Vec<Uuid> = session.for_share().load(conn).await?;
    Ok(!found.is_empty())
}

pub async fn insert(conn: &mut AsyncPgConnection, session: &NewSession) -> Result<(), StorageError> {
    diesel::insert_into(sessions::table)
        .values(NewSessionRow::from(session))
        .execute(conn)
        .await?;
    Ok(())
}

const INSERT_AT_LOGIN: &str = "
    WITH logged_in AS (UPDATE users SET last_login_at = $1 WHERE id = $2)
    INSERT INTO sessions (id, user_id, generation, secret_digest, created_at, last_used_at, idle_expires_at, expires_at,
        user_agent, ip)
    VALUES ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// Stores a session and sets the time of the last login of `user`, whose row is locked, to `at`.
pub async fn insert_at_login(
    conn: &mut AsyncPgConnection,
    session: &NewSession,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    let row = NewSessionRow::from(session);
    let statement = sql_query(INSERT_AT_LOGIN)
        .bind::<Timestamptz, _>(at)
        .bind::<SqlUuid, _>(user.0)
        .bind::<SqlUuid, _>(row.id)
        .bind::<SqlUuid, _>(row.user_id)
        .bind::<BigInt, _>(row.generation)
        .bind::<Binary, _>(row.secret_digest)
        .bind::<Timestamptz, _>(row.created_at)
        .bind::<Timestamptz, _>(row.last_used_at)
        .bind::<Timestamptz, _>(row.idle_expires_at)
        .bind::<Timestamptz, _>(row.expires_at)
        .bind::<Nullable<Text>, _>(row.user_agent)
        .bind::<Nullable<Text>, _>(row.ip);
    Prepared(statement).execute(conn).await?;
    Ok(())
}

/// Removes at most `limit` sessions that ended or expired before `before`; returns how many. Two statements.
///
/// The sessions are chosen and locked first, and then removed: replicas that clean up at once share the work and do not wait
/// for each other, and a limit within a DELETE may be applied more than once.
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
