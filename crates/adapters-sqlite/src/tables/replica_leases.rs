//! The leases of replicas.

use crate::{columns::Id, error::StorageError};
use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection, dsl, sql_query,
    sql_types::{BigInt, Binary, Bool},
};
use session_cache::{
    ports::Renewal,
    protocol::{LeaseId, ReplicaId, Terms},
};

/// The current time in milliseconds by SQLite's clock, which is that of the machine.
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Stores `lease`, and removes those that have expired. Fails if there is one with this id.
pub fn acquire(conn: &mut SqliteConnection, lease: LeaseId) -> Result<(), StorageError> {
    sql_query(format!("DELETE FROM replica_leases WHERE runs_out_at <= {NOW}")).execute(conn)?;
    let insert = "INSERT INTO replica_leases (replica, number, runs_out_at)";
    touch(conn, &format!("{insert} SELECT ?, ?, {NOW} + {}", term()), lease)?;
    Ok(())
}

/// Extends `lease`, if it has neither expired nor been evicted.
pub fn renew(conn: &mut SqliteConnection, lease: LeaseId) -> Result<Renewal, StorageError> {
    let live = format!("NOT evicted AND {NOW} < runs_out_at");
    let update = format!("UPDATE replica_leases SET runs_out_at = {NOW} + {}", term());
    let renewed = touch(
        conn,
        &format!("{update} WHERE replica = ? AND number = ? AND {live}"),
        lease,
    )?;
    Ok(if renewed == 1 {
        Renewal::Granted
    } else {
        Renewal::Refused
    })
}

/// Returns the leases that have not expired, including evicted ones.
pub fn holders(conn: &mut SqliteConnection) -> Result<Vec<LeaseId>, StorageError> {
    let select = "SELECT replica, number FROM replica_leases";
    let rows: Vec<LeaseRow> = sql_query(format!("{select} WHERE {NOW} < runs_out_at")).load(conn)?;
    rows.into_iter().map(LeaseId::try_from).collect()
}

/// Evicts `leases`: none of them can be renewed any more.
pub fn evict(conn: &mut SqliteConnection, leases: &[LeaseId]) -> Result<(), StorageError> {
    let update = "UPDATE replica_leases SET evicted = 1 WHERE replica = ? AND number = ?";
    leases
        .iter()
        .try_for_each(|lease| touch(conn, update, *lease).map(drop))
}

/// Removes `lease`.
pub fn release(conn: &mut SqliteConnection, lease: LeaseId) -> Result<(), StorageError> {
    let delete = "DELETE FROM replica_leases WHERE replica = ? AND number = ?";
    touch(conn, delete, lease).map(drop)
}

/// Removes all leases, and returns their number. The table may be missing, since a server does this
/// before it migrates the schema.
pub fn remove_all(conn: &mut SqliteConnection) -> Result<usize, StorageError> {
    let is_there = "EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'replica_leases')";
    if !dsl::select(dsl::sql::<Bool>(is_there)).get_result::<bool>(conn)? {
        return Ok(0);
    }
    // Without a condition, SQLite would write to the file even if there are no leases.
    Ok(sql_query("DELETE FROM replica_leases WHERE true").execute(conn)?)
}

/// Executes `sql` for one lease, and returns how many rows it changed.
fn touch(conn: &mut SqliteConnection, sql: &str, lease: LeaseId) -> Result<usize, StorageError> {
    let statement = sql_query(sql)
        .bind::<Binary, _>(Id(lease.replica.0))
        .bind::<BigInt, _>(i64::from(lease.number));
    Ok(statement.execute(conn)?)
}

/// The term of a lease, in milliseconds.
fn term() -> u128 {
    Terms::STANDARD.lease.waited().as_millis()
}

#[derive(QueryableByName)]
struct LeaseRow {
    #[diesel(sql_type = Binary)]
    replica: Id,
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl TryFrom<LeaseRow> for LeaseId {
    type Error = StorageError;

    fn try_from(row: LeaseRow) -> Result<Self, Self::Error> {
        let number = u32::try_from(row.number).map_err(|error| StorageError::row("replica_leases", error))?;
        Ok(Self {
            replica: ReplicaId(row.replica.0),
            number,
        })
    }
}
