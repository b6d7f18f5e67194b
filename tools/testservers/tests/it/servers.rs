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
        .expect("psql can be run");
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes)
            .expect("the output is UTF-8")
            .trim()
            .to_owned()
    };
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

/// Returns a Redis server's response to an inline command, or `None` after one second.
fn ask(redis: &Redis, command: &str) -> Option<String> {
    let mut stream = TcpStream::connect(redis.address()).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .expect("the timeout can be set");
    stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).ok()?;
    Some(String::from_utf8_lossy(answer.get(..length)?).into_owned())
}

#[test]
fn a_fresh_database_is_empty_and_separate_and_is_dropped_with_its_value() {
    let (one, other) = (postgres().fresh_database(), postgres().fresh_database());
    query(one.url(), "CREATE TABLE t (i int)").expect("the table can be created");
    query(other.url(), "CREATE TABLE t (i int)").expect("the other database is separate");
    let url = one.url().to_owned();

    drop(one);

    let refused = query(&url, "SELECT 1").expect_err("the database no longer exists");
    assert!(refused.contains("does not exist"), "{refused}");
}

#[test]
fn committed_data_survives_a_sigkill_of_postgres() {
    let own = Postgres::start_own();
    query(own.url(), "CREATE TABLE t (i int); INSERT INTO t VALUES (7)").expect("the row can be inserted");

    own.kill();
    assert!(!own.answers());
    own.restart();

    assert_eq!(query(own.url(), "SELECT i FROM t").as_deref(), Ok("7"));
    assert_eq!(query(own.url(), "SHOW fsync").as_deref(), Ok("on"));
}

#[test]
fn a_postgres_restarts_after_an_immediate_shutdown() {
    let own = Postgres::start_own();
    own.stop_immediate();
    assert!(!own.answers());
    own.restart();
    assert!(own.answers());
}

#[test]
fn a_paused_postgres_answers_after_it_is_resumed() {
    let own = Postgres::start_own();
    own.pause();
    let held = std::thread::scope(|scope| {
        let answer = scope.spawn(|| {
            Command::new("psql")
                .args(["-XAtqc", "SELECT 1", own.url()])
                .output()
        });
        // The absence of a response can only be observed by waiting.
        std::thread::sleep(Duration::from_millis(500));
        let held = !answer.is_finished();
        own.resume();
        assert!(
            answer
                .join()
                .expect("the thread does not panic")
                .expect("the statement succeeds")
                .status
                .success()
        );
        held
    });
    assert!(held, "answered while it was paused");
}

#[test]
fn a_redis_can_be_killed_paused_and_restarted_on_its_port() {
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
fn prefixes_are_unique_and_servers_are_shared() {
    assert_ne!(redis().fresh_prefix(), redis().fresh_prefix());
    assert!(std::ptr::eq(redis(), redis()));
    assert!(std::ptr::eq(postgres(), postgres()));
}

#[test]
fn dropping_an_own_server_removes_its_folder_even_after_a_kill() {
    let killed: (Own<Postgres>, Own<Redis>) = (Postgres::start_own(), Redis::start_own());
    killed.0.kill();
    let folders = [killed.0.folder().to_owned(), killed.1.folder().to_owned()];
    assert!(
        folders
            .iter()
            .all(|it| fs::exists(it).expect("the folder can be checked"))
    );

    drop(killed);

    assert!(
        !folders
            .iter()
            .any(|it| fs::exists(it).expect("the folder can be checked"))
    );
}

#[test]
fn a_cluster_is_complete_and_one_node_owns_a_key() {
    let cluster = redis_cluster();
    assert_eq!(cluster.nodes().len(), 6);
    let homes = cluster.nodes().iter().filter_map(|node| ask(node, "SET {x}a 1"));
    assert_eq!(homes.filter(|answer| answer == "+OK\r\n").count(), 1);
}

#[test]
fn a_sentinel_promotes_the_replica_when_the_primary_fails() {
    let sentinel = RedisSentinel::start();
    assert!(sentinel.url().starts_with("redis+sentinel://127.0.0.1:"));
    sentinel.primary().kill();
    let start = Instant::now();
    eventually("the replica takes over", || {
        ask(sentinel.replica(), "ROLE").is_some_and(|role| role.contains("master"))
    });
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
