//! Machines with their roles and secrets.

use super::permissions::{parse_permissions, parse_roles};
use crate::{
    columns::{Id, Micros},
    error::StorageError,
};
use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Binary, Nullable, Text},
};
use domain::{
    caller::SessionSnapshot,
    machine::{Audience, Machine, MachineId, MachineName, MachineSecret},
    revision::Revision,
    role::{Permissions, RoleName},
    session::{SecretDigest, SessionId},
    user::{Epoch, UserStatus},
};
use std::error::Error as StdError;

/// Returns a row for each secret of a machine, and one for a machine without secrets.
const SELECT: &str = "
    SELECT machines.id, name, audience, status, token_epoch, revision, machines.created_at, updated_at,
        (SELECT group_concat(role) FROM machine_roles WHERE machine_id = machines.id) AS roles,
        (SELECT group_concat(permission) FROM machine_roles
            JOIN role_permissions ON role_permissions.role = machine_roles.role
            WHERE machine_id = machines.id) AS permissions,
        machine_secrets.id AS secret_id, digest, machine_secrets.created_at AS secret_created_at,
        expires_at, last_used_at
    FROM machines LEFT JOIN machine_secrets ON machine_secrets.machine_id = machines.id";
/// The oldest secret of a machine is first.
const ORDER: &str = "ORDER BY name, machine_secrets.created_at, machine_secrets.id";

/// Returns the machine `id`.
pub fn find(conn: &mut SqliteConnection, id: MachineId) -> Result<Option<Machine>, StorageError> {
    let select = sql_query(format!("{SELECT} WHERE machines.id = ? {ORDER}"));
    let rows = select.bind::<Binary, _>(Id(id.0)).load(conn)?;
    Ok(machines(rows)?.pop().map(|(machine, _)| machine))
}

/// Returns all machines, in the order of their names.
pub fn list(conn: &mut SqliteConnection) -> Result<Vec<Machine>, StorageError> {
    let rows = sql_query(format!("{SELECT} {ORDER}")).load(conn)?;
    let found = machines(rows)?;
    Ok(found.into_iter().map(|(machine, _)| machine).collect())
}

/// Returns the snapshot of the session that the secret `id` is.
pub fn snapshot(conn: &mut SqliteConnection, id: SessionId) -> Result<Option<SessionSnapshot>, StorageError> {
    let holder = "WHERE machines.id = (SELECT machine_id FROM machine_secrets WHERE id = ?)";
    let select = sql_query(format!("{SELECT} {holder} {ORDER}"));
    let rows = select.bind::<Binary, _>(Id(id.0)).load(conn)?;
    let found = machines(rows)?.pop();
    Ok(found.and_then(|(machine, permissions)| {
        Some(SessionSnapshot {
            session: id,
            lifetime: machine.lifetime(id)?,
            principal: machine.into(),
            permissions,
        })
    }))
}

/// Counts the machines.
pub fn count(conn: &mut SqliteConnection) -> Result<u64, StorageError> {
    let counted: Counted = sql_query("SELECT count(*) AS number FROM machines").get_result(conn)?;
    Ok(counted.number.unsigned_abs())
}

/// Counts the machines that have the role `name`.
pub fn holders(conn: &mut SqliteConnection, name: &RoleName) -> Result<u64, StorageError> {
    let select = sql_query("SELECT count(*) AS number FROM machine_roles WHERE role = ?");
    let counted: Counted = select.bind::<Text, _>(name.as_str()).get_result(conn)?;
    Ok(counted.number.unsigned_abs())
}

/// Returns whether a machine has this name.
pub fn has_name(conn: &mut SqliteConnection, name: &MachineName) -> Result<bool, StorageError> {
    let select = sql_query("SELECT count(*) AS number FROM machines WHERE name = ?");
    let counted: Counted = select.bind::<Text, _>(name.as_str()).get_result(conn)?;
    Ok(counted.number > 0)
}

