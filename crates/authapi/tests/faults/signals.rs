//! Replicas that are killed, and servers that are stopped, under load.

use crate::{
    backing::Database,
    journal::{Outcome, check_audit_log, check_database, settle},
    log::answered,
    oracle::{Journal, Oracle, WRITERS},
    scene::{check_all, report, setting},
    server::{Place, Server, Stopped},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use testservers::Postgres;
use tokio::time::sleep;

const REPLICAS: usize = 3;
const KILLS: u32 = 3;
/// The duration of the load before and after a signal; each kill comes at another moment.
const LOAD: Duration = Duration::from_millis(900);
const MOMENT: Duration = Duration::from_millis(137);
/// The maximum time that a server takes to stop.
const IN_TIME: Duration = Duration::from_secs(10);

fn place(database: Database, replicas: usize) -> Place {
    setting(Place::on(
        tempfile::tempdir().expect("the folder can be created"),
        database,
        replicas,
    ))
}

fn fresh() -> Database {
    Database::Postgres(testservers::postgres().fresh_database())
}

async fn load(server: &Server, name: &str) -> Oracle {
    let root = server.client().session("root").await.access;
    Oracle::start(server, &root, name).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_replica_is_killed_the_others_answer_and_no_confirmed_change_is_lost() {
    let mut server = place(fresh(), REPLICAS).start();
    let mut all = Vec::new();
    for round in 0..KILLS {
        let mut oracle = load(&server, &format!("user-{round}")).await;
        sleep(LOAD + round * MOMENT).await;
        let killed = Instant::now();
        assert!(server.kill(1), "SIGKILL ended the replica");
        sleep(LOAD).await;
        let journal = oracle.end().await;

        assert_eq!(journal.count(Outcome::Refused), 0);
        // At most one request of each client was in progress at the killed replica.
        assert!(journal.count(Outcome::NoAnswer) <= WRITERS);
        settle(server.place().database()).await;
        report("a replica of three killed", &journal, killed, killed, None);
        all.extend(check_all(&server.client(), journal.stories).await);
        server.start_missing();
    }
    check_database(server.place().database()).await;
    check_audit_log(server.place().database(), &all).await;
}

/// Checks that the server ended well and in time, and that every answer it logged has arrived.
async fn check_stop(stopped: Stopped, journal: Journal) {
    assert!(stopped.took < IN_TIME, "{:?}", stopped.took);
    assert_eq!(stopped.status.code(), Some(0), "{:#?}", stopped.last_lines);
    for last in &stopped.last_lines {
        let last: Value = serde_json::from_str(last).expect("the line is a JSON event");
        assert_eq!(last["message"], "stopped");
    }
    let sent = answered(&stopped.log);
    let requests = journal.stories.iter().flat_map(|story| &story.requests);
    let (lost, arrived): (Vec<_>, Vec<_>) = requests.partition(|it| it.2 == Outcome::NoAnswer);
    let lost: Vec<_> = lost.iter().filter(|it| sent.contains(&it.0)).collect();
    assert!(lost.is_empty(), "answered, and not received: {lost:?}");
    let arrived: BTreeSet<&str> = arrived.iter().map(|it| it.0.as_str()).collect();
    assert!(arrived.iter().all(|id| sent.contains(*id)));

    let server = stopped.place.start();
    let stories = check_all(&server.client(), journal.stories).await;
    check_database(server.place().database()).await;
    check_audit_log(server.place().database(), &stories).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_servers_answer_requests_in_progress() {
    let server = place(fresh(), REPLICAS).start();
    let mut oracle = load(&server, "user").await;
    sleep(LOAD).await;
    let signalled = Instant::now();
    let stopped = server.terminate();
    let journal = oracle.end().await;
    assert_eq!(journal.count(Outcome::Refused), 0);
    let name = format!("three replicas stopped after {:?}", stopped.took);
    report(&name, &journal, signalled, signalled, None);
    check_stop(stopped, journal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_in_time_while_postgres_hangs() {
    let postgres = Postgres::start_own();
    let server = place(Database::Postgres(postgres.fresh_database()), 1).start();
    let mut oracle = load(&server, "user").await;
    sleep(LOAD).await;
    postgres.pause();
    sleep(MOMENT).await;
    let signalled = Instant::now();
    let stopped = server.terminate();
    let journal = oracle.end().await;
    postgres.resume();
    settle(stopped.place.database()).await;
    let name = format!("stopped while Postgres hangs, after {:?}", stopped.took);
    report(&name, &journal, signalled, signalled, None);
    check_stop(stopped, journal).await;
}
