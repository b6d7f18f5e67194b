//! Starts that must fail soon because of Postgres, and one that must not fail because of Redis.

use crate::{
    it::start_failures::{FAILED, check_failure, refuses},
    server::Place,
};
use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};
use testservers::Postgres;
use tokio_postgres::NoTls;

/// The time within which a start must fail. The limit is five seconds; the rest is for a busy
/// machine.
const SOON: Duration = Duration::from_secs(15);

/// A port without a listener.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("the listener has an address").port()
}

fn refuses_soon(place: &Place, says: &[&str]) {
    let asked = Instant::now();
    refuses(place, FAILED, says);
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    for command in [&["migrate", "status"][..], &["users", "list"]] {
        let asked = Instant::now();
        let run = place.run(command, "");
        check_failure(&run, FAILED, says);
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
}

pub async fn execute(url: &str, statements: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the database accepts connections");
    let connection = tokio::spawn(connection);
    client
        .batch_execute(statements)
        .await
        .expect("the statements succeed");
    drop(client);
    connection
        .await
        .expect("the task does not panic")
        .expect("the connection ends without an error");
}

#[test]
fn an_unreachable_server_fails_the_start() {
    let address = format!("127.0.0.1:{}", free_port());
    let url = format!("postgres://me:hunter2@{address}/authapi");
    let place = Place::new().with("DATABASE__URL", &url);
    refuses_soon(&place, &["the database cannot be used", &address, "refused"]);
}

#[test]
fn a_server_that_does_not_answer_fails_the_start() {
    // The system accepts connections; the listener never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = silent
        .local_addr()
        .expect("the listener has an address")
        .to_string();
    let url = format!("postgres://me:hunter2@{address}/authapi");
    let place = Place::new().with("DATABASE__URL", &url);
    refuses_soon(&place, &["the database cannot be used", &address]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_fails_the_start() {
    let postgres = Postgres::start_own();
    execute(
        postgres.url(),
        "ALTER ROLE postgres PASSWORD 'correct horse battery staple'",
    )
    .await;
    let rules = postgres.folder().join("data/pg_hba.conf");
    fs::write(rules, "host all all 127.0.0.1/32 scram-sha-256\n").expect("the file can be written");
    execute(postgres.url(), "SELECT pg_reload_conf()").await;
    let url = |password: &str| {
        postgres
            .url()
            .replace("postgres@", &format!("postgres:{password}@"))
    };

    let wrong = Place::new().with("DATABASE__URL", &url("hunter2"));
    refuses_soon(
        &wrong,
        &["the database cannot be used", "password authentication failed"],
    );
    let right = url("correct%20horse%20battery%20staple");
    let server = Place::new().with("DATABASE__URL", &right).start();
    server.client().user("alice").await;
}

#[test]
fn a_missing_database_fails_the_start() {
    let place = Place::new();
    let url = format!("{}_of_nobody", place.database().url());
    refuses_soon(
        &place.with("DATABASE__URL", &url),
        &["the database cannot be used", "_of_nobody", "does not exist"],
    );
}

#[test]
fn a_database_in_another_encoding() {
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let options = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        let database = testservers::postgres().fresh_database_with(&options);
        let place = Place::new().with("DATABASE__URL", database.url());
        let says = ["has the encoding", encoding, "ENCODING 'UTF8' TEMPLATE template0"];
        refuses_soon(&place, &says);
        check_failure(&place.run(&["migrate", "up"], ""), FAILED, &says);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_a_newer_schema_fails_the_start() {
    let place = Place::new();
    place.command_succeeds(&["migrate", "up"], "");
    let migration = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
    execute(&place.database().url(), migration).await;
    let says = [
        "is newer than this program",
        "99990101000000",
        "use the program that wrote it",
    ];
    refuses_soon(&place, &says);
    check_failure(&place.run(&["migrate", "down"], ""), FAILED, &says);
}

#[test]
fn keys_are_generated_only_if_the_settings_allow_it() {
    let place = Place::new().with("KEYS__GENERATE_MISSING", "");
    refuses(&place, FAILED, &["the key folder", "authapi keys generate"]);
    assert!(!place.keys().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_the_service_starts_and_reports_that_it_is_degraded() {
    let url = format!("redis://127.0.0.1:{}", free_port());
    let server = Place::new()
        .with("THROTTLE__ENABLED", "true")
        .with("REDIS__URL", &url)
        .start();
    let client = server.client();
    client.user("alice").await;
    let ready = client.get("/health/ready").send().await;
    assert_eq!((ready.status, &ready.body["status"]), (200, &"degraded".into()));
    assert_eq!(ready.body["dependencies"]["redis"], "down");
}
