//! Keys that are rotated while the servers run.

use crate::{
    client::{Client, Pair, part_of},
    server::{Place, Server},
};
use serde_json::Value;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

/// Reached only when a test fails.
pub const TIMEOUT: Duration = Duration::from_mins(1);
pub const PAUSE: Duration = Duration::from_millis(100);
const ROTATIONS: usize = 3;
/// The number of clients during rotations.
const CLIENTS: usize = 8;

/// A place whose keys can be rotated soon after they were published.
pub fn place() -> Place {
    Place::new()
        .with("KEYS__JWKS_MAX_AGE", "1s")
        .with("DATABASE__MAX_CLOCK_SKEW", "1s")
}

pub fn kid_of(pair: &Pair) -> String {
    let header = part_of(&pair.access, 0);
    header["kid"].as_str().expect("a token names its key").to_owned()
}

/// The result of a step, which the command prints.
fn step(server: &Server, arguments: &[&str]) -> Value {
    let text = server.place().command_succeeds(arguments, "");
    serde_json::from_str(&text).expect("the output is JSON")
}

pub fn publish(server: &Server) -> String {
    let published = step(server, &["keys", "publish", "--json"]);
    published["key"].as_str().expect("a step has a key").to_owned()
}

/// Rotates to the key `kid` as soon as that is allowed, and returns the key that signed before.
pub async fn rotate_to(server: &Server, kid: &str) -> String {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let run = server.place().run(&["keys", "rotate", kid, "--json"], "");
        if run.code == Some(0) {
            let taken: Value = serde_json::from_str(&run.stdout).expect("the output is JSON");
            assert_eq!((&taken["step"], &taken["key"]), (&"signing".into(), &kid.into()));
            return taken["retired"].as_str().expect("a key signed before").to_owned();
        }
        // Another process may read SQLite only while the server lets it.
        let reasons = [
            "have not loaded the key",
            "is allowed from",
            "is overloaded",
            "is being written by another process",
        ];
        let is_early = reasons.iter().any(|reason| run.stderr.contains(reason));
        assert!(is_early && Instant::now() < deadline, "{}", run.stderr);
        sleep(PAUSE).await;
    }
}

/// Waits until each replica signs with the key `kid`.
async fn wait_until_signing(server: &Server, login: &str, kid: &str) {
    let deadline = Instant::now() + TIMEOUT;
    for replica in server.each() {
        while kid_of(&replica.session(login).await) != kid {
            assert!(Instant::now() < deadline, "the key {kid} does not sign");
            sleep(PAUSE).await;
        }
    }
}

async fn published_kids(client: &Client) -> Vec<String> {
    let keys = client.get("/.well-known/jwks.json").send().await.body["keys"].clone();
    let keys = keys.as_array().expect("a JWKS has keys").iter();
    let kids = keys.map(|key| key["kid"].as_str().expect("a key has an id").to_owned());
    kids.collect()
}

/// Uses tokens of the service until `stop`: logs in, asks who it is and refreshes, and asks each
/// replica again. Returns the number of rounds.
async fn use_tokens(server: Vec<Client>, login: String, stop: Arc<AtomicBool>) -> usize {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        for replica in &server {
            let pair = replica.session(&login).await;
            for other in &server {
                assert_eq!(other.me_code(&pair.access).await, "accepted");
            }
            let refreshed = server[rounds % server.len()].refresh(&pair.refresh).await;
            assert_eq!(refreshed.status, 200, "{}", refreshed.body);
            assert_eq!(replica.me_code(&refreshed.pair().access).await, "accepted");
            assert_eq!(replica.log_out(&refreshed.pair().access).await.status, 204);
            rounds += 1;
        }
    }
    rounds
}

#[tokio::test(flavor = "multi_thread")]
async fn while_keys_are_rotated_no_token_is_rejected() {
    let server = place().start();
    let first = server.client().user("alice").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut users = JoinSet::new();
    for user in 0..CLIENTS {
        let login = format!("user-{user}");
        server.client().user(&login).await;
        users.spawn(use_tokens(server.each(), login, Arc::clone(&stop)));
    }
    for _ in 0..ROTATIONS {
        let kid = publish(&server);
        step(&server, &["keys", "publish", "--refresh", "--json"]);
        let retired = rotate_to(&server, &kid).await;
        wait_until_signing(&server, "alice", &kid).await;
        for replica in server.each() {
            let kids = published_kids(&replica).await;
            assert!(kids.contains(&kid) && kids.contains(&retired), "{kids:?}");
            assert_eq!(replica.me_code(&first.access).await, "accepted");
        }
    }
    stop.store(true, Ordering::Relaxed);
    let rounds = users.join_all().await;
    assert!(rounds.iter().all(|rounds| *rounds > 0), "{rounds:?}");

    let refreshed = server.client().refresh(&first.refresh).await;
    assert_eq!(refreshed.status, 200, "the oldest refresh key is still accepted");
    let restarted = server.terminate().place.start();
    let me = restarted.client().me_code(&refreshed.pair().access).await;
    assert_eq!(me, "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_would_make_tokens_invalid_is_refused() {
    let server = place().start();
    let first = kid_of(&server.client().user("alice").await);
    let unused = publish(&server);
    let next = publish(&server);
    let refused = |arguments: &[&str], says: &str| {
        let run = server.place().run(arguments, "");
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
    };
    refused(&["keys", "remove", &first], "the key signs; rotate first");
    refused(&["keys", "retire", &first], "the key signs; rotate first");
    refused(&["keys", "rotate", &first], "the key signs; rotate first");
    refused(&["keys", "rotate", "none"], "there is no key with this id");
    refused(&["keys", "remove", "none"], "there is no key with this id");

    rotate_to(&server, &next).await;
    wait_until_signing(&server, "alice", &next).await;
    refused(&["keys", "rotate", &first], "the key is retired");
    let removed = server.place().run(&["keys", "remove", &first], "");
    assert_eq!(removed.code, Some(1), "{}", removed.stdout);
    let reasons = ["the step is allowed from", "running replicas sign with the key"];
    let is_named = reasons.iter().any(|reason| removed.stderr.contains(reason));
    assert!(is_named, "{}", removed.stderr);

    step(&server, &["keys", "remove", &unused, "--json"]);
    let spare = publish(&server);
    step(&server, &["keys", "retire", &spare, "--json"]);
    assert_eq!(server.place().key_files(".retired.pem").len(), 2);
    assert_eq!(server.place().key_files(".pem").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_used_leaves_the_loaded_keys_in_use() {
    let server = place().start();
    let pair = server.client().user("alice").await;
    let broken = server.place().keys().join("es256-broken.published.pem");
    fs::write(&broken, "no key").expect("the folder is writable");
    server.wait_until_each_says("the key folder changed and cannot be used; the loaded keys stay in use");
    for replica in server.each() {
        assert_eq!(replica.me_code(&pair.access).await, "accepted");
        assert_eq!(kid_of(&replica.session("alice").await), kid_of(&pair));
    }
    fs::remove_file(&broken).expect("the folder is writable");
    let kid = publish(&server);
    rotate_to(&server, &kid).await;
    wait_until_signing(&server, "alice", &kid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_makes_a_server_read_its_keys_and_does_not_stop_it() {
    let server = place().start();
    let pair = server.client().user("alice").await;
    server.hang_up();
    server.wait_until_each_says("reading the key folder because of SIGHUP");
    for replica in server.each() {
        assert_eq!(replica.me_code(&pair.access).await, "accepted");
    }
}
