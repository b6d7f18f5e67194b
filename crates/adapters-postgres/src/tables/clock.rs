//! The server's clock.

use crate::error::StorageError;
use chrono::{DateTime, Utc};
use diesel::{declare_sql_function, select};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

#[declare_sql_function]
extern "SQL" {
    /// Returns the current time, also within a transaction.
    fn clock_timestamp() -> Timestamptz;
}

/// Returns the time of the server's clock.
pub async fn now(conn: &mut AsyncPgConnection) -> Result<DateTime<Utc>, StorageError> {
    Ok(select(clock_timestamp()).get_result(conn).await?)
}
