//! Machines with their roles and secrets.

use super::{
    permissions::{parse_permissions, parse_roles, role_texts},
    user_rows::parse_status,
};
use crate::{
    error::{ON_PRIMARY, StorageError},
    prepared::Prepared,
};
use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    caller::SessionSnapshot,
    machine::{Audience, Machine, MachineId, MachineName, MachineSecret},
    revision::Revision,
    role::{Permissions, RoleName},
    session::{SecretDigest, SessionId},
    user::Epoch,
};
use std::error::Error as StdError;
use uuid::Uuid;

/// Returns a row for each secret of a machine, and one for a machine without secrets, all as of the
/// same instant.
const SELECT: &str = "
    SELECT machines.id, name, audience, status, token_epoch, revision, machines.created_at, updated_at,
        ARRAY(SELECT role FROM machine_roles WHERE machine_id = machines.id) AS roles,
        ARRAY(SELECT permission FROM machine_roles JOIN role_permissions USING (role)
            WHERE machine_id = machines.id) AS permissions,
        machine_secrets.id AS secret_id, digest, machine_secrets.created_at AS secret_created_at,
        expires_at, last_used_at
    FROM machines LEFT JOIN machine_secrets ON machine_secrets.machine_id = machines.id";
/// The oldest secret of a machine is first.
const ORDER: &str = "ORDER BY name, machine_secrets.created_at, machine_secrets.id";

/// Returns the machine `id`.
pub async fn find(conn: &mut AsyncPgConnection, id: MachineId) -> Result<Option<Machine>, StorageError> {
    let select = sql_query(format!("{SELECT} WHERE machines.id = $1 {ORDER}"));
    let select = Prepared(select.bind::<SqlUuid, _>(id.0));
    Ok(machines(select.load(conn).await?)?
        .pop()
        .map(|(machine, _)| machine))
}

/// Returns all machines, in the order of their names.
pub async fn list(conn: &mut AsyncPgConnection) -> Result<Vec<Machine>, StorageError> {
    let rows = sql_query(format!("{SELECT} {ORDER}")).load(conn).await?;
    Ok(machines(rows)?.into_iter().map(|(machine, _)| machine).collect())
}

/// Returns the snapshots of the sessions that the secrets `ids` are, as of the same instant. Fails
/// on a standby.
pub async fn snapshots(
    conn: &mut AsyncPgConnection,
    ids: &[SessionId],
) -> Result<Vec<SessionSnapshot>, StorageError> {
    let holders = "machines.id IN (SELECT machine_id FROM machine_secrets WHERE id = ANY($1))";
    let select = sql_query(format!("{SELECT} WHERE {ON_PRIMARY} AND {holders} {ORDER}"));
    let asked: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let select = Prepared(select.bind::<Array<SqlUuid>, _>(asked));
    let found = machines(select.load(conn).await?)?;
    let snapshot = |id: &SessionId| {
        found.iter().find_map(|(machine, permissions)| {
            Some(SessionSnapshot {
                session: *id,
                lifetime: machine.lifetime(*id)?,
                principal: machine.clone().into(),
                permissions: permissions.clone(),
            })
        })
    };
    Ok(ids.iter().filter_map(snapshot).collect())
}

/// Locks the rows of those of `ids` that exist, in the order of their ids. The machines, their
/// roles and their secrets do not change until the transaction ends.
pub async fn lock(conn: &mut AsyncPgConnection, ids: &[MachineId]) -> Result<(), StorageError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let select = sql_query("SELECT id FROM machines WHERE id = ANY($1) ORDER BY id FOR UPDATE");
    Prepared(select.bind::<Array<SqlUuid>, _>(ids))
        .execute(conn)
        .await?;
    Ok(())
}

/// Counts the machines.
pub async fn count(conn: &mut AsyncPgConnection) -> Result<u64, StorageError> {
    let select = sql_query("SELECT count(*) AS number FROM machines");
    let counted: Counted = select.get_result(conn).await?;
    Ok(counted.number.unsigned_abs())
}

/// Counts the machines that have the role `name`.
pub async fn count_holders(conn: &mut AsyncPgConnection, name: &RoleName) -> Result<u64, StorageError> {
    let select = sql_query("SELECT count(*) AS number FROM machine_roles WHERE role = $1");
    let counted: Counted = select.bind::<Text, _>(name.as_str()).get_result(conn).await?;
    Ok(counted.number.unsigned_abs())
}

/// Returns whether a machine has this name.
pub async fn is_name_taken(conn: &mut AsyncPgConnection, name: &MachineName) -> Result<bool, StorageError> {
    let select = sql_query("SELECT count(*) AS number FROM machines WHERE name = $1");
    let counted: Counted = select.bind::<Text, _>(name.as_str()).get_result(conn).await?;
    Ok(counted.number > 0)
}