/// Stores a machine with its roles and secrets, in place of the one with the same id. Secrets that
/// are already stored are not changed.
pub fn store(conn: &mut SqliteConnection, machine: &Machine) -> Result<(), StorageError> {
    let insert = "
        INSERT INTO machines (id, name, audience, status, token_epoch, revision, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, token_epoch = excluded.token_epoch,
            revision = excluded.revision, updated_at = excluded.updated_at";
    sql_query(insert)
        .bind::<Binary, _>(Id(machine.id.0))
        .bind::<Text, _>(machine.name.as_str())
        .bind::<Nullable<Text>, _>(machine.audience.as_ref().map(Audience::as_str))
        .bind::<Text, _>(machine.status.as_str())
        .bind::<BigInt, _>(machine.epoch.0)
        .bind::<BigInt, _>(machine.revision.0)
        .bind::<BigInt, _>(Micros(machine.created_at))
        .bind::<BigInt, _>(Micros(machine.updated_at))
        .execute(conn)?;
    replace_roles(conn, machine)?;
    replace_secrets(conn, machine)
}

fn replace_roles(conn: &mut SqliteConnection, machine: &Machine) -> Result<(), StorageError> {
    sql_query("DELETE FROM machine_roles WHERE machine_id = ?")
        .bind::<Binary, _>(Id(machine.id.0))
        .execute(conn)?;
    for role in &machine.roles {
        sql_query("INSERT INTO machine_roles (machine_id, role) VALUES (?, ?)")
            .bind::<Binary, _>(Id(machine.id.0))
            .bind::<Text, _>(role.as_str())
            .execute(conn)?;
    }
    Ok(())
}

fn replace_secrets(conn: &mut SqliteConnection, machine: &Machine) -> Result<(), StorageError> {
    let stored = find(conn, machine.id)?.map_or_else(Vec::new, |stored| stored.secrets);
    for lost in stored.iter().filter(|secret| machine.secret(secret.id).is_none()) {
        sql_query("DELETE FROM machine_secrets WHERE id = ?")
            .bind::<Binary, _>(Id(lost.id.0))
            .execute(conn)?;
    }
    for secret in &machine.secrets {
        let insert = "
            INSERT INTO machine_secrets (id, machine_id, digest, created_at, expires_at) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (id) DO NOTHING";
        sql_query(insert)
            .bind::<Binary, _>(Id(secret.id.0))
            .bind::<Binary, _>(Id(machine.id.0))
            .bind::<Binary, _>(secret.digest.0.as_slice())
            .bind::<BigInt, _>(Micros(secret.created_at))
            .bind::<Nullable<BigInt>, _>(secret.expires_at.map(Micros))
            .execute(conn)?;
    }
    Ok(())
}

/// Removes the machine `id` with its roles and secrets.
pub fn remove(conn: &mut SqliteConnection, id: MachineId) -> Result<(), StorageError> {
    sql_query("DELETE FROM machines WHERE id = ?")
        .bind::<Binary, _>(Id(id.0))
        .execute(conn)?;
    Ok(())
}

/// Stores that the secret `id` was used at `at`, unless a later time is stored.
pub fn record_use(conn: &mut SqliteConnection, id: SessionId, at: DateTime<Utc>) -> Result<(), StorageError> {
    let update = "
        UPDATE machine_secrets SET last_used_at = ?2
            WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)";
    sql_query(update)
        .bind::<Binary, _>(Id(id.0))
        .bind::<BigInt, _>(Micros(at))
        .execute(conn)?;
    Ok(())
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct MachineRow {
    #[diesel(sql_type = Binary)]
    id: Id,
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
    #[diesel(sql_type = BigInt)]
    created_at: Micros,
    #[diesel(sql_type = BigInt)]
    updated_at: Micros,
    #[diesel(sql_type = Nullable<Text>)]
    roles: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    permissions: Option<String>,
    #[diesel(embed)]
    secret: SecretRow,
}

/// The columns of a secret, or `NULL` for a machine without secrets.
#[derive(QueryableByName)]
struct SecretRow {
    #[diesel(sql_type = Nullable<Binary>)]
    secret_id: Option<Id>,
    #[diesel(sql_type = Nullable<Binary>)]
    digest: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<BigInt>)]
    secret_created_at: Option<Micros>,
    #[diesel(sql_type = Nullable<BigInt>)]
    expires_at: Option<Micros>,
    #[diesel(sql_type = Nullable<BigInt>)]
    last_used_at: Option<Micros>,
}

/// Returns the machines of `rows`, whose rows follow each other, with their permissions.
fn machines(rows: Vec<MachineRow>) -> Result<Vec<(Machine, Permissions)>, StorageError> {
    let mut found: Vec<(Machine, Permissions)> = Vec::new();
    for mut row in rows {
        let secret = row.secret.take()?;
        match found.last_mut() {
            Some((machine, _)) if machine.id.0 == row.id.0 => machine.secrets.extend(secret),
            _ => {
                let permissions = parse_permissions(row.permissions.take().as_deref())?;
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
            id: MachineId(row.id.0),
            name: MachineName::parse(&row.name).map_err(corrupt)?,
            audience: audience.map_err(corrupt)?,
            roles: parse_roles(row.roles.as_deref())?,
            status: UserStatus::from_name(&row.status).ok_or_else(|| corrupt("the status is unknown"))?,
            epoch: Epoch(row.token_epoch),
            revision: Revision(row.revision),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
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
            id: SessionId(id.0),
            digest: SecretDigest(digest),
            created_at: created_at.0,
            expires_at: self.expires_at.map(|at| at.0),
            last_used_at: self.last_used_at.map(|at| at.0),
        }))
    }
}

fn corrupt(source: impl Into<Box<dyn StdError + Send + Sync>>) -> StorageError {
    StorageError::row("machines", source)
}
