//! Sessions as rows.

use crate::{
    audit::parse_address,
    error::StorageError,
    roles::{parse_roles, roles_of_user},
    schema::{sessions, users},
    users::parse_status,
};
use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable, pg::Pg};
use domain::{
    session::{
        EndReason, Generation, Holder, Lifetime, NewSession, SecretDigest, SessionId, SessionSummary,
        StoredSession,
    },
    user::{Epoch, UserId},
};
use std::error::Error as StdError;
use uuid::Uuid;

fn corrupt(source: impl Into<Box<dyn StdError + Send + Sync>>) -> StorageError {
    StorageError::row("sessions", source)
}

fn parse_digest(bytes: Vec<u8>) -> Result<SecretDigest, StorageError> {
    let bytes = bytes.try_into();
    bytes
        .map(SecretDigest)
        .map_err(|_| corrupt("the digest of a secret has 32 bytes"))
}

#[derive(Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub struct NewSessionRow<'a> {
    id: Uuid,
    user_id: Uuid,
    generation: i64,
    secret_digest: &'a [u8],
    created_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    idle_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    user_agent: Option<String>,
    ip: Option<String>,
}

impl<'a> From<&'a NewSession> for NewSessionRow<'a> {
    fn from(session: &'a NewSession) -> Self {
        Self {
            id: session.id.0,
            user_id: session.user.0,
            generation: Generation::FIRST.0.into(),
            secret_digest: &session.secret_digest.0,
            created_at: session.created_at,
            last_used_at: session.created_at,
            idle_expires_at: session.idle_expires_at,
            expires_at: session.expires_at,
            user_agent: session.user_agent.clone(),
            ip: session.address.map(|address| address.to_string()),
        }
    }
}

#[derive(Queryable, Selectable)]
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
            EndReason::from_name(&name).ok_or_else(|| corrupt(format!("no session ends because of `{name}`")))
        };
        Ok(Self {
            created_at: row.created_at,
            idle_expires_at: row.idle_expires_at,
            expires_at: row.expires_at,
            ended: row.revoke_reason.map(parse).transpose()?,
        })
    }
}

/// What a session's own row tells.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct SessionRow {
    id: Uuid,
    secret_digest: Vec<u8>,
    generation: i64,
    #[diesel(embed)]
    lifetime: LifetimeRow,
    last_used_at: DateTime<Utc>,
}

impl SessionRow {
    pub fn held_by(self, holder: Holder) -> Result<StoredSession, StorageError> {
        Ok(StoredSession {
            id: SessionId(self.id),
            secret_digest: parse_digest(self.secret_digest)?,
            generation: Generation(self.generation.try_into().map_err(corrupt)?),
            lifetime: self.lifetime.try_into()?,
            last_used_at: self.last_used_at,
            holder,
        })
    }
}

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

/// A session with its holder.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct StoredSessionRow {
    #[diesel(embed)]
    session: SessionRow,
    #[diesel(embed)]
    holder: HolderRow,
}

impl TryFrom<StoredSessionRow> for StoredSession {
    type Error = StorageError;

    fn try_from(row: StoredSessionRow) -> Result<Self, Self::Error> {
        row.session.held_by(row.holder.try_into()?)
    }
}

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
            address: parse_address(row.ip.as_deref()).map_err(corrupt)?,
        })
    }
}
