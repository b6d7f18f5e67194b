//! Replicas of one database whose settings differ.

use crate::{
    it::start_failures::{FAILED, check_failure, refuses},
    server::{Place, Server},
};
use std::fs;

const ISSUER: &str = "https://auth.example.com";

/// Returns a place on the database, the Redis and the keys of `server`.
fn beside(server: &Server) -> Place {
    Place::new()
        .with("DATABASE__URL", &server.place().database().url())
        .with("KEYS__DIR", &server.place().keys().display().to_string())
        .with("TOKENS__ISSUER", ISSUER)
}

fn first() -> Server {
    Place::new().with("TOKENS__ISSUER", ISSUER).start()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_tokens_others_would_reject_does_not_start() {
    let server = first();
    let own_keys = tempfile::tempdir().expect("a folder");
    let own_keys = own_keys.path().join("keys").display().to_string();
    for (setting, value, says) in [
        (
            "TOKENS__ISSUER",
            "https://other.example.com",
            "AUTHAPI_TOKENS__ISSUER is \"https://other.example.com\" here and \"https://auth.example.com\" at",
        ),
        (
            "TOKENS__AUDIENCE",
            "other",
            "AUTHAPI_TOKENS__AUDIENCE is \"other\" here",
        ),
        (
            "TOKENS__CLIENT_ID",
            "other",
            "AUTHAPI_TOKENS__CLIENT_ID is \"other\" here",
        ),
        ("KEYS__DIR", &own_keys, "AUTHAPI_KEYS__DIR: refresh.key"),
    ] {
        let remedy = "AUTHAPI_TOKENS__ALLOW_MIXED_REPLICAS=true";
        refuses(&beside(&server).with(setting, value), FAILED, &[says, remedy]);
    }
    // The refused replicas left nothing that keeps others from starting.
    let second = beside(&server).start();
    let pair = server.client().user("alice").await;
    assert_eq!(second.client().me_code(&pair.access).await, "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_with_another_audit_key_does_not_start() {
    let server = first();
    let keys = tempfile::tempdir().expect("a folder");
    for ending in [".pem", "refresh.key"] {
        for file in server.place().key_files(ending) {
            let name = file.file_name().expect("a file has a name");
            fs::copy(&file, keys.path().join(name)).expect("the key can be copied");
        }
    }
    let keys = keys.path().display().to_string();
    let says = [
        "AUTHAPI_KEYS__DIR: audit.key",
        "would reject the audit events of the other",
    ];
    let other = beside(&server).with("KEYS__DIR", &keys);
    refuses(&other, FAILED, &says);
    let command = other.run(&["users", "list"], "");
    check_failure(&command, FAILED, &says);
    let mixed = other.with("TOKENS__ALLOW_MIXED_REPLICAS", "true");
    refuses(&mixed, FAILED, &says);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_with_another_bus_does_not_start_unless_it_is_allowed() {
    let server = first();
    let other = beside(&server).with("REDIS__URL", "");
    let says = [
        "AUTHAPI_REDIS__URL: invalidations of sessions go through postgres here and through redis at",
        "would miss the invalidations of the other",
        "AUTHAPI_TOKENS__ALLOW_MIXED_REPLICAS=true",
    ];
    refuses(&other, FAILED, &says);
    let mixed = other.with("TOKENS__ALLOW_MIXED_REPLICAS", "true").start();
    let pair = mixed.client().user("alice").await;
    assert_eq!(server.client().me_code(&pair.access).await, "accepted");
    // Slower, but as reliable: the other replica's lease has expired when the logout is answered.
    assert_eq!(mixed.client().log_out(&pair.access).await.status, 204);
    assert_eq!(server.client().me_code(&pair.access).await, "token_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_replicas_may_change_one_by_one_do_not_keep_them_from_starting() {
    let server = first();
    // The first step of a rotation: a key that is published and does not sign.
    server.place().command_succeeds(&["keys", "generate"], "");
    let rotating = beside(&server).start();
    let pair = rotating.client().user("alice").await;
    assert_eq!(server.client().me_code(&pair.access).await, "accepted");
    let changed = beside(&server).with("TOKENS__ACCESS_TTL", "5m").start();
    let says = |line: &str| line.contains("AUTHAPI_TOKENS__ACCESS_TTL").then_some(());
    assert!(changed.log().lines().iter().any(|line| says(line).is_some()));
    assert_eq!(changed.client().me_code(&pair.access).await, "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_issuer_starts_if_it_is_allowed_or_the_others_have_stopped() {
    let other = "https://other.example.com";
    let server = first();
    let mixed = beside(&server)
        .with("TOKENS__ISSUER", other)
        .with("TOKENS__ALLOW_MIXED_REPLICAS", "true")
        .start();
    let pair = mixed.client().user("alice").await;
    assert_eq!(server.client().me_code(&pair.access).await, "token_invalid");
    drop(mixed.terminate());
    let stopped = server.terminate();
    let server = stopped.place.with("TOKENS__ISSUER", other).start();
    assert_eq!(server.client().me_code(&pair.access).await, "accepted");
}
