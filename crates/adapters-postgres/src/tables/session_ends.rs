//! Ending sessions, and counting those that would end.

use super::lifetimes::live_at;
use crate::{error::StorageError, prepared::Prepared, schema::sessions};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl, dsl::count_star};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    session::{EndReason, SessionId},
    user::UserId,
};
use uuid::Uuid;

/// Ends the live sessions of `user`, whose row is locked; returns how many there were.
pub async fn end_all_of(
    conn: &mut AsyncPgConnection,
    user: UserId,
    reason: EndReason,
    at: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let live = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(live_at(at));
    let ended = Prepared(diesel::update(live).set((
        sessions::revoked_at.eq(at),
        sessions::revoke_reason.eq(reason.as_str()),
    )))
    .execute(conn)
    .await?;
    Ok(ended as u64)
}

/// Ends those of `ids` that are still live; returns how many. A session that has ended meanwhile keeps its reason.
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
    let ended = Prepared(diesel::update(live).set((
        sessions::revoked_at.eq(at),
        sessions::revoke_reason.eq(reason.as_str()),
    )))
    .execute(conn)
    .await?;
    Ok(ended as u64)
}

/// Returns how many sessions of `user` are live.
pub async fn count_live_of(
    conn: &mut AsyncPgConnection,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let live = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(live_at(at));
    let count: i64 = live.select(count_star()).first(conn).await?;
    Ok(count.unsigned_abs())
}
