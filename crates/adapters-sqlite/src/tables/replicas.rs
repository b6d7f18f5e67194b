//! The running servers. One server owns a database, so there is at most one row of a server that
//! runs. The command line reads it.

use crate::{columns::Id, error::StorageError};
use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Binary, Text},
};
use domain::replica::{ReplicaSettings, RunningReplica};
use std::time::Duration;
use uuid::Uuid;

/// The current time in milliseconds by SQLite's clock, which is that of the machine.
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Also removes replicas whose terms have run out.
pub fn store(
    conn: &mut SqliteConnection,
    replica: &RunningReplica,
    term: Duration,
) -> Result<(), StorageError> {
    let term = i64::try_from(term.as_millis()).map_err(|error| StorageError::row("replicas", error))?;
    sql_query(format!("DELETE FROM replicas WHERE runs_out_at <= {NOW}")).execute(conn)?;
    let insert = format!("INSERT INTO replicas (id, settings, runs_out_at) VALUES (?, ?, {NOW} + ?)");
    let update =
        "ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, runs_out_at = excluded.runs_out_at";
    sql_query(format!("{insert} {update}"))
        .bind::<Binary, _>(Id(replica.id))
        .bind::<Text, _>(replica.settings.to_text())
        .bind::<BigInt, _>(term)
        .execute(conn)?;
    Ok(())
}

pub fn others(conn: &mut SqliteConnection, id: Uuid) -> Result<Vec<ReplicaSettings>, StorageError> {
    let select = format!("SELECT settings FROM replicas WHERE id <> ? AND {NOW} < runs_out_at");
    let rows: Vec<SettingsRow> = sql_query(select).bind::<Binary, _>(Id(id)).load(conn)?;
    rows.into_iter().map(ReplicaSettings::try_from).collect()
}

pub fn remove(conn: &mut SqliteConnection, id: Uuid) -> Result<(), StorageError> {
    sql_query("DELETE FROM replicas WHERE id = ?")
        .bind::<Binary, _>(Id(id))
        .execute(conn)?;
    Ok(())
}

#[derive(QueryableByName)]
struct SettingsRow {
    #[diesel(sql_type = Text)]
    settings: String,
}

impl TryFrom<SettingsRow> for ReplicaSettings {
    type Error = StorageError;

    fn try_from(row: SettingsRow) -> Result<Self, Self::Error> {
        Self::parse(&row.settings)
            .ok_or_else(|| StorageError::row("replicas", "the settings of a replica do not parse"))
    }
}
