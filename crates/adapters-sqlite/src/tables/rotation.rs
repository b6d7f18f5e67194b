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
    Queryable, RunQueryDsl, Selectable, SelectableHelper, SqliteConnection, declare_sql_function,
    dsl::{case_when, exists},
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
    /// Returns the greater of two numbers.
    #[sql_name = "max"]
    fn greatest(one: BigInt, other: BigInt) -> BigInt;
}

/// Rotates a session by one generation of its refresh token. The update is the compare-and-swap.
/// The read after it, in the same transaction, returns what the update stored.
pub fn rotate(conn: &mut SqliteConnection, rotation: &Rotation) -> Result<Rotated, StorageError> {
    let holder_is_active = exists(
        users::table
            .filter(users::id.eq(sessions::user_id))
            .filter(users::status.eq("active")),
    );
    let current = sessions::table
        .find(Id(rotation.session.0))
        .filter(sessions::generation.eq(i64::from(rotation.from.0)))
        .filter(sessions::secret_digest.eq(&rotation.secret_digest.0[..]))
        .filter(live_at(Micros(rotation.at)))
        .filter(holder_is_active);
    // A session opened under a clock that was ahead counts as opened now.
    let expires_at = || sessions::expires_at - greatest(sessions::created_at - Micros(rotation.at), 0);
    let authenticated_at = coalesce(sessions::authenticated_at, sessions::created_at);
    // The rotation belongs to the stored burst: `Burst::of_rotation`.
    let goes_on = || {
        let earliest = Micros(rotation.at - rotation.grace);
        let began_before = sessions::burst_since.le(Micros(rotation.at));
        began_before.and(sessions::burst_since.gt(earliest))
    };
    let (from, since) = (sessions::generation.nullable(), Micros(rotation.at));
    let rotated = diesel::update(current)
        .set((
            sessions::generation.eq(i64::from(rotation.to.0)),
            sessions::created_at.eq(least(sessions::created_at, Micros(rotation.at))),
            sessions::last_used_at.eq(Micros(rotation.at)),
            sessions::rotated_by.eq(&rotation.origin.stored_for(rotation.to)[..]),
            sessions::idle_expires_at.eq(least(expires_at(), Micros(rotation.idle_until))),
            sessions::expires_at.eq(expires_at()),
            sessions::authenticated_at.eq(least(authenticated_at, Micros(rotation.at)).nullable()),
            sessions::burst_from.eq(case_when(goes_on(), sessions::burst_from).otherwise(from)),
            sessions::burst_since.eq(case_when(goes_on(), sessions::burst_since).otherwise(since)),
        ))
        .execute(conn)?;
    if rotated == 0 {
        return Ok(Rotated::Lost);
    }
    Ok(find(conn, rotation.session, rotation.at)?.map_or(Rotated::Lost, Rotated::Done))
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
