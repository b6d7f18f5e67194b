//! Sessions as rows.

use super::{
    permissions::{parse_roles, roles_of_user},
    user_rows::parse_status,
};
use crate::{
    error::StorageError,
    schema::{sessions, users},
};
use chrono::{DateTime, Duration, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Queryable, QueryableByName, Selectable, declare_sql_function,
    dsl::auto_type, pg::Pg,
};
use domain::{
    changes::OwnedSession,
    session::{
        Burst, EndReason, Generation, Holder, LastRotation, Lifetime, OriginFingerprint, SecretDigest,
        SessionId, SessionSummary, StoredSession,
    },
    user::{Epoch, UserId},
};
use std::error::Error as StdError;
use uuid::Uuid;

#[declare_sql_function]
extern "SQL" {
    /// Returns the time that the server's clock shows now, not at the start of the statement.
    fn clock_timestamp() -> Timestamptz;
    /// Returns the time that the server's clock showed at the start of the statement.
    fn statement_timestamp() -> Timestamptz;
}

/// Whether a session is live at `at`, regardless of its user.
#[auto_type]
pub fn live_at(at: DateTime<Utc>) -> _ {
    sessions::revoked_at
        .is_null()
        .and(sessions::idle_expires_at.gt(at))
        .and(sessions::expires_at.gt(at))
}

/// What ends a session at `at`.
#[auto_type]
pub fn ended(reason: EndReason, at: DateTime<Utc>) -> _ {
    let reason: &'static str = reason.as_str();
    (sessions::revoked_at.eq(at), sessions::revoke_reason.eq(reason))
}

fn corrupt(source: impl Into<Box<dyn StdError + Send + Sync>>) -> StorageError {
    StorageError::row("sessions", source)
}

fn parse_digest(bytes: Vec<u8>) -> Result<SecretDigest, StorageError> {
    let bytes = bytes.try_into();
    bytes
        .map(SecretDigest)
        .map_err(|_| corrupt("a digest has 32 bytes"))
}

fn parse_generation(number: i64) -> Result<Generation, StorageError> {
    number.try_into().map(Generation).map_err(corrupt)
}

/// The lifetime of a session.
#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct LifetimeRow {
    created_at: DateTime<Utc>,
    idle_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoke_reason: Option<String>,
}

impl TryFrom<LifetimeRow> for Lifetime {
    type Error = StorageError;

    fn try_from(row: LifetimeRow) -> Result<Self, Self::Error> {
        let parse = |name: String| {
            EndReason::from_name(&name).ok_or_else(|| corrupt(format!("unknown end reason `{name}`")))
        };
        Ok(Self {
            created_at: row.created_at,
            idle_expires_at: row.idle_expires_at,
            expires_at: row.expires_at,
            ended: row.revoke_reason.map(parse).transpose()?,
        })
    }
}

/// The owner and the lifetime of a session. These are the row's own columns, which a statement that
/// locks the row may return.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct OwnedSessionRow {
    user_id: Uuid,
    #[diesel(embed)]
    lifetime: LifetimeRow,
    generation: i64,
    replayed_generation: Option<i64>,
}

impl TryFrom<OwnedSessionRow> for OwnedSession {
    type Error = StorageError;

    fn try_from(row: OwnedSessionRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: UserId(row.user_id),
            lifetime: row.lifetime.try_into()?,
            generation: parse_generation(row.generation)?,
            replay_recorded: row.replayed_generation == Some(row.generation),
        })
    }
}

/// A session's own row.
#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct SessionRow {
    id: Uuid,
    secret_digest: Vec<u8>,
    generation: i64,
    #[diesel(embed)]
    lifetime: LifetimeRow,
    rotated_by: Option<Vec<u8>>,
    replayed_generation: Option<i64>,
    /// `None` means when the session was opened.
    authenticated_at: Option<DateTime<Utc>>,
    #[diesel(embed)]
    burst: BurstRow,
}

impl SessionRow {
    /// Returns the session, held by `holder`, at the server's time `now`. Its last rotation is
    /// `age` ago.
    pub fn held_by(
        self,
        holder: Holder,
        age: Duration,
        now: DateTime<Utc>,
    ) -> Result<StoredSession, StorageError> {
        let generation = parse_generation(self.generation)?;
        let stored = self.rotated_by;
        let opened_at = self.lifetime.created_at;
        Ok(StoredSession {
            id: SessionId(self.id),
            secret_digest: parse_digest(self.secret_digest)?,
            generation,
            lifetime: self.lifetime.try_into()?,
            last_rotation: LastRotation {
                age,
                origin: stored.and_then(|bytes| OriginFingerprint::from_stored(&bytes, generation)),
                replay_recorded: self.replayed_generation == Some(self.generation),
            },
            burst: self.burst.read_at(now)?,
            authenticated_at: self.authenticated_at.unwrap_or(opened_at),
            holder,
        })
    }
}

/// The burst of a session's last rotation; its columns are both NULL if there is none.
#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct BurstRow {
    burst_from: Option<i64>,
    burst_since: Option<DateTime<Utc>>,
}

impl BurstRow {
    fn read_at(self, now: DateTime<Utc>) -> Result<Option<Burst>, StorageError> {
        let stored = self.burst_from.zip(self.burst_since);
        let read = |(from, since)| {
            let age = now - since;
            parse_generation(from).map(|from| Burst { from, age })
        };
        stored.map(read).transpose()
    }
}

/// The holder of a session, with the names of their roles.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub struct HolderRow {
    id: Uuid,
    status: String,
    token_epoch: i64,
    must_change_password: bool,
    #[diesel(select_expression = roles_of_user())]
    roles: Option<Vec<String>>,
}

impl TryFrom<HolderRow> for Holder {
    type Error = StorageError;

    fn try_from(row: HolderRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: UserId(row.id),
            status: parse_status(&row.status)?,
            epoch: Epoch(row.token_epoch),
            roles: parse_roles(row.roles)?,
            must_change_password: row.must_change_password,
        })
    }
}

/// A session with its holder, and the server's time.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct StoredSessionRow {
    #[diesel(embed)]
    session: SessionRow,
    last_used_at: DateTime<Utc>,
    #[diesel(select_expression = clock_timestamp())]
    now: DateTime<Utc>,
    #[diesel(embed)]
    holder: HolderRow,
}

impl TryFrom<StoredSessionRow> for StoredSession {
    type Error = StorageError;

    fn try_from(row: StoredSessionRow) -> Result<Self, Self::Error> {
        let age = row.now - row.last_used_at;
        row.session.held_by(row.holder.try_into()?, age, row.now)
    }
}

/// A session as its holder sees it in a list.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct SummaryRow {
    id: Uuid,
    created_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    user_agent: Option<String>,
    ip: Option<String>,
}

impl TryFrom<SummaryRow> for SessionSummary {
    type Error = StorageError;

    fn try_from(row: SummaryRow) -> Result<Self, Self::Error> {
        Ok(Self {
            id: SessionId(row.id),
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
            user_agent: row.user_agent,
            address: row.ip.map(|text| text.parse()).transpose().map_err(corrupt)?,
        })
    }
}
