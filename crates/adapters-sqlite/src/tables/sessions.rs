//! Opens, lists, ends and removes sessions.

use super::{
    rows::{parse_all, parse_optional},
    users::AccountRow,
};
use crate::{
    columns::{Id, Micros},
    error::StorageError,
    schema::{sessions, users},
};
use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl, Queryable,
    RunQueryDsl, Selectable, SelectableHelper, SqliteConnection,
    dsl::{auto_type, max},
    sqlite::Sqlite,
};
use domain::{
    changes::{AccountState, LiveSession, OwnedSession},
    session::{EndReason, Generation, Lifetime, NewSession, SessionId, SessionSummary},
    user::UserId,
};
use std::error::Error as StdError;

/// `dead_on` is `dead_at` divided by this, rounded towards zero.
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Whether a session is live at `at`, regardless of its user.
#[auto_type]
pub fn live_at(at: Micros) -> _ {
    sessions::revoked_at
        .is_null()
        .and(sessions::idle_expires_at.gt(at))
        .and(sessions::expires_at.gt(at))
}

#[auto_type]
fn live_sessions(user: UserId, at: DateTime<Utc>) -> _ {
    let (user, live): (Id, live_at) = (Id(user.0), live_at(Micros(at)));
    sessions::table.filter(sessions::user_id.eq(user)).filter(live)
}

#[auto_type]
fn ended(reason: EndReason, at: Micros) -> _ {
    let reason: &'static str = reason.as_str();
    (sessions::revoked_at.eq(at), sessions::revoke_reason.eq(reason))
}

/// Returns the session `id` with its owner.
pub fn find(conn: &mut SqliteConnection, id: SessionId) -> Result<Option<OwnedSession>, StorageError> {
    let session = sessions::table
        .find(Id(id.0))
        .select(OwnedSessionRow::as_select());
    parse_optional(session.first(conn))
}

/// Returns the state of `user`, and their sessions that are live at `at`.
pub fn account_with_live(
    conn: &mut SqliteConnection,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<(Option<AccountState>, Vec<LiveSession>), StorageError> {
    let live = sessions::user_id.eq(users::id).and(live_at(Micros(at)));
    let rows = users::table
        .left_join(sessions::table.on(live))
        .filter(users::id.eq(Id(user.0)))
        .select((
            AccountRow::as_select(),
            (sessions::number, sessions::created_at, sessions::id).nullable(),
        ))
        .load::<(AccountRow, Option<(i64, Micros, Id)>)>(conn)?;
    let (mut account, mut live) = (None, Vec::new());
    for (row, session) in rows {
        account = Some(row.try_into()?);
        live.extend(session.map(|(number, created_at, id)| LiveSession {
            number,
            created_at: created_at.0,
            id: SessionId(id.0),
        }));
    }
    Ok((account, live))
}

/// Counts the sessions of `user` that are live at `at`.
pub fn count_live(conn: &mut SqliteConnection, user: UserId, at: DateTime<Utc>) -> Result<u64, StorageError> {
    let live: i64 = live_sessions(user, at).count().get_result(conn)?;
    Ok(live.unsigned_abs())
}

/// Stores `session` with a number above those of all sessions of its user.
pub fn insert(conn: &mut SqliteConnection, session: &NewSession) -> Result<(), StorageError> {
    let newest: Option<i64> = sessions::table
        .filter(sessions::user_id.eq(Id(session.user.0)))
        .select(max(sessions::number))
        .first(conn)?;
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(Id(session.id.0)),
            sessions::user_id.eq(Id(session.user.0)),
            sessions::number.eq(newest.unwrap_or_default() + 1),
            sessions::generation.eq(i64::from(Generation::FIRST.0)),
            sessions::secret_digest.eq(&session.secret_digest.0[..]),
            sessions::created_at.eq(Micros(session.created_at)),
            sessions::last_used_at.eq(Micros(session.created_at)),
            sessions::authenticated_at.eq(Micros(session.created_at)),
            sessions::idle_expires_at.eq(Micros(session.idle_expires_at)),
            sessions::expires_at.eq(Micros(session.expires_at)),
            sessions::user_agent.eq(session.user_agent.as_deref()),
            sessions::ip.eq(session.address.map(|address| address.to_string())),
            sessions::network.eq(session.network().map(|network| network.to_string())),
        ))
        .execute(conn)?;
    Ok(())
}

/// Stores that the password of the session's user was checked at `at`.
pub fn reauthenticate(
    conn: &mut SqliteConnection,
    id: SessionId,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    let checked = sessions::authenticated_at.eq(Micros(at));
    diesel::update(sessions::table.find(Id(id.0)))
        .set(checked)
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
    let update = diesel::update(live_sessions(user, at)).set(ended(reason, Micros(at)));
    Ok(update.execute(conn)? as u64)
}

/// Ends the session `id`, and returns the number of ended sessions: 0 if it does not exist, else 1.
pub fn end(
    conn: &mut SqliteConnection,
    id: SessionId,
    reason: EndReason,
    at: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let update = diesel::update(sessions::table.find(Id(id.0))).set(ended(reason, Micros(at)));
    Ok(update.execute(conn)? as u64)
}

/// Marks a replay of the rotation to `generation` as recorded.
pub fn record_replay(
    conn: &mut SqliteConnection,
    session: SessionId,
    generation: Generation,
) -> Result<(), StorageError> {
    diesel::update(sessions::table.find(Id(session.0)))
        .set(sessions::replayed_generation.eq(i64::from(generation.0)))
        .execute(conn)?;
    Ok(())
}

/// Returns the sessions of `user` that are live at `now`, newest first.
pub fn list(
    conn: &mut SqliteConnection,
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
    parse_all(newest_first.load(conn))
}

/// Removes at most `limit` sessions that ended or expired before `before`, starting with the
/// earliest day.
pub fn remove_dead(
    conn: &mut SqliteConnection,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<u64, StorageError> {
    let dead = diesel::alias!(sessions as dead);
    // All sessions of this day are dead if `before` is the start of the next one.
    let last_day = (before.timestamp_micros() - 1) / MICROS_PER_DAY;
    let longest_dead = dead
        .filter(dead.field(sessions::dead_on).le(last_day))
        .filter(dead.field(sessions::dead_at).lt(Micros(before)))
        .order(dead.field(sessions::dead_on))
        .limit(limit.into())
        .select(dead.field(sessions::id));
    let removed = diesel::delete(sessions::table.filter(sessions::id.eq_any(longest_dead))).execute(conn)?;
    Ok(removed as u64)
}

/// The lifetime of a session.
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
    generation: i64,
    replayed_generation: Option<i64>,
}

impl TryFrom<OwnedSessionRow> for OwnedSession {
    type Error = StorageError;

    fn try_from(row: OwnedSessionRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: UserId(row.user_id.0),
            lifetime: row.lifetime.try_into()?,
            generation: parse_generation(row.generation)?,
            replay_recorded: row.replayed_generation == Some(row.generation),
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

/// Returns the generation stored as `number`.
pub fn parse_generation(number: i64) -> Result<Generation, StorageError> {
    number.try_into().map(Generation).map_err(corrupt)
}

/// Returns the error for a row of `sessions` that does not parse.
pub fn corrupt(source: impl Into<Box<dyn StdError + Send + Sync>>) -> StorageError {
    StorageError::row("sessions", source)
}
