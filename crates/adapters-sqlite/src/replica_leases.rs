use crate::{SqliteDatabase, columns::Id, error::StorageError};
use async_trait::async_trait;
use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Binary},
};
use domain::ports::PortError;
use session_cache::{
    ports::{Renewal, ReplicaLeases},
    protocol::{LeaseId, ReplicaId, Terms},
};

/// SQLite's clock, in milliseconds since the Unix epoch: the clock of the machine that the file is on.
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Stores replicas' leases in a SQLite file, where the command line finds the lease of a running server.
pub struct SqliteReplicaLeases {
    database: SqliteDatabase,
}

impl SqliteReplicaLeases {
    /// Uses `database`, whose schema must be up to date.
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ReplicaLeases for SqliteReplicaLeases {
    async fn acquire(&self, lease: LeaseId) -> Result<(), PortError> {
        self.database.write(move |conn| acquire(conn, lease)).await
    }

    async fn renew(&self, lease: LeaseId) -> Result<Renewal, PortError> {
        self.database.write(move |conn| renew(conn, lease)).await
    }

    async fn evict(&self, leases: &[LeaseId]) -> Result<(), PortError> {
        let leases = leases.to_vec();
        let evict_all = move |conn: &mut SqliteConnection| {
            let evict = "UPDATE replica_leases SET evicted = 1 WHERE replica = ? AND number = ?";
            leases
                .into_iter()
                .try_for_each(|lease| execute_for(conn, evict, lease).map(|_| ()))
        };
        self.database.write(evict_all).await
    }

    async fn release(&self, lease: LeaseId) -> Result<(), PortError> {
        let delete = "DELETE FROM replica_leases WHERE replica = ? AND number = ?";
        self.database
            .write(move |conn| execute_for(conn, delete, lease).map(|_| ()))
            .await
    }

    async fn holders(&self) -> Result<Vec<LeaseId>, PortError> {
        self.database.read(holders).await
    }
}

fn acquire(conn: &mut SqliteConnection, lease: LeaseId) -> Result<(), StorageError> {
    sql_query(format!("DELETE FROM replica_leases WHERE runs_out_at <= {NOW}")).execute(conn)?;
    let insert = "INSERT INTO replica_leases (replica, number, runs_out_at)";
    execute_for(conn, &format!("{insert} SELECT ?, ?, {NOW} + {}", term()), lease)?;
    Ok(())
}

fn renew(conn: &mut SqliteConnection, lease: LeaseId) -> Result<Renewal, StorageError> {
    let live = format!("NOT evicted AND {NOW} < runs_out_at");
    let update = format!("UPDATE replica_leases SET runs_out_at = {NOW} + {}", term());
    let renewed = execute_for(
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

fn holders(conn: &mut SqliteConnection) -> Result<Vec<LeaseId>, StorageError> {
    let select = "SELECT replica, number FROM replica_leases";
    let rows: Vec<LeaseRow> = sql_query(format!("{select} WHERE {NOW} < runs_out_at")).load(conn)?;
    rows.into_iter().map(LeaseId::try_from).collect()
}

/// Executes `sql` for one lease and returns the number of changed rows.
fn execute_for(conn: &mut SqliteConnection, sql: &str, lease: LeaseId) -> Result<usize, StorageError> {
    let statement = sql_query(sql)
        .bind::<Binary, _>(Id(lease.replica.0))
        .bind::<BigInt, _>(i64::from(lease.number));
    Ok(statement.execute(conn)?)
}

/// Returns the duration of a lease in milliseconds.
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
