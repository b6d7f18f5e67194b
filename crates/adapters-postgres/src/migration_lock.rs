//! The lock that allows one program at a time to migrate a schema.

use crate::{error::StorageError, migrations::BlockingConnection};
use diesel::{
    OptionalExtension, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{Bool, Integer, Nullable, Text},
};
use std::fmt;
use thiserror::Error;

/// The number of the lock: one for each schema.
const KEY: &str = "hashtextextended('authapi migrations ' || coalesce(current_schema(), ''), 0)";

/// Replaces the time limits of service. The statements of a migration have none.
const LIMITS_OF_MIGRATIONS: &str = "SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL lock_timeout = '60s'";

/// Waits for tables are limited, since other transactions queue behind a migration that waits.
const LIMIT_OF_TABLES: &str = "SET LOCAL lock_timeout = '5s'";

/// Another program held the lock for too long.
#[derive(Debug, Error)]
#[error(
    "another program is migrating the schema ({holder}) and has not finished in a minute; wait, or end it with \
     SELECT pg_terminate_backend({pid})", pid = .holder.pid
)]
struct HeldTooLong {
    holder: Holder,
}

/// The connection that holds the lock. The server shows details only to the same role, superusers
/// and members of `pg_monitor`.
#[derive(Debug, QueryableByName)]
struct Holder {
    #[diesel(sql_type = Integer)]
    pid: i32,
    #[diesel(sql_type = Nullable<Text>)]
    application_name: Option<String>,
    /// Absent for a connection over a Unix socket.
    #[diesel(sql_type = Nullable<Text>)]
    client_address: Option<String>,
    /// The start of the transaction, or of the connection if it is not in a transaction.
    #[diesel(sql_type = Nullable<Text>)]
    since: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)?;
        for (name, value) in [
            ("application", &self.application_name),
            ("client", &self.client_address),
            ("since", &self.since),
        ] {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        Ok(())
    }
}

/// Prevents other programs from migrating the schema until the transaction of `conn` ends, and
/// removes the time limits of service from that transaction. Logs which program it waits for.
///
/// The lock and the limits belong to the transaction, not to the connection, because a pooler may
/// give the connection to another client after the transaction.
pub fn take(conn: &mut BlockingConnection) -> Result<(), StorageError> {
    conn.batch_execute(LIMITS_OF_MIGRATIONS)?;
    if !is_taken(conn)? {
        wait(conn)?;
    }
    Ok(conn.batch_execute(LIMIT_OF_TABLES)?)
}

fn is_taken(conn: &mut BlockingConnection) -> Result<bool, StorageError> {
    #[derive(QueryableByName)]
    struct Attempt {
        #[diesel(sql_type = Bool)]
        taken: bool,
    }
    let attempt = sql_query(format!("SELECT pg_try_advisory_xact_lock({KEY}) AS taken"));
    Ok(attempt.get_result::<Attempt>(conn)?.taken)
}

fn wait(conn: &mut BlockingConnection) -> Result<(), StorageError> {
    let holder = find_holder(conn)?;
    if let Some(holder) = &holder {
        tracing::warn!(
            pid = holder.pid,
            application_name = holder.application_name,
            client_address = holder.client_address,
            since = holder.since,
            "waiting up to a minute for another program that is migrating the schema"
        );
    }
    let waited = conn.batch_execute(&format!("SELECT pg_advisory_xact_lock({KEY})"));
    match (waited.map_err(StorageError::from), holder) {
        (Err(StorageError::Busy), Some(holder)) => {
            Err(StorageError::Statement(HeldTooLong { holder }.into()))
        }
        (waited, _) => waited,
    }
}

/// Returns the holder; `None` if the lock has just been released.
fn find_holder(conn: &mut BlockingConnection) -> Result<Option<Holder>, StorageError> {
    // The server stores the number in two halves.
    let holder = sql_query(format!(
        "SELECT pid, application_name, host(client_addr) AS client_address,
            to_char(coalesce(xact_start, backend_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
                AS since
        FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'advisory' AND granted AND objsubid = 1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (classid::bigint << 32 | objid::bigint) = {KEY}"
    ));
    Ok(holder.get_result(conn).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use diesel::Connection;
    use testservers::postgres;

    #[test]
    fn the_lock_ends_with_the_transaction_and_not_with_the_connection() {
        let fresh = postgres().fresh_database();
        let open = || BlockingConnection::establish(fresh.url()).expect("the database accepts connections");
        let (mut one, mut other) = (open(), open());
        for conn in [&mut one, &mut other] {
            let taken = conn.transaction(|conn| {
                take(conn)?;
                find_holder(conn)
            });
            let holder = taken
                .expect("the lock is free")
                .expect("this transaction holds it");
            assert_eq!(holder.client_address.as_deref(), Some("127.0.0.1"));
        }
        let left = one.transaction(find_holder).expect("the server responds");
        assert!(left.is_none(), "{left:?}");
    }

    #[test]
    fn the_time_limits_of_service_apply_again_after_the_transaction() {
        #[derive(Debug, PartialEq, QueryableByName)]
        struct Limits {
            #[diesel(sql_type = Text)]
            limits: String,
        }
        let fresh = postgres().fresh_database();
        let mut conn = BlockingConnection::establish(fresh.url()).expect("the database accepts connections");
        let limits = |conn: &mut BlockingConnection| -> Limits {
            let settings = "current_setting('statement_timeout'), current_setting('lock_timeout'),
                current_setting('idle_in_transaction_session_timeout')";
            let limits = sql_query(format!("SELECT concat_ws(' ', {settings}) AS limits"));
            limits.get_result(conn).expect("the server responds")
        };
        let set =
            "SET statement_timeout = 7; SET lock_timeout = 7; SET idle_in_transaction_session_timeout = 7";
        conn.batch_execute(set).expect("the limits can be set");
        let within = conn.transaction(|conn| take(conn).map(|()| limits(conn)));
        let expected = |limits: &str| Limits {
            limits: limits.to_owned(),
        };
        assert_eq!(within.expect("the lock is free"), expected("0 5s 0"));
        assert_eq!(limits(&mut conn), expected("7ms 7ms 7ms"));
    }

    #[test]
    fn a_holder_is_described_as_far_as_the_server_shows_it() {
        let mut holder = Holder {
            pid: 7,
            application_name: Some("psql".to_owned()),
            client_address: Some("192.0.2.7".to_owned()),
            since: Some("2026-11-22T10:00:00Z".to_owned()),
        };
        assert_eq!(
            holder.to_string(),
            "pid 7, application psql, client 192.0.2.7, since 2026-11-22T10:00:00Z"
        );
        (holder.application_name, holder.client_address, holder.since) = (None, None, None);
        let error = HeldTooLong { holder }.to_string();
        assert!(
            error.contains("(pid 7)") && error.contains("pg_terminate_backend(7)"),
            "{error}"
        );
    }
}
