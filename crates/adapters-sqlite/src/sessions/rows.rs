//! Sessions as rows.

use crate::{
    audit::parse_address,
    columns::{Id, Micros},
    error::StorageError,
    roles::{parse_roles, roles_of_user},
    schema::{sessions, users},
    users::parse_status,
};
use diesel::{Insertable, Queryable, Selectable, sqlite::Sqlite};
use domain::{
    session::{
        EndReason, Generation, Holder, Lifetime, NewSession, SecretDigest, SessionId, SessionSummary,
        StoredSession,
    },
    user::{Epoch, UserId},
};
use std::error::Error as StdError;

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
#[diesel(table_name = sessions)]
pub struct NewSessionRow<'a> {
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
pub struct StoredSessionRow {
    id: Id,
    secret_digest: Vec<u8>,
    generation: i64,
    #[diesel(embed)]
    lifetime: LifetimeRow,
    last_used_at: Micros,
    #[diesel(embed)]
    holder: HolderRow,
}

impl TryFrom<StoredSessionRow> for StoredSession {
    type Error = StorageError;

    fn try_from(row: StoredSessionRow) -> Result<Self, Self::Error> {
        Ok(Self {
            id: SessionId(row.id.0),
            secret_digest: parse_digest(row.secret_digest)?,
            generation: Generation(row.generation.try_into().map_err(corrupt)?),
            lifetime: row.lifetime.try_into()?,
            last_used_at: row.last_used_at.0,
            holder: row.holder.try_into()?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Sqlite))]
pub struct HolderRow {
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

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Sqlite))]
pub struct SummaryRow {
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
        Ok(Self {
            id: SessionId(row.id.0),
            created_at: row.created_at.0,
            last_used_at: row.last_used_at.0,
            expires_at: row.expires_at.0,
            user_agent: row.user_agent,
            address: parse_address(row.ip.as_deref()).map_err(corrupt)?,
        })
    }
}
