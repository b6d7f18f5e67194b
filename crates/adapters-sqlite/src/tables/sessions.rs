//! Sessions: opened, listed, ended and removed.

use super::users::AccountRow;
use crate::{
    columns::{Id, Micros},
    error::StorageError,
    schema::{sessions, users},
};
use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, JoinOnDsl, NullableExpressionMethods,
    OptionalExtension, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper, SqliteConnection,
    dsl::auto_type, sqlite::Sqlite,
};
use domain::{
    changes::{AccountState, OwnedSession},
    session::{EndReason, Generation, Lifetime, NewSession, SessionId, SessionSummary},
    user::UserId,
};
use std::error::Error as StdError;

/// A session with the time at which it was created.
pub type CreatedSession = (SessionId, DateTime<Utc>);

/// Whether a session is live at `at`, regardless of its user.
#[auto_type]
pub fn live_at(at: Micros) -> _ {
    sessions::revoked_at
        .is_null()
        .and(sessions::idle_expires_at.gt(at))
        .and(sessions::expires_at.gt(at))
}

/// Returns the session `id` with its owner.
pub fn find(conn: &mut SqliteConnection, id: SessionId) -> Result<Option<OwnedSession>, StorageError> {
    sessions::table
        .find(Id(id.0))
        .select(OwnedSessionRow::as_select())
        .first(conn)
        .optional()?
        .map(OwnedSession::try_from)
        .transpose()
}

/// Returns the state of `user`, and their sessions that are live at `at`.
pub fn account_with_live(
    conn: &mut SqliteConnection,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<(Option<AccountState>, Vec<CreatedSession>), StorageError> {
    let live = sessions::user_id.eq(users::id).and(live_at(Micros(at)));
    let rows = users::table
        .left_join(sessions::table.on(live))
        .filter(users::id.eq(Id(user.0)))
        .select((
            AccountRow::as_select(),
            (sessions::id, sessions::created_at).nullable(),
        ))
        .load::<(AccountRow, Option<(Id, Micros)>)>(conn)?;
    let (mut account, mut live) = (None, Vec::new());
    for (row, session) in rows {
        account = Some(row.try_into()?);
        live.extend(session.map(|(id, created_at)| (SessionId(id.0), created_at.0)));
    }
    Ok((account, live))
}

/// Counts the sessions of `user` that are live at `at`.
pub fn count_live(conn: &mut SqliteConnection, user: UserId, at: DateTime<Utc>) -> Result<u64, StorageError> {
    let live: i64 = sessions::table
        .filter(sessions::user_id.eq(Id(user.0)))
        .filter(live_at(Micros(at)))
        .count()
        .get_result(conn)?;
    Ok(live.unsigned_abs())
}

/// Stores `session`.
pub fn insert(conn: &mut SqliteConnection, session: &NewSession) -> Result<(), StorageError> {
    diesel::insert_into(sessions::table)
        .values(NewSessionRow::from(session))
        .execute(conn)?;
    Ok(())
}

/// Ends the live sessions of `user`, and returns how many there were.
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

/// Ends the session `id`, and returns how many sessions that ended.
pub fn end(
    conn: &mut SqliteConnection,
    id: SessionId,
    reason: EndReason,
    at: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let ended = diesel::update(sessions::table.find(Id(id.0)))
        .set((
            sessions::revoked_at.eq(Micros(at)),
            sessions::revoke_reason.eq(reason.as_str()),
        ))
        .execute(conn)?;
    Ok(ended as u64)
}

/// Returns the sessions of `user` that are live at `now`, newest first.
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

/// Removes at most `limit` sessions that ended or expired before `before`, the longest dead first.
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

#[derive(Insertable)]
#[diesel(table_name = sessions)]
struct NewSessionRow<'a> {
    id: Id,
    user_id: Id,
    generation: i64,
    secret_digest: &'a [u8],
    created_at: Micros,
    last_used_at: Micros,
    idle_expires_at: Micros,
    expires_at: Micros,
    user_agent: Option<&'a str>,
    ip: Option<String>,
}

impl<'a> From<&'a NewSession> for NewSessionRow<'a> {
    fn from(session: &'a NewSession) -> Self {
        Self {
            id: Id(session.id.0),
            user_id: Id(session.user.0),
            generation: Generation::FIRST.0.into(),
            secret_digest: &session.secret_digest.0,
            created_at: Micros(session.created_at),
            last_used_at: Micros(session.created_at),
            idle_expires_at: Micros(session.idle_expires_at),
            expires_at: Micros(session.expires_at),
            user_agent: session.user_agent.as_deref(),
            ip: session.address.map(|address| address.to_string()),
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Sqlite))]
pub struct LifetimeRow {
    created_at: Micros,
    idle_expires_at: Micros,
    expires_at: Micros,
    revoke_reason: Option<String>,
}

impl TryFrom<LifetimeRow> for Lifetime {
    type Error = StorageError;

    fn try_from(row: LifetimeRow) -> Result<Self, Self::Error> {
        let parse = |name: String| {
            EndReason::from_name(&name).ok_or_else(|| corrupt(format!("no session ends because of `{name}`")))
        };
        Ok(Self {
            created_at: row.created_at.0,
            idle_expires_at: row.idle_expires_at.0,
            expires_at: row.expires_at.0,
            ended: row.revoke_reason.map(parse).transpose()?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Sqlite))]
struct OwnedSessionRow {
    user_id: Id,
    #[diesel(embed)]
    lifetime: LifetimeRow,
}

impl TryFrom<OwnedSessionRow> for OwnedSession {
    type Error = StorageError;

    fn try_from(row: OwnedSessionRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: UserId(row.user_id.0),
            lifetime: row.lifetime.try_into()?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Sqlite))]
struct SummaryRow {
    id: Id,
    created_at: Micros,
    last_used_at: Micros,
    expires_at: Micros,
    user_agent: Option<String>,
    ip: Option<String>,
}

impl TryFrom<SummaryRow> for SessionSummary {
    type Error = StorageError;

    fn try_from(row: SummaryRow) -> Result<Self, Self::Error> {
        let address = row.ip.as_deref().map(str::parse);
        Ok(Self {
            id: SessionId(row.id.0),
            created_at: row.created_at.0,
            last_used_at: row.last_used_at.0,
            expires_at: row.expires_at.0,
            user_agent: row.user_agent,
            address: address.transpose().map_err(corrupt)?,
        })
    }
}

/// A row of `sessions` that does not parse.
pub fn corrupt(source: impl Into<Box<dyn StdError + Send + Sync>>) -> StorageError {
    StorageError::row("sessions", source)
}
