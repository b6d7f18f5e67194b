//! The leases of replicas. The time is `clock_timestamp()`, because `now()` does not advance while
//! a transaction waits for a lock.

use crate::error::{ON_PRIMARY, StorageError};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, BigInt, Double, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use session_cache::{
    ports::Renewal,
    protocol::{LeaseId, ReplicaId, Terms},
};
use uuid::Uuid;

/// Removes expired leases and stores a new one. Runs two statements.
pub async fn acquire(conn: &mut AsyncPgConnection, lease: LeaseId) -> Result<(), StorageError> {
    // Leases that another transaction is about to remove are skipped.
    let dead = "SELECT replica, number FROM replica_leases WHERE runs_out_at <= clock_timestamp()
        FOR UPDATE SKIP LOCKED";
    sql_query(format!(
        "DELETE FROM replica_leases WHERE (replica, number) IN ({dead})"
    ))
    .execute(conn)
    .await?;
    let insert = "INSERT INTO replica_leases (replica, number, runs_out_at)
        VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))";
    sql_query(insert)
        .bind::<SqlUuid, _>(lease.replica.0)
        .bind::<BigInt, _>(i64::from(lease.number))
        .bind::<Double, _>(term())
        .execute(conn)
        .await?;
    Ok(())
}

/// Extends `lease`, if it has neither expired nor been evicted.
pub async fn renew(conn: &mut AsyncPgConnection, lease: LeaseId) -> Result<Renewal, StorageError> {
    let update = "UPDATE replica_leases SET runs_out_at = clock_timestamp() + make_interval(secs => $3)
        WHERE replica = $1 AND number = $2 AND NOT evicted AND clock_timestamp() < runs_out_at";
    let renewed = sql_query(update)
        .bind::<SqlUuid, _>(lease.replica.0)
        .bind::<BigInt, _>(i64::from(lease.number))
        .bind::<Double, _>(term())
        .execute(conn)
        .await?;
    Ok(if renewed == 1 {
        Renewal::Granted
    } else {
        Renewal::Refused
    })
}

/// Evicts `leases`: none of them can be renewed any more.
pub async fn evict(conn: &mut AsyncPgConnection, leases: &[LeaseId]) -> Result<(), StorageError> {
    let replicas: Vec<Uuid> = leases.iter().map(|lease| lease.replica.0).collect();
    let numbers: Vec<i64> = leases.iter().map(|lease| i64::from(lease.number)).collect();
    let update = "UPDATE replica_leases SET evicted = true
        WHERE (replica, number) IN (SELECT * FROM unnest($1, $2))";
    sql_query(update)
        .bind::<Array<SqlUuid>, _>(replicas)
        .bind::<Array<BigInt>, _>(numbers)
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes `lease`.
pub async fn release(conn: &mut AsyncPgConnection, lease: LeaseId) -> Result<(), StorageError> {
    sql_query("DELETE FROM replica_leases WHERE replica = $1 AND number = $2")
        .bind::<SqlUuid, _>(lease.replica.0)
        .bind::<BigInt, _>(i64::from(lease.number))
        .execute(conn)
        .await?;
    Ok(())
}

/// Returns the leases that have not expired, including evicted ones. Fails on a standby, which may
/// lack leases.
pub async fn holders(conn: &mut AsyncPgConnection) -> Result<Vec<LeaseId>, StorageError> {
    // The second part returns no row. Part of the first, its condition would be evaluated for each
    // lease, and not at all without leases.
    let select = format!(
        "SELECT replica, number FROM replica_leases WHERE clock_timestamp() < runs_out_at
        UNION ALL SELECT NULL, NULL WHERE NOT {ON_PRIMARY}"
    );
    let rows: Vec<LeaseRow> = sql_query(select).load(conn).await?;
    rows.into_iter().map(LeaseId::try_from).collect()
}

/// Returns how long a lease lasts, in seconds.
fn term() -> f64 {
    Terms::STANDARD.lease.waited().as_secs_f64()
}

#[derive(QueryableByName)]
struct LeaseRow {
    #[diesel(sql_type = SqlUuid)]
    replica: Uuid,
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl TryFrom<LeaseRow> for LeaseId {
    type Error = StorageError;

    fn try_from(row: LeaseRow) -> Result<Self, Self::Error> {
        let number = u32::try_from(row.number).map_err(|error| StorageError::row("replica_leases", error))?;
        Ok(Self {
            replica: ReplicaId(row.replica),
            number,
        })
    }
}
