//! Finds the sessions of refresh tokens with their holders, and rotates them.

use super::{
    permissions::{parse_roles, roles_of_user},
    sessions::{LifetimeRow, corrupt, live_at, parse_generation},
    users::parse_status,
};
use crate::{
    columns::{Id, Micros},
    error::StorageError,
    schema::{sessions, users},
};
use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl,
    QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper, SqliteConnection,
    declare_sql_function,
    dsl::{auto_type, case_when, exists},
    sql_types::{BigInt, Nullable},
    sqlite::Sqlite,
};
use domain::{
    ports::Rotated,
    session::{
        Burst, Holder, LastRotation, Lifetime, OriginFingerprint, Rotation, SecretDigest, SessionId,
        StoredSession,
    },
    user::{Epoch, UserId},
};

/// Returns the session with its holder as of `now`. Reads both in one statement, so that they are
/// consistent; diesel caches the prepared statement.
pub fn find(
    conn: &mut SqliteConnection,
    id: SessionId,
    now: DateTime<Utc>,
) -> Result<Option<StoredSession>, StorageError> {
    let session = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(Id(id.0)))
        .select(StoredSessionRow::as_select());
    let row: Option<StoredSessionRow> = session.first(conn).optional()?;
    row.map(|row| row.read_at(now)).transpose()
}

#[declare_sql_function]
extern "SQL" {
    /// Returns the earlier of two times. `min` of one argument would be an aggregate.
    #[sql_name = "min"]
    fn least(one: BigInt, other: BigInt) -> BigInt;
    /// Returns the first that is not NULL.
    fn coalesce(one: Nullable<BigInt>, other: BigInt) -> BigInt;
}

/// Rotates a session by one generation of its refresh token. The update is the compare-and-swap.
/// The read after it, in the same transaction, returns what the update stored.
///
/// SQLite rewrites an index if an UPDATE sets one of its columns, even to the same value. Only a
/// session opened under a clock that was ahead needs another creation time, so a separate statement
/// stores it.
pub fn rotate(conn: &mut SqliteConnection, rotation: &Rotation) -> Result<Rotated, StorageError> {
    let is_rotated = advance(conn, rotation)? > 0
        || (open_at_rotation(conn, rotation)? > 0 && advance(conn, rotation)? > 0);
    if !is_rotated {
        return Ok(Rotated::Lost);
    }
    Ok(find(conn, rotation.session, rotation.at)?.map_or(Rotated::Lost, Rotated::Done))
}

/// The session of `rotation`, if it may be rotated.
#[auto_type]
fn rotatable<'a>(rotation: &'a Rotation) -> _ {
    let (id, at): (Id, Micros) = (Id(rotation.session.0), Micros(rotation.at));
    let (generation, digest): (i64, &'a [u8]) = (rotation.from.0.into(), &rotation.secret_digest.0);
    let (live, active): (live_at, &'static str) = (live_at(at), "active");
    let holder_is_active = exists(
        users::table
            .filter(users::id.eq(sessions::user_id))
            .filter(users::status.eq(active)),
    );
    sessions::table
        .find(id)
        .filter(sessions::generation.eq(generation))
        .filter(sessions::secret_digest.eq(digest))
        .filter(live)
        .filter(holder_is_active)
}

/// Rotates a session that was not opened after the rotation; returns the number of sessions.
fn advance(conn: &mut SqliteConnection, rotation: &Rotation) -> QueryResult<usize> {
    let at = Micros(rotation.at);
    let authenticated_at = coalesce(sessions::authenticated_at, sessions::created_at);
    // The rotation belongs to the stored burst: `Burst::of_rotation`.
    let goes_on = || {
        let earliest = Micros(rotation.at - rotation.grace);
        let began_before = sessions::burst_since.le(at);
        began_before.and(sessions::burst_since.gt(earliest))
    };
    let from = sessions::generation.nullable();
    diesel::update(rotatable(rotation).filter(sessions::created_at.le(at)))
        .set((
            sessions::generation.eq(i64::from(rotation.to.0)),
            sessions::last_used_at.eq(at),
            sessions::rotated_by.eq(&rotation.origin.stored_for(rotation.to)[..]),
            sessions::idle_expires_at.eq(least(sessions::expires_at, Micros(rotation.idle_until))),
            sessions::authenticated_at.eq(least(authenticated_at, at).nullable()),
            sessions::burst_from.eq(case_when(goes_on(), sessions::burst_from).otherwise(from)),
            sessions::burst_since.eq(case_when(goes_on(), sessions::burst_since).otherwise(at)),
        ))
        .execute(conn)
}

/// Stores a session that was opened after the rotation, under a clock that was ahead, as opened at
/// the rotation, with the same maximum lifetime; returns the number of sessions.
fn open_at_rotation(conn: &mut SqliteConnection, rotation: &Rotation) -> QueryResult<usize> {
    let at = Micros(rotation.at);
    diesel::update(rotatable(rotation).filter(sessions::created_at.gt(at)))
        .set((
            sessions::created_at.eq(at),
            sessions::expires_at.eq(sessions::expires_at - sessions::created_at + at),
        ))
        .execute(conn)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Sqlite))]
