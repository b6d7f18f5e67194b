//! Failed starts. Each prints one line with the cause and the remedy, exits with the expected code
//! and does not panic.

use crate::{
    client::PASSWORD,
    server::{Place, Run, Server},
};
use serde_json::Value;
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

/// The exit code for any other failure.
pub const FAILED: i32 = 1;
/// The exit code for an invalid setting or command line.
const MISUSED: i32 = 2;

/// Checks that a start failed with `code` and one line that contains every part of `says`.
pub fn check_failure(run: &Run, code: i32, says: &[&str]) {
    assert_eq!(run.code, Some(code), "{says:?}: {}", run.stderr);
    let (events, failures): (Vec<&str>, Vec<&str>) =
        run.stderr.lines().partition(|line| line.starts_with('{'));
    let [failure] = failures[..] else {
        panic!("expected one line: {failures:#?}");
    };
    assert!(failure.starts_with("authapi: "), "{failure}");
    for part in says {
        assert!(failure.contains(part), "no {part:?} in {failure:?}");
    }
    for event in events {
        let event: Value = serde_json::from_str(event).expect("the line is JSON");
        assert!(
            matches!(event["level"].as_str(), Some("INFO" | "WARN")),
            "logged twice: {event}"
        );
    }
    assert_eq!(run.stdout, "");
    assert!(
        !run.stderr.contains("panicked") && !run.stderr.contains("RUST_BACKTRACE"),
        "{}",
        run.stderr
    );
}

pub fn refuses(place: &Place, code: i32, says: &[&str]) {
    check_failure(&place.run(&["serve"], ""), code, says);
}

/// Returns a place in which a server has run and stopped.
pub fn used() -> Place {
    let stopped = Server::start().terminate();
    assert_eq!(stopped.status.code(), Some(0));
    stopped.place
}

pub fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_port_in_use_fails_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("the listener has an address");
    let place = Place::new().with("SERVER__PORT", &address.port().to_string());
    let says = [
        &address.to_string(),
        "is in use by another program",
        "AUTHAPI_SERVER__PORT",
    ];
    refuses(&place, FAILED, &says);
}

#[test]
fn a_metrics_port_in_use_fails_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("the listener has an address");
    let place = Place::new().with("METRICS__PORT", &address.port().to_string());
    let says = [
        &address.to_string(),
        "is in use by another program",
        "AUTHAPI_METRICS__PORT",
    ];
    refuses(&place, FAILED, &says);
    assert!(!place.path().join("data").exists(), "no file is created");
}

#[test]
fn an_address_of_another_machine_fails_the_start() {
    let place = Place::new().with("SERVER__HOST", "192.0.2.1");
    refuses(
        &place,
        FAILED,
        &[
            "192.0.2.1",
            "is not an address of this machine",
            "AUTHAPI_SERVER__HOST",
        ],
    );
}

#[test]
fn a_malformed_key_fails_the_start() {
    let place = used();
    let key = place.key_files(".signing.pem").remove(0);
    fs::write(&key, "garbage").expect("the file is written");
    refuses(
        &place,
        FAILED,
        &[&text(&key), "is not a private key", "openssl pkcs8"],
    );
    let pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    fs::write(&key, pem).expect("the file is written");
    refuses(&place, FAILED, &[&text(&key), "not supported"]);
}

#[test]
fn keys_that_others_can_read_fail_the_start() {
    let place = used();
    for end in [".signing.pem", "refresh.key"] {
        let key = place.key_files(end).remove(0);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("the mode is set");
        refuses(
            &place,
            FAILED,
            &["is accessible to others", &text(&key), "0644", "chmod 600"],
        );
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("the mode is set");
    }
    drop(place.start());
}

#[test]
fn two_signing_keys_fail_the_start() {
    let place = used();
    place.command_succeeds(&["keys", "generate"], "");
    let published = place.key_files(".published.pem").remove(0);
    let signing = text(&published).replace(".published.", ".signing.");
    fs::rename(&published, &signing).expect("the file is renamed");
    refuses(
        &place,
        FAILED,
        &["are both signing keys", &signing, ".retired.pem"],
    );
}

