use crate::eventually;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};
use testservers::{Own, Postgres, Redis, RedisSentinel, Server, postgres, redis, redis_cluster};

fn query(url: &str, statement: &str) -> Result<String, String> {
    let output = Command::new("psql")
        .args(["-XAtqc", statement, url])
        .env("PGCONNECT_TIMEOUT", "5")
        .output()
        .expect("psql");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text").trim().to_owned();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

/// What a Redis answers to an inline command, or nothing within a second.
fn ask(redis: &Redis, command: &str) -> Option<String> {
    let mut stream = TcpStream::connect(redis.address()).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .expect("a timeout");
    stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).ok()?;
    Some(String::from_utf8_lossy(answer.get(..length)?).into_owned())
}

#[test]
fn a_fresh_database_is_empty_and_ones_own_and_goes_with_its_value() {
    let (one, other) = (postgres().fresh_database(), postgres().fresh_database());
    query(one.url(), "CREATE TABLE t (i int)").expect("a table");
    query(other.url(), "CREATE TABLE t (i int)").expect("the same table elsewhere");
    let url = one.url().to_owned();

    drop(one);

    let refused = query(&url, "SELECT 1").expect_err("no such database");
    assert!(refused.contains("does not exist"), "{refused}");
}

#[test]
fn what_postgres_has_said_is_stored_outlives_sigkill() {
    let own = Postgres::start_own();
    query(own.url(), "CREATE TABLE t (i int); INSERT INTO t VALUES (7)").expect("a row");

    own.kill();
    assert!(!own.answers());
    own.restart();

    assert_eq!(query(own.url(), "SELECT i FROM t").as_deref(), Ok("7"));
    assert_eq!(query(own.url(), "SHOW fsync").as_deref(), Ok("on"));
}

#[test]
fn a_postgres_that_was_stopped_at_once_starts_again() {
    let own = Postgres::start_own();
    own.stop_immediate();
    assert!(!own.answers());
    own.restart();
    assert!(own.answers());
}

#[test]
fn a_paused_postgres_answers_when_it_is_resumed() {
    let own = Postgres::start_own();
    own.pause();
    let held = std::thread::scope(|scope| {
        let answer = scope.spawn(|| {
            Command::new("psql")
                .args(["-XAtqc", "SELECT 1", own.url()])
                .output()
        });
        // Nothing tells that an answer will not come but waiting for it.
        std::thread::sleep(Duration::from_millis(500));
        let held = !answer.is_finished();
        own.resume();
        assert!(answer.join().expect("no panic").expect("psql").status.success());
        held
    });
    assert!(held, "answered while it was paused");
}

#[test]
fn a_redis_is_killed_paused_and_started_again_on_its_port() {
    let own = Redis::start_own();
    assert_eq!(ask(&own, "SET a 1").as_deref(), Some("+OK\r\n"));
    own.pause();
    assert_eq!(ask(&own, "GET a"), None);
    own.resume();
    assert_eq!(ask(&own, "GET a").as_deref(), Some("$1\r\n1\r\n"));
    own.kill();
    assert_eq!(ask(&own, "GET a"), None);
    own.restart();
    assert_eq!(ask(&own, "GET a").as_deref(), Some("$-1\r\n"), "nothing is kept");
    own.stop_immediate();
    assert_eq!(ask(&own, "GET a"), None);
}

#[test]
fn prefixes_are_different_and_servers_are_shared() {
    assert_ne!(redis().fresh_prefix(), redis().fresh_prefix());
    assert!(std::ptr::eq(redis(), redis()));
    assert!(std::ptr::eq(postgres(), postgres()));
}

#[test]
fn ones_own_server_takes_its_folder_with_it_even_when_it_was_killed() {
    let killed: (Own<Postgres>, Own<Redis>) = (Postgres::start_own(), Redis::start_own());
    killed.0.kill();
    let folders = [killed.0.folder().to_owned(), killed.1.folder().to_owned()];
    assert!(folders.iter().all(|it| fs::exists(it).expect("an answer")));

    drop(killed);

    assert!(!folders.iter().any(|it| fs::exists(it).expect("an answer")));
}

#[test]
fn a_cluster_is_whole_and_a_key_has_one_home() {
    let cluster = redis_cluster();
    assert_eq!(cluster.nodes().len(), 6);
    let homes = cluster.nodes().iter().filter_map(|node| ask(node, "SET {x}a 1"));
    assert_eq!(homes.filter(|answer| answer == "+OK\r\n").count(), 1);
}

#[test]
fn a_sentinel_makes_the_replica_the_primary_when_that_is_gone() {
    let sentinel = RedisSentinel::start();
    assert!(sentinel.url().starts_with("redis+sentinel://127.0.0.1:"));
    sentinel.primary().kill();
    let start = Instant::now();
    eventually("the replica takes over", || {
        ask(sentinel.replica(), "ROLE").is_some_and(|role| role.contains("master"))
    });
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
