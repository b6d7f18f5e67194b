//! Revocations of sessions that every replica has cached.

use crate::{
    client::{Client, Pair},
    mode::Mode,
    server::{Place, Server},
};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};
use tokio::time::sleep;

/// How often a replica is asked about a session until it has cached it, with pauses.
const ATTEMPTS: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until each of `replicas` answers for these sessions from its cache.
pub async fn wait_until_cached(replicas: &[Client], pairs: &[&Pair]) {
    for replica in replicas {
        let mut attempts = 0;
        while !holds_lease(replica).await {
            attempts += 1;
            assert!(attempts < ATTEMPTS, "no lease was granted");
            see_alive(replica, pairs).await;
            sleep(PAUSE).await;
        }
        see_alive(replica, pairs).await;
    }
}

/// Returns whether the replica reports that it holds a lease.
async fn holds_lease(replica: &Client) -> bool {
    let ready = replica.get("/health/ready").send().await;
    assert_eq!(ready.body["session_cache"]["mode"], "memory", "{}", ready.body);
    ready.body["session_cache"]["lease"] == "held"
}

async fn see_alive(replica: &Client, pairs: &[&Pair]) {
    for pair in pairs {
        assert_eq!(replica.me_code(&pair.access).await, "accepted");
    }
}

/// The code with which each replica answers a token.
async fn codes(replicas: &[Client], pair: &Pair) -> Vec<String> {
    let mut codes = Vec::new();
    for replica in replicas {
        codes.push(replica.me_code(&pair.access).await);
    }
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations_by_the_command_line_apply_to_running_servers_when_it_returns() {
    revoke_by_each_command(&Server::start()).await;
}

/// Revokes a cached session by each command that revokes any, and asks every replica right after
/// it.
pub async fn revoke_by_each_command(server: &Server) {
    let replicas = server.each();
    let stranger = replicas[0].user("stranger").await;
    for (login, command, input, code) in [
        (
            "alice1",
            &["users", "set-roles", "--none"][..],
            "",
            "token_outdated",
        ),
        ("alice2", &["users", "disable"], "", "token_outdated"),
        ("alice3", &["users", "reset-password"], "", "token_outdated"),
        ("alice4", &["sessions", "end"], "", "token_revoked"),
        ("alice5", &["users", "delete", "--yes"], "", "token_revoked"),
    ] {
        let pair = replicas[0].user(login).await;
        wait_until_cached(&replicas, &[&pair, &stranger]).await;
        let arguments = [command, &["--login", login]].concat();
        server.place().command_succeeds(&arguments, input);
        assert_eq!(
            codes(&replicas, &pair).await,
            vec![code; replicas.len()],
            "{command:?}"
        );
        see_alive(&replicas[0], &[&stranger]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_permissions_of_a_role_apply_at_once_to_cached_sessions() {
    let server = Server::start();
    let (place, replicas) = (server.place(), server.each());
    let reader = replicas[0].user("reader").await;
    let set = ["roles", "set", "reader", "--permission"];
    place.command_succeeds(&[&set[..], &["pages:read"]].concat(), "");
    let keeping = ["users", "set-roles", "--login", "reader", "--role", "reader"];
    place.command_succeeds(&[&keeping[..], &["--keep-sessions"]].concat(), "");
    let reader = replicas[0].refresh(&reader.refresh).await.pair();
    for (permission, status) in [("users:read", 200), ("pages:read", 403), ("users:read", 200)] {
        wait_until_cached(&replicas, &[&reader]).await;
        place.command_succeeds(&[&set[..], &[permission]].concat(), "");
        for replica in &replicas {
            let listed = replica.get("/users").bearer(&reader.access).send().await;
            assert_eq!(listed.status, status, "{permission}: {}", listed.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ended_by_the_session_limit_is_rejected_by_every_replica() {
    let server = Place::new().with("TOKENS__MAX_SESSIONS_PER_USER", "2").start();
    let replicas = server.each();
    let last = replicas.last().expect("there is at least one replica");
    let oldest = replicas[0].user("alice").await;
    let younger = replicas[0].session("alice").await;
    wait_until_cached(&replicas, &[&oldest, &younger]).await;
    last.session("alice").await;
    assert_eq!(
        codes(&replicas, &oldest).await,
        vec!["token_revoked"; replicas.len()]
    );
    assert_eq!(codes(&replicas, &younger).await, vec!["accepted"; replicas.len()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_session_is_accepted_after_each_refresh() {
    let server = Place::new().with_admin("root").start();
    let replicas = server.each();
    let replica = |turn: usize| &replicas[turn % replicas.len()];
    let root = replicas[0].session("root").await;
    let mut pair = replicas[0].user("alice").await;
    for round in 0..60 {
        wait_until_cached(&replicas, &[&pair]).await;
        let roles: &[&str] = if round % 2 == 0 { &[] } else { &["user"] };
        let assigned = replica(round).assigning(&root.access, "alice", roles, true);
        assert_eq!(assigned.send().await.status, 200);
        let before = codes(&replicas, &pair).await;
        assert_eq!(before, vec!["token_outdated"; replicas.len()], "round {round}");
        pair = replica(round + 1).refresh(&pair.refresh).await.pair();
        let me = replica(round + 2).me(&pair.access).await;
        assert_eq!(
            (me.status, &me.body["roles"]),
            (200, &json!(roles)),
            "round {round}"
        );
        assert_eq!(
            codes(&replicas, &pair).await,
            vec!["accepted"; replicas.len()],
            "round {round}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations_do_not_wait_for_a_stopped_server() {
    let server = Server::start();
    let replicas = server.each();
    let pair = replicas[0].user("alice").await;
    wait_until_cached(&replicas, &[&pair]).await;
    let place = server.terminate().place;
    let leases = "SELECT CAST(count(*) AS TEXT) AS finding FROM replica_leases";
    assert_eq!(place.database().find(leases).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_cache_each_request_reads_the_database() {
    let server = Place::new().with("SESSION_CACHE__MEMORY", "false").start();
    let replicas = server.each();
    let pair = replicas[0].user("alice").await;
    for replica in &replicas {
        see_alive(replica, &[&pair]).await;
        let ready = replica.get("/health/ready").send().await;
        assert_eq!(
            ready.body["session_cache"],
            json!({"mode": "database", "lease": "none", "bus": Mode::of_this_run().bus()})
        );
    }
    assert_eq!(replicas[0].log_out(&pair.access).await.status, 204);
    assert_eq!(
        codes(&replicas, &pair).await,
        vec!["token_revoked"; replicas.len()]
    );
}

const CONNECTIONS: &str = "authapi_db_pool_wait_seconds_count";
const FROM_DATABASE: &str = r#"authapi_session_snapshots_total{from="database"}"#;
const FROM_MEMORY: &str = r#"authapi_session_snapshots_total{from="memory"}"#;

/// The metrics of all replicas.
async fn scrape(server: &Server) -> Vec<String> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("the client can be built");
    let mut lines = Vec::new();
    for line in server.log().lines() {
        let event: Value = serde_json::from_str(&line).expect("the line is a JSON event");
        if let Some(address) = event["metrics"].as_str() {
            let answer = http.get(format!("http://{address}/metrics")).send().await;
            let text = answer
                .expect("the server responds")
                .text()
                .await
                .expect("the response is UTF-8");
            lines.extend(text.lines().map(ToOwned::to_owned));
        }
    }
    lines
}

/// The sum of all series whose names begin with `series`.
fn count(lines: &[String], series: &str) -> u64 {
    let values = lines.iter().filter(|line| line.starts_with(series));
    let values = values.filter_map(|line| line.rsplit(' ').next());
    values
        .map(|value| value.parse::<u64>().expect("the value is an integer"))
        .sum()
}

/// The number of commands that a Redis has run, without pings and this one.
fn commands(redis: &str) -> u64 {
    let address = redis.trim_start_matches("redis://").trim_end_matches('/');
    let mut connection = TcpStream::connect(address).expect("Redis accepts connections");
    connection
        .write_all(b"INFO commandstats\r\nQUIT\r\n")
        .expect("Redis reads the command");
    let mut told = String::new();
    connection
        .read_to_string(&mut told)
        .expect("the reply can be read");
    let counts = told
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="))
        .filter(|(command, _)| !matches!(*command, "info" | "ping" | "quit"))
        .map(|(_, counts)| counts.split(',').next().expect("split returns at least one part"));
    counts
        .map(|calls| calls.parse::<u64>().expect("the text is a number"))
        .sum()
}

/// What a number of requests to one replica used.
#[derive(Debug, PartialEq, Eq)]
struct Used {
    /// Snapshots read from the database and from memory.
    snapshots: (u64, u64),
    redis_commands: u64,
    /// Whether the requests took more connections to the database than a few, since each lease is
    /// renewed twice a second, independently of requests.
    many_connections: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_session_uses_neither_the_database_nor_redis() {
    const REQUESTS: u64 = 100;
    /// On a busy machine, a lease may be renewed too late, and then requests read the database.
    const ROUNDS: usize = 20;
    let server = Place::new().throttled().with("METRICS__PORT", "0").start();
    let redis = server.place().own_redis();
    let replicas = server.each();
    let alice = replicas[0].user("alice").await;
    let only_memory = Used {
        snapshots: (0, REQUESTS),
        redis_commands: 0,
        many_connections: false,
    };

    let mut rounds = Vec::new();
    while rounds.last() != Some(&only_memory) {
        assert!(rounds.len() < ROUNDS, "{rounds:?}");
        wait_until_cached(&replicas, &[&alice]).await;
        let (before, commands_before) = (scrape(&server).await, redis.map(commands));
        for _ in 0..REQUESTS {
            assert_eq!(replicas[0].me(&alice.access).await.status, 200);
        }
        let (after, commands_after) = (scrape(&server).await, redis.map(commands));
        let more = |series: &str| count(&after, series) - count(&before, series);
        rounds.push(Used {
            snapshots: (more(FROM_DATABASE), more(FROM_MEMORY)),
            redis_commands: commands_after.unwrap_or(0) - commands_before.unwrap_or(0),
            many_connections: more(CONNECTIONS) >= REQUESTS / 2,
        });
    }
}
