//! The uses of keys. The time is that of SQLite, whose clock is the machine's.

use crate::{columns::Micros, error::StorageError};
use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Bool, Text},
};
use domain::key_rotation::KeyUse;
use std::time::Duration;

/// The current time in microseconds.
const NOW: &str = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)";

pub fn extend(conn: &mut SqliteConnection, keys: &[String], term: Duration) -> Result<(), StorageError> {
    let term = i64::try_from(term.as_micros()).map_err(|error| StorageError::row("key_uses", error))?;
    let insert = format!("INSERT INTO key_uses (key, used_until) VALUES (?, {NOW} + ?)");
    let update = "ON CONFLICT (key) DO UPDATE SET used_until = max(used_until, excluded.used_until)";
    for key in keys {
        sql_query(format!("{insert} {update}"))
            .bind::<Text, _>(key)
            .bind::<BigInt, _>(term)
            .execute(conn)?;
    }
    Ok(())
}

pub fn list(conn: &mut SqliteConnection) -> Result<Vec<KeyUse>, StorageError> {
    let select = "SELECT key, used_until, revoked FROM key_uses ORDER BY key";
    let rows: Vec<KeyUseRow> = sql_query(select).load(conn)?;
    Ok(rows.into_iter().map(KeyUse::from).collect())
}

pub fn revoke(conn: &mut SqliteConnection, key: &str) -> Result<(), StorageError> {
    let insert = format!("INSERT INTO key_uses (key, used_until, revoked) VALUES (?, {NOW}, 1)");
    sql_query(format!("{insert} ON CONFLICT (key) DO UPDATE SET revoked = 1"))
        .bind::<Text, _>(key)
        .execute(conn)?;
    Ok(())
}

#[derive(QueryableByName)]
struct KeyUseRow {
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = BigInt)]
    used_until: Micros,
    #[diesel(sql_type = Bool)]
    revoked: bool,
}

impl From<KeyUseRow> for KeyUse {
    fn from(row: KeyUseRow) -> Self {
        Self {
            key: row.key,
            used_until: row.used_until.0,
            revoked: row.revoked,
        }
    }
}
