//! Finds, locks, stores, ends and removes sessions.

use super::{
    rows::{parse_all, parse_optional},
    session_rows::{OwnedSessionRow, StoredSessionRow, SummaryRow, ended, live_at},
};
use crate::{
    error::StorageError,
    prepared::Prepared,
    schema::{sessions, users},
};
use chrono::{DateTime, Duration, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, SelectableHelper, declare_sql_function,
    dsl::{auto_type, count_star},
    sql_types::{Nullable, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    changes::{LiveSession, OwnedSession},
    session::{EndReason, Generation, SessionId, SessionSummary, StoredSession},
    user::UserId,
};
use uuid::Uuid;

/// Returns a session with its holder, both read at the same instant. The server's clock measures
/// the age of its last rotation.
pub async fn find(
    conn: &mut AsyncPgConnection,
    id: SessionId,
) -> Result<Option<StoredSession>, StorageError> {
    let session = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(id.0))
        .select(StoredSessionRow::as_select());
    parse_optional(session.first(conn).await)
}

/// The sessions of `user` that are live at `at`.
#[auto_type]
pub fn live_sessions(user: UserId, at: DateTime<Utc>) -> _ {
    let (user, live): (Uuid, live_at) = (user.0, live_at(at));
    sessions::table.filter(sessions::user_id.eq(user)).filter(live)
}

/// Returns the sessions of `user` that are live at `now`, newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionSummary>, StorageError> {
    let newest_first = live_sessions(user, now)
        .order((
            sessions::number.desc(),
            sessions::created_at.desc(),
            sessions::id.desc(),
        ))
        .select(SummaryRow::as_select());
    parse_all(newest_first.load(conn).await)
}

/// Returns the sessions of `user` that are live at `at`.
pub async fn live_of(
    conn: &mut AsyncPgConnection,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<Vec<LiveSession>, StorageError> {
    let live = live_sessions(user, at).select((sessions::number, sessions::created_at, sessions::id));
    let rows: Vec<(i64, DateTime<Utc>, Uuid)> = live.load(conn).await?;
    let session = |(number, created_at, id)| LiveSession {
        number,
        created_at,
        id: SessionId(id),
    };
    Ok(rows.into_iter().map(session).collect())
}

/// Returns how many sessions of `user` are live at `at`.
pub async fn count_live_of(
    conn: &mut AsyncPgConnection,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let count: i64 = live_sessions(user, at).select(count_star()).first(conn).await?;
    Ok(count.unsigned_abs())
}

/// Locks a session's row for update, and returns its content after the lock was acquired.
pub async fn lock(conn: &mut AsyncPgConnection, id: SessionId) -> Result<Option<OwnedSession>, StorageError> {
    let session = sessions::table.find(id.0).select(OwnedSessionRow::as_select());
    parse_optional(session.for_update().first(conn).await)
}

/// Keeps a session from ending until the transaction ends; returns whether it exists.
pub async fn lock_shared(conn: &mut AsyncPgConnection, id: SessionId) -> Result<bool, StorageError> {
    let session = sessions::table.find(id.0).select(sessions::id);
    let found: Vec<Uuid> = session.for_share().load(conn).await?;
    Ok(!found.is_empty())
}

/// Stores that the password of the session's user was checked at `at`. The transaction has locked
/// the user and the session.
pub async fn reauthenticate(
    conn: &mut AsyncPgConnection,
    id: SessionId,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    let checked = sessions::authenticated_at.eq(at);
    diesel::update(sessions::table.find(id.0))
        .set(checked)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends the live sessions of `user`, whose row is locked; returns how many there were.
pub async fn end_all_of(
    conn: &mut AsyncPgConnection,
    user: UserId,
    reason: EndReason,
    at: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let update = diesel::update(live_sessions(user, at)).set(ended(reason, at));
    Ok(Prepared(update).execute(conn).await? as u64)
}

/// Ends those of `ids` that are still live; returns how many. A session that has ended meanwhile
/// keeps its reason.
pub async fn end(
    conn: &mut AsyncPgConnection,
    ids: &[SessionId],
    reason: EndReason,
    at: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let live = sessions::table
        .filter(sessions::id.eq_any(ids))
        .filter(live_at(at));
    let update = diesel::update(live).set(ended(reason, at));
    Ok(Prepared(update).execute(conn).await? as u64)
}

/// Marks a replay of the rotation to `generation` as recorded. The transaction has locked the
/// session's row.
pub async fn record_replay(
    conn: &mut AsyncPgConnection,
    session: SessionId,
    generation: Generation,
) -> Result<(), StorageError> {
    let update = diesel::update(sessions::table.find(session.0))
        .set(sessions::replayed_generation.eq(i64::from(generation.0)));
    Prepared(update).execute(conn).await?;
    Ok(())
}

#[declare_sql_function]
extern "SQL" {
    /// Returns the earliest; ignores NULL.
    fn least(one: Timestamptz, other: Timestamptz, third: Nullable<Timestamptz>) -> Timestamptz;
}

/// Removes at most `limit` sessions that ended or expired before `before`, starting with the
/// earliest day; returns how many. Runs two statements.
///
/// The sessions are chosen and locked first, and then removed: replicas that clean up at once share
/// the work and do not wait for each other, and a limit within a DELETE may be applied more than
/// once.
pub async fn remove_dead(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<u64, StorageError> {
    let dead_at = least(
        sessions::idle_expires_at,
        sessions::expires_at,
        sessions::revoked_at,
    );
    // All sessions of this day are dead if `before` is the start of the next one.
    let last_day = (before - Duration::microseconds(1)).date_naive();
    let longest_dead: Vec<Uuid> = sessions::table
        .filter(sessions::dead_on.le(last_day))
        .filter(dead_at.lt(before))
        .order(sessions::dead_on)
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
