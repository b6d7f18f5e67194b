//! Notifications, which are sent when their transaction commits and are stored in no table.

use crate::error::StorageError;
use diesel::{
    declare_sql_function, select,
    sql_types::{Array, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

#[declare_sql_function]
extern "SQL" {
    /// Sends a notification at the commit. Returns `void`, for which diesel has no type; the result
    /// is not read.
    fn pg_notify(channel: Text, payload: Text) -> Text;

    /// Returns a row for each element.
    fn unnest(elements: Array<Text>) -> Text;
}

/// Notifications on one channel.
pub struct Notifications {
    pub channel: String,
    /// Each shorter than 8,000 bytes. Equal ones are delivered once.
    pub payloads: Vec<String>,
}

/// Sends all notifications, in order, in one statement.
pub async fn send(conn: &mut AsyncPgConnection, input: &Notifications) -> Result<(), StorageError> {
    select(pg_notify(&input.channel, unnest(&input.payloads)))
        .execute(conn)
        .await?;
    Ok(())
}