struct StoredSessionRow {
    id: Id,
    secret_digest: Vec<u8>,
    generation: i64,
    #[diesel(embed)]
    lifetime: LifetimeRow,
    last_used_at: Micros,
    rotated_by: Option<Vec<u8>>,
    replayed_generation: Option<i64>,
    /// `None` means when the session was opened.
    authenticated_at: Option<Micros>,
    #[diesel(embed)]
    burst: BurstRow,
    #[diesel(embed)]
    holder: HolderRow,
}

impl StoredSessionRow {
    fn read_at(self, now: DateTime<Utc>) -> Result<StoredSession, StorageError> {
        let generation = parse_generation(self.generation)?;
        let stored = self.rotated_by;
        let lifetime: Lifetime = self.lifetime.try_into()?;
        let authenticated_at = self.authenticated_at.map(|checked| checked.0);
        Ok(StoredSession {
            id: SessionId(self.id.0),
            secret_digest: parse_digest(self.secret_digest)?,
            generation,
            authenticated_at: authenticated_at.unwrap_or(lifetime.created_at),
            lifetime,
            last_rotation: LastRotation {
                age: now - self.last_used_at.0,
                origin: stored.and_then(|bytes| OriginFingerprint::from_stored(&bytes, generation)),
                replay_recorded: self.replayed_generation == Some(self.generation),
            },
            burst: self.burst.read_at(now)?,
            holder: self.holder.try_into()?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Sqlite))]
struct BurstRow {
    burst_from: Option<i64>,
    burst_since: Option<Micros>,
}

impl BurstRow {
    fn read_at(self, now: DateTime<Utc>) -> Result<Option<Burst>, StorageError> {
        let stored = self.burst_from.zip(self.burst_since);
        let read = |(from, since): (i64, Micros)| {
            let age = now - since.0;
            parse_generation(from).map(|from| Burst { from, age })
        };
        stored.map(read).transpose()
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Sqlite))]
struct HolderRow {
    id: Id,
    status: String,
    token_epoch: i64,
    must_change_password: bool,
    #[diesel(select_expression = roles_of_user())]
    roles: Option<String>,
}

impl TryFrom<HolderRow> for Holder {
    type Error = StorageError;

    fn try_from(row: HolderRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: UserId(row.id.0),
            status: parse_status(&row.status)?,
            epoch: Epoch(row.token_epoch),
            must_change_password: row.must_change_password,
            roles: parse_roles(row.roles.as_deref())?,
        })
    }
}

fn parse_digest(bytes: Vec<u8>) -> Result<SecretDigest, StorageError> {
    let bytes = bytes.try_into();
    bytes
        .map(SecretDigest)
        .map_err(|_| corrupt("a digest has 32 bytes"))
}