/// Stores a machine with its roles and secrets, in place of the one with the same id. Secrets that
/// are already stored are not changed. Runs five statements.
pub async fn store(conn: &mut AsyncPgConnection, machine: &Machine) -> Result<(), StorageError> {
    let insert = "
        INSERT INTO machines (id, name, audience, status, token_epoch, revision, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, token_epoch = excluded.token_epoch,
            revision = excluded.revision, updated_at = excluded.updated_at";
    let insert = sql_query(insert)
        .bind::<SqlUuid, _>(machine.id.0)
        .bind::<Text, _>(machine.name.as_str())
        .bind::<Nullable<Text>, _>(machine.audience.as_ref().map(Audience::as_str))
        .bind::<Text, _>(machine.status.as_str())
        .bind::<BigInt, _>(machine.epoch.0)
        .bind::<BigInt, _>(machine.revision.0)
        .bind::<Timestamptz, _>(machine.created_at)
        .bind::<Timestamptz, _>(machine.updated_at);
    Prepared(insert).execute(conn).await?;
    replace_roles(conn, machine).await?;
    replace_secrets(conn, machine).await
}

async fn replace_roles(conn: &mut AsyncPgConnection, machine: &Machine) -> Result<(), StorageError> {
    let delete = sql_query("DELETE FROM machine_roles WHERE machine_id = $1 AND role <> ALL($2)")
        .bind::<SqlUuid, _>(machine.id.0)
        .bind::<Array<Text>, _>(role_texts(&machine.roles));
    Prepared(delete).execute(conn).await?;
    let grant = "
        INSERT INTO machine_roles (machine_id, role) SELECT $1, unnest($2) ON CONFLICT DO NOTHING";
    let grant = sql_query(grant)
        .bind::<SqlUuid, _>(machine.id.0)
        .bind::<Array<Text>, _>(role_texts(&machine.roles));
    Prepared(grant).execute(conn).await?;
    Ok(())
}

async fn replace_secrets(conn: &mut AsyncPgConnection, machine: &Machine) -> Result<(), StorageError> {
    let secrets = &machine.secrets;
    let ids: Vec<Uuid> = secrets.iter().map(|secret| secret.id.0).collect();
    let delete = sql_query("DELETE FROM machine_secrets WHERE machine_id = $1 AND id <> ALL($2)")
        .bind::<SqlUuid, _>(machine.id.0)
        .bind::<Array<SqlUuid>, _>(&ids);
    Prepared(delete).execute(conn).await?;
    let insert = "
        INSERT INTO machine_secrets (machine_id, id, digest, created_at, expires_at)
            SELECT $1, * FROM unnest($2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
    let digests: Vec<&[u8]> = secrets.iter().map(|secret| secret.digest.0.as_slice()).collect();
    let created: Vec<_> = secrets.iter().map(|secret| secret.created_at).collect();
    let expiring: Vec<_> = secrets.iter().map(|secret| secret.expires_at).collect();
    let insert = sql_query(insert)
        .bind::<SqlUuid, _>(machine.id.0)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Binary>, _>(digests)
        .bind::<Array<Timestamptz>, _>(created)
        .bind::<Array<Nullable<Timestamptz>>, _>(expiring);
    Prepared(insert).execute(conn).await?;
    Ok(())
}

/// Removes the machine `id` with its roles and secrets.
pub async fn remove(conn: &mut AsyncPgConnection, id: MachineId) -> Result<(), StorageError> {
    let delete = sql_query("DELETE FROM machines WHERE id = $1");
    delete.bind::<SqlUuid, _>(id.0).execute(conn).await?;
    Ok(())
}

/// Stores that the secret `id` was used at `at`, unless a later time is stored.
pub async fn record_use(
    conn: &mut AsyncPgConnection,
    id: SessionId,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    let update = "
        UPDATE machine_secrets SET last_used_at = $2
            WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
    let update = sql_query(update)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Timestamptz, _>(at);
    Prepared(update).execute(conn).await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct MachineRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    audience: Option<String>,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = BigInt)]
    token_epoch: i64,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
    #[diesel(sql_type = Array<Text>)]
    roles: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    permissions: Vec<String>,
    #[diesel(embed)]
    secret: SecretRow,
}

/// The columns of a secret, or `NULL` for a machine without secrets.
#[derive(QueryableByName)]
struct SecretRow {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    secret_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Binary>)]
    digest: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    secret_created_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    expires_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_used_at: Option<DateTime<Utc>>,
}

/// Returns the machines of `rows`, whose rows follow each other, with their permissions.
fn machines(rows: Vec<MachineRow>) -> Result<Vec<(Machine, Permissions)>, StorageError> {
    let mut found: Vec<(Machine, Permissions)> = Vec::new();
    for mut row in rows {
        let secret = row.secret.take()?;
        match found.last_mut() {
            Some((machine, _)) if machine.id.0 == row.id => machine.secrets.extend(secret),
            _ => {
                let permissions = parse_permissions(Some(std::mem::take(&mut row.permissions)))?;
                let machine = Machine {
                    secrets: secret.into_iter().collect(),
                    ..Machine::try_from(row)?
                };
                found.push((machine, permissions));
            }
        }
    }
    Ok(found)
}

impl TryFrom<MachineRow> for Machine {
    type Error = StorageError;

    fn try_from(row: MachineRow) -> Result<Self, Self::Error> {
        let audience = row.audience.as_deref().map(Audience::parse).transpose();
        Ok(Self {
            id: MachineId(row.id),
            name: MachineName::parse(&row.name).map_err(corrupt)?,
            audience: audience.map_err(corrupt)?,
            roles: parse_roles(Some(row.roles))?,
            status: parse_status(&row.status)?,
            epoch: Epoch(row.token_epoch),
            revision: Revision(row.revision),
            created_at: row.created_at,
            updated_at: row.updated_at,
            secrets: Vec::new(),
        })
    }
}

impl SecretRow {
    fn take(&mut self) -> Result<Option<MachineSecret>, StorageError> {
        let (Some(id), Some(digest), Some(created_at)) =
            (self.secret_id, self.digest.take(), self.secret_created_at)
        else {
            return Ok(None);
        };
        let digest = digest.try_into().map_err(|_| corrupt("a digest has 32 bytes"))?;
        Ok(Some(MachineSecret {
            id: SessionId(id),
            digest: SecretDigest(digest),
            created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
        }))
    }
}

fn corrupt(source: impl Into<Box<dyn StdError + Send + Sync>>) -> StorageError {
    StorageError::row("machines", source)
}