#[test]
fn missing_truncated_and_unreadable_keys_fail_the_start() {
    let place = Place::new().with("KEYS__GENERATE_MISSING", "false");
    refuses(&place, FAILED, &["the key folder", "authapi keys generate"]);
    let place = used().with("KEYS__GENERATE_MISSING", "false");
    let refresh_key = place.key_files("refresh.key").remove(0);
    fs::write(&refresh_key, "too short").expect("the file is written");
    refuses(
        &place,
        FAILED,
        &[&text(&refresh_key), "does not contain 32 bytes"],
    );
    fs::remove_file(&refresh_key).expect("the file exists");
    refuses(&place, FAILED, &[&text(&refresh_key), "is missing"]);
    let signing = place.key_files(".signing.pem").remove(0);
    fs::remove_file(&signing).expect("the file exists");
    refuses(
        &place,
        FAILED,
        &["contains no signing key", "authapi keys generate"],
    );
    symlink("/nowhere/at/all.pem", &signing).expect("the link is created");
    refuses(&place, FAILED, &["cannot read", &text(&signing)]);
}

#[test]
fn invalid_settings_fail_the_start() {
    let place = Place::new();
    for (name, value, says) in [
        (
            "SERVER__PORT",
            "http",
            &["AUTHAPI_SERVER__PORT", "\"http\"", "0 to 65535"][..],
        ),
        ("SERVER__PORT", "65536", &["AUTHAPI_SERVER__PORT"]),
        (
            "SERVER__HOST",
            "example.com",
            &["AUTHAPI_SERVER__HOST", "IP address"],
        ),
        (
            "SERVER__TRUSTED_PROXIES",
            "10.0.0.0/99",
            &["AUTHAPI_SERVER__TRUSTED_PROXIES"],
        ),
        (
            "SERVER__PROT",
            "80",
            &["AUTHAPI_SERVER__PROT", "did you mean AUTHAPI_SERVER__PORT?"],
        ),
        (
            "TOKENS__ACCESS_TTL",
            "15 apples",
            &["AUTHAPI_TOKENS__ACCESS_TTL", "duration"],
        ),
        ("TOKENS__ACCESS_TTL", "0s", &["AUTHAPI_TOKENS__ACCESS_TTL"]),
        (
            "TOKENS__REFRESH_GRACE",
            "1h",
            &["AUTHAPI_TOKENS__REFRESH_GRACE", "at most 1m"],
        ),
        ("TOKENS__ISSUER", "not a url", &["AUTHAPI_TOKENS__ISSUER"]),
        (
            "PASSWORD__MIN_LENGTH",
            "4",
            &["AUTHAPI_PASSWORD__MIN_LENGTH", "8 to 64"],
        ),
        (
            "PASSWORD__ALLOW_WEAK_HASHING",
            "false",
            &["AUTHAPI_PASSWORD__MEMORY_KIB", "19456"],
        ),
        (
            "THROTTLE__ENABLED",
            "maybe",
            &["AUTHAPI_THROTTLE__ENABLED", "true or false"],
        ),
        ("LOG__LEVEL", "loud,,=", &["AUTHAPI_LOG__LEVEL"]),
        (
            "LOG__FORMAT",
            "xml",
            &["AUTHAPI_LOG__FORMAT", "auto, pretty or json"],
        ),
        (
            "BOOTSTRAP__ADMIN_LOGIN",
            "root",
            &[
                "AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD",
                "set together with AUTHAPI_BOOTSTRAP__ADMIN_LOGIN",
            ],
        ),
        (
            "BOOTSTRAP__ADMIN_PASSWORD_FILE",
            "/nowhere",
            &["ADMIN_PASSWORD_FILE", "/nowhere"],
        ),
        (
            "DATABASE__URL",
            "mysql://me:hunter2@db/authapi",
            &["AUTHAPI_DATABASE__URL", "postgres://user@host/authapi"],
        ),
        (
            "DATABASE__URL",
            "sqlite://:memory:",
            &["AUTHAPI_DATABASE__URL", "path of a file"],
        ),
        ("DATABASE__POOL_SIZE", "0", &["AUTHAPI_DATABASE__POOL_SIZE"]),
        (
            "REDIS__URL",
            "http://:hunter2@localhost",
            &["AUTHAPI_REDIS__URL", "redis://host:6379"],
        ),
        (
            "METRICS__PORT",
            "on",
            &["AUTHAPI_METRICS__PORT", "from 0 to 65535"],
        ),
    ] {
        let run = place.run_with(&[(name, value)], &["serve"], "");
        check_failure(&run, MISUSED, says);
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
        assert!(
            !place.path().join("data").exists() && !place.keys().exists(),
            "no file is created"
        );
    }
}

