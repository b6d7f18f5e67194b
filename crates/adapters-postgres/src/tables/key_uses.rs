//! The uses of keys. The time is `clock_timestamp()`: that of the server, by which all replicas agree.

use crate::error::StorageError;
use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, Bool, Double, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::key_rotation::KeyUse;
use std::time::Duration;

/// Locks the rows in the order of the keys, so that replicas do not block each other.
const EXTEND: &str = "
    INSERT INTO key_uses (key, used_until)
        SELECT key, clock_timestamp() + make_interval(secs => $2) FROM unnest($1) AS key ORDER BY key
    ON CONFLICT (key) DO UPDATE SET used_until = greatest(key_uses.used_until, excluded.used_until)";

pub async fn extend(
    conn: &mut AsyncPgConnection,
    keys: &[String],
    term: Duration,
) -> Result<(), StorageError> {
    sql_query(EXTEND)
        .bind::<Array<Text>, _>(keys)
        .bind::<Double, _>(term.as_secs_f64())
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn list(conn: &mut AsyncPgConnection) -> Result<Vec<KeyUse>, StorageError> {
    let select = "SELECT key, used_until, revoked FROM key_uses ORDER BY key COLLATE \"C\"";
    let rows: Vec<KeyUseRow> = sql_query(select).load(conn).await?;
    Ok(rows.into_iter().map(KeyUse::from).collect())
}

pub async fn revoke(conn: &mut AsyncPgConnection, key: &str) -> Result<(), StorageError> {
    let insert = "INSERT INTO key_uses (key, used_until, revoked) VALUES ($1, clock_timestamp(), true)";
    sql_query(format!("{insert} ON CONFLICT (key) DO UPDATE SET revoked = true"))
        .bind::<Text, _>(key)
        .execute(conn)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct KeyUseRow {
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = Timestamptz)]
    used_until: DateTime<Utc>,
    #[diesel(sql_type = Bool)]
    revoked: bool,
}

impl From<KeyUseRow> for KeyUse {
    fn from(row: KeyUseRow) -> Self {
        Self {
            key: row.key,
            used_until: row.used_until,
            revoked: row.revoked,
        }
    }
}
