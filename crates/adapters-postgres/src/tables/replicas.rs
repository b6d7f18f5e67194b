//! The running replicas. The time is `clock_timestamp()`: that of the server, by which all of them
//! agree.

use crate::error::StorageError;
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Double, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::replica::{ReplicaSettings, RunningReplica};
use std::time::Duration;
use uuid::Uuid;

/// Also removes replicas whose terms have run out, except those that another statement is about to
/// remove.
const STORE: &str = "
    WITH dead AS (DELETE FROM replicas WHERE id IN (SELECT id FROM replicas
        WHERE runs_out_at <= clock_timestamp() AND id <> $1 FOR UPDATE SKIP LOCKED))
    INSERT INTO replicas (id, settings, runs_out_at) VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
    ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, runs_out_at = excluded.runs_out_at";

pub async fn store(
    conn: &mut AsyncPgConnection,
    replica: &RunningReplica,
    term: Duration,
) -> Result<(), StorageError> {
    sql_query(STORE)
        .bind::<SqlUuid, _>(replica.id)
        .bind::<Text, _>(replica.settings.to_text())
        .bind::<Double, _>(term.as_secs_f64())
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn others(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Vec<ReplicaSettings>, StorageError> {
    let select = "SELECT settings FROM replicas WHERE id <> $1 AND clock_timestamp() < runs_out_at";
    let rows: Vec<SettingsRow> = sql_query(select).bind::<SqlUuid, _>(id).load(conn).await?;
    rows.into_iter().map(ReplicaSettings::try_from).collect()
}

pub async fn remove(conn: &mut AsyncPgConnection, id: Uuid) -> Result<(), StorageError> {
    sql_query("DELETE FROM replicas WHERE id = $1")
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await?;
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