#[test]
fn invalid_settings_files_fail_the_start() {
    let place = Place::new();
    let missing = place.run(&["--config", "missing.toml"], "");
    check_failure(&missing, MISUSED, &["missing.toml", "cannot be read"]);
    fs::write(place.path().join("authapi.toml"), "[server]\nport = \n").expect("the file is written");
    refuses(&place, MISUSED, &["authapi.toml", "line 2"]);
    fs::write(place.path().join("authapi.toml"), "[server]\nprot = 1\n").expect("the file is written");
    refuses(
        &place,
        MISUSED,
        &["server.prot", "authapi.toml", "did you mean server.port?"],
    );
    fs::remove_file(place.path().join("authapi.toml")).expect("the file exists");
    fs::write(place.path().join(".env"), "AUTHAPI_LOG__LEVEL=a b hunter2\n").expect("the file is written");
    refuses(&place, MISUSED, &[".env", "AUTHAPI_LOG__LEVEL"]);
    assert!(!place.run(&["serve"], "").stderr.contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_admin_with_a_short_or_weak_password_leaves_no_database_and_no_keys() {
    for (password, says) in [
        ("hunter2", "at least 8 characters"),
        ("password1", "easy to guess"),
    ] {
        let place = Place::new()
            .with_admin("root")
            .with("BOOTSTRAP__ADMIN_PASSWORD", password);
        refuses(&place, FAILED, &["AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD", says]);
        assert!(!place.run(&["serve"], "").stderr.contains(password));
        assert!(!place.database().exists().await && !place.keys().exists());
        // With a database, the settings are used only if there is no admin.
        place.command_succeeds(&["migrate", "up"], "");
        refuses(&place, FAILED, &["AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD", says]);
        place.command_succeeds(
            &["users", "create", "--login", "root", "--role", "admin"],
            PASSWORD,
        );
        drop(place.start());
    }
}

#[test]
fn several_invalid_settings_are_reported_at_once() {
    let place = Place::new()
        .with("SERVER__PROT", "80")
        .with("LOG__LEVEL", "loud")
        .with("REDIS_PORT", "tcp://10.96.0.11:6379");
    for command in [&["serve"][..], &["config", "check"]] {
        let run = place.run(command, "");
        let lines: Vec<&str> = run.stderr.lines().collect();
        assert_eq!((run.code, lines.len()), (Some(MISUSED), 2), "{lines:#?}");
        assert!(
            lines[0].starts_with("authapi: AUTHAPI_SERVER__PROT "),
            "{lines:#?}"
        );
        assert!(lines[1].starts_with("authapi: AUTHAPI_LOG__LEVEL "), "{lines:#?}");
    }
}

#[test]
fn one_port_for_the_service_and_its_metrics() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken
        .local_addr()
        .expect("the listener has an address")
        .port()
        .to_string();
    drop(taken);
    let place = Place::new()
        .with("SERVER__PORT", &port)
        .with("METRICS__PORT", &port);
    let says = ["AUTHAPI_METRICS__PORT", "differ from AUTHAPI_SERVER__PORT"];
    refuses(&place, MISUSED, &says);
}

#[test]
fn an_unknown_command_fails_the_start() {
    let place = Place::new();
    for arguments in [
        &["sreve"][..],
        &["serve", "--port", "80"],
        &["users", "create", "--login", "a", "pw"],
    ] {
        let run = place.run(arguments, "");
        assert_eq!(run.code, Some(MISUSED), "{}", run.stderr);
        assert!(
            run.stderr.starts_with("error: ") && !run.stderr.contains("panicked"),
            "{}",
            run.stderr
        );
    }
}
