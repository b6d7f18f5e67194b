//! Programs that wait for another one to migrate the schema log which one it is.

use crate::{launched::Launched, server::Place};
use serde_json::Value;
use tokio_postgres::NoTls;

const KEY: &str = "hashtextextended('authapi migrations public', 0)";

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_waits_for_a_migration_logs_which_program_it_waits_for() {
    let place = Place::new();
    let url = format!("{}?application_name=other%20program", place.database().url());
    let (other, connection) = tokio_postgres::connect(&url, NoTls)
        .await
        .expect("the database accepts connections");
    let connection = tokio::spawn(connection);
    let pid = other.query_one("SELECT pg_backend_pid() AS pid", &[]).await;
    let pid: i32 = pid.expect("the server has a process").get("pid");

    for (arguments, [take, release], then) in [
        // Programs of earlier versions held the lock until their connection ended.
        (
            &["migrate", "up"][..],
            [
                format!("SELECT pg_advisory_lock({KEY})"),
                format!("SELECT pg_advisory_unlock({KEY})"),
            ],
            None,
        ),
        (
            &["serve"],
            [
                format!("BEGIN; SELECT pg_advisory_xact_lock({KEY})"),
                "ROLLBACK".to_owned(),
            ],
            Some("\"address\""),
        ),
    ] {
        // Only a program that finds a pending migration takes the lock.
        place.command_succeeds(&["migrate", "down"], "");
        other.batch_execute(&take).await.expect("the lock is free");
        let waiting = Launched::start(place.command(arguments));
        let line = waiting.wait_until_it_says("waiting up to a minute for another program");
        let event: Value = serde_json::from_str(&line).expect("the line is JSON");
        assert_eq!(
            (&event["level"], &event["pid"]),
            (&"WARN".into(), &pid.into()),
            "{line}"
        );
        assert_eq!(event["application_name"], "other program", "{line}");
        assert_eq!(event["client_address"], "127.0.0.1", "{line}");
        let since = event["since"].as_str().expect("the time is a text");
        assert!(since.starts_with("20") && since.ends_with('Z'), "{line}");

        other.batch_execute(&release).await.expect("the lock is released");
        match then {
            Some(text) => drop(waiting.wait_until_it_says(text)),
            None => assert_eq!(waiting.wait(), Some(0)),
        }
    }
    drop(other);
    connection
        .await
        .expect("the task does not panic")
        .expect("the connection ends without an error");
}
