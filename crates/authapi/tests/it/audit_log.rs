//! The audit log on the command line: queries, verification and retention.

use crate::{
    backing::Database,
    client::PASSWORD,
    server::{Place, Run, Server},
};
use serde_json::{Value, json};
use std::{
    fs,
    time::{Duration, Instant},
};

fn events(place: &Place, more: &[&str]) -> Vec<Value> {
    let arguments = [&["audit", "list", "--json"], more].concat();
    let printed = place.command_succeeds(&arguments, "");
    let lines = printed.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("every line is JSON")
}

fn actions(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| event["action"].as_str())
        .collect()
}

fn verify(place: &Place, more: &[&str]) -> Run {
    place.run(&[&["audit", "verify", "--json"], more].concat(), "")
}

fn verification(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).expect("the output is JSON")
}

/// A place whose audit log has about twenty events.
fn place_with_audit_log() -> Place {
    let place = Place::new();
    for number in 0..4 {
        let login = format!("user{number}");
        place.command_succeeds(&["users", "create", "--login", &login], PASSWORD);
        for command in ["disable", "enable", "disable", "enable"] {
            place.command_succeeds(&["users", command, "--login", &login], "");
        }
    }
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_seals_the_event_that_it_writes() {
    let place = Place::new();
    place.command_succeeds(&["users", "create", "--login", "alice"], PASSWORD);
    place.command_succeeds(&["users", "disable", "--login", "alice"], "");
    // Without the audit key, the verification seals nothing itself.
    let key = place.command_succeeds(&["audit", "public-key"], "");
    let run = verify(&place, &["--public-key", key.trim_end()]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let found = verification(&run);
    assert_eq!((&found["checked"], &found["pending"]), (&json!(2), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_filtered_by_user_actor_action_and_time() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let alice = client.user("alice").await;
    let root = client.session("root").await;
    let refused = client
        .logging_in("alice", "wrong horse battery staple")
        .send()
        .await;
    assert_eq!(refused.status, 401);
    let call = client.assigning(&root.access, "alice", &["user", "admin"], true);
    assert_eq!(call.send().await.status, 200);

    let place = server.place();
    let of_alice = events(place, &["--login", "Alice"]);
    let expected = ["roles_changed", "login_failed", "logged_in", "user_registered"];
    assert_eq!(actions(&of_alice), expected);
    assert_eq!(
        of_alice[0]["details"],
        json!({"before": "user", "after": "admin user", "kept_sessions": "true"})
    );
    assert_eq!(of_alice[1]["outcome"], "failure");
    let root_id = client.me(&root.access).await.body["id"].clone();
    assert_eq!(of_alice[0]["actor"], root_id);
    let root_id = root_id.as_str().expect("the user has an id");
    assert_eq!(
        actions(&events(place, &["--actor", root_id])),
        ["roles_changed", "logged_in"]
    );
    assert_eq!(
        actions(&events(place, &["--action", "logged_in", "--limit", "1"])),
        ["logged_in"]
    );
    assert_eq!(events(place, &["--until", "2020-01-01"]), [Value::Null; 0]);
    let numbers: Vec<i64> = events(place, &[])
        .iter()
        .filter_map(|event| event["number"].as_i64())
        .collect();
    let without_gaps = numbers
        .iter()
        .rev()
        .zip(1..)
        .all(|(number, expected)| *number == expected);
    assert!(without_gaps, "newest first: {numbers:?}");
    let table = place.command_succeeds(&["audit", "list"], "");
    assert!(
        table.starts_with("NUMBER") && table.contains("roles_changed"),
        "{table}"
    );
    assert_eq!(client.me_code(&alice.access).await, "token_outdated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_audit_log_verifies_with_its_last_seal_as_anchor() {
    let place = place_with_audit_log();
    let intact = verify(&place, &[]);
    assert_eq!(intact.code, Some(0), "{}", intact.stderr);
    let intact = verification(&intact);
    assert_eq!(
        (&intact["intact"], &intact["checked"]),
        (&json!(true), &json!(20))
    );
    let anchor = intact["head"]
        .as_str()
        .expect("the output contains the head")
        .to_owned();
    assert!(anchor.starts_with("20:"), "{anchor}");
    place.command_succeeds(&["users", "disable", "--login", "user0"], "");

    let plain = place.command_succeeds(&["audit", "verify", "--anchor", &anchor], "");
    assert!(
        plain.starts_with("21 events are unchanged; the last is 21:"),
        "{plain}"
    );
    let mut digits = anchor.clone().into_bytes();
    let last = digits.last_mut().expect("the seal has digits");
    *last = if *last == b'0' { b'1' } else { b'0' };
    let other = String::from_utf8(digits).expect("the digits are ASCII");
    let refused = verify(&place, &["--anchor", &other]);
    assert_eq!(
        (refused.code, &verification(&refused)["event"]),
        (Some(1), &json!(20))
    );
    // An attacker has deleted the newest events and reset the head.
    let digits = &anchor[3..];
    let beyond = verify(&place, &["--anchor", &format!("99:{digits}")]);
    assert_eq!(
        (beyond.code, &verification(&beyond)["event"]),
        (Some(1), &json!(22))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_a_deleted_row_and_swapped_rows_are_found_by_number() {
    for (tampering, number, says) in [
        (
            "UPDATE audit_trail SET details = '{\"roles\":\"admin\"}' WHERE number = 6",
            6,
            "has been changed",
        ),
        (
            "UPDATE audit_trail SET at = at + @SECOND@ WHERE number = 3",
            3,
            "has been changed",
        ),
        (
            "UPDATE audit_trail SET actor_kind = 'unknown' WHERE number = 20",
            20,
            "has been changed",
        ),
        ("DELETE FROM audit_trail WHERE number = 11", 11, "is missing"),
        ("DELETE FROM audit_trail WHERE number = 20", 20, "is missing"),
        (
            "UPDATE audit_trail SET number = 1000 WHERE number = 7; \
             UPDATE audit_trail SET number = 7 WHERE number = 8; \
             UPDATE audit_trail SET number = 8 WHERE number = 1000",
            7,
            "has been changed",
        ),
        (
            "INSERT INTO audit_trail (number, at, action, actor_kind, details, seal) \
             SELECT 21, at, action, actor_kind, details, seal FROM audit_trail WHERE number = 20",
            21,
            "was added",
        ),
    ] {
        let place = place_with_audit_log();
        let second = match place.database() {
            Database::Sqlite(_) => "1000000",
            Database::Postgres(_) => "INTERVAL '1 second'",
        };
        place
            .database()
            .tamper(&tampering.replace("@SECOND@", second))
            .await;
        let found = verify(&place, &[]);
        assert_eq!(found.code, Some(1), "{tampering}: {}", found.stdout);
        let verification = verification(&found);
        assert_eq!(
            (&verification["intact"], &verification["event"]),
            (&json!(false), &json!(number)),
            "{tampering}"
        );
        assert!(
            found.stderr.contains(&format!("event {number} ")),
            "{}",
            found.stderr
        );
        assert!(
            found.stderr.contains(says) && found.stderr.lines().count() == 1,
            "{}",
            found.stderr
        );
    }
}

/// Starts a server until it has signed the end of the log.
async fn checkpointed(place: Place) -> Place {
    let server = place.start();
    let checkpoint = server.place().keys().join("audit.checkpoint");
    let deadline = Instant::now() + Duration::from_mins(1);
    while !checkpoint.exists() {
        assert!(Instant::now() < deadline, "no checkpoint was signed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.terminate().place
}

/// Removes the newest of 20 events, and moves the end of the log.
const CUT: &str = "DELETE FROM audit_trail WHERE number = 20; \
    UPDATE audit_chain SET head_number = 19, head_seal = (SELECT seal FROM audit_trail WHERE number = 19)";

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_contradicts_its_checkpoint_is_refused_until_it_is_accepted() {
    let place = checkpointed(place_with_audit_log()).await;
    assert_eq!(verification(&verify(&place, &[]))["covered"], json!(20));
    place.database().tamper(CUT).await;

    let found = verify(&place, &[]);
    assert_eq!(found.code, Some(1), "{}", found.stdout);
    assert_eq!(verification(&found)["event"], json!(20));
    let refused = place.run(&["serve"], "");
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    for part in [
        "the audit log cannot be continued",
        "authapi audit accept",
        "event 20 is missing",
    ] {
        assert!(refused.stderr.contains(part), "no {part:?} in {}", refused.stderr);
    }

    place.command_succeeds(&["audit", "accept"], "");
    let intact = verify(&place, &[]);
    assert_eq!(intact.code, Some(0), "{}", intact.stderr);
    assert_eq!(verification(&intact)["covered"], json!(20));
    let accepted = events(&place, &["--action", "audit_log_accepted"]);
    let details = &accepted[0]["details"];
    let starts_with = |detail: &str, start| {
        details[detail]
            .as_str()
            .is_some_and(|text| text.starts_with(start))
    };
    assert!(
        starts_with("head", "19:") && starts_with("checkpoint", "20:"),
        "{details}"
    );
    drop(place.start());
}

/// Removes what only a program with the audit key writes, as an attacker without the key folder
/// does, and makes the log look like one of a version before MACs.
const WITHOUT_MACS: &str = "DELETE FROM audit_checkpoints; UPDATE audit_trail SET mac = NULL";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_generates_the_audit_key_vouches_for_the_events_of_an_older_version() {
    let place = place_with_audit_log();
    place.database().tamper(WITHOUT_MACS).await;
    for file in place.key_files("audit.key") {
        fs::remove_file(file).expect("the file exists");
    }
    let place = checkpointed(place).await;
    let intact = verify(&place, &[]);
    assert_eq!(intact.code, Some(0), "{}", intact.stderr);
    assert_eq!(verification(&intact)["covered"], json!(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_macs_and_checkpoints_is_not_signed_until_the_operator_accepts_it() {
    let place = checkpointed(place_with_audit_log()).await;
    place.database().tamper(WITHOUT_MACS).await;
    fs::remove_file(place.keys().join("audit.checkpoint")).expect("the file exists");

    let server = place.start();
    server.wait_until_each_says("an event has no MAC, and there is no checkpoint yet");
    let found = verify(server.place(), &[]);
    assert_eq!(found.code, Some(1), "{}", found.stdout);
    assert_eq!(verification(&found)["event"], json!(1));
    let says = "event 1 has no MAC, and there is no checkpoint yet; the seals of all events are right";
    assert!(found.stderr.contains(says), "{}", found.stderr);

    server.place().command_succeeds(&["audit", "accept"], "");
    let intact = verify(server.place(), &[]);
    assert_eq!(intact.code, Some(0), "{}", intact.stderr);
    assert_eq!(verification(&intact)["covered"], json!(21));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checkpoint_of_another_database_is_set_aside_by_each_command_that_creates_one() {
    let checkpoint = "another database";
    for arguments in [&["migrate", "up"][..], &["users", "create", "--login", "alice"]] {
        let place = Place::new();
        let generated = place.run(&["keys", "generate"], "");
        assert_eq!(generated.code, Some(0), "{}", generated.stderr);
        fs::write(place.keys().join("audit.checkpoint"), checkpoint).expect("the folder is writable");
        place.command_succeeds(arguments, PASSWORD);
        let aside = place.key_files("Z").pop().expect("the file was renamed");
        assert_eq!(
            fs::read_to_string(aside).expect("the file is readable"),
            checkpoint
        );
        assert!(!place.keys().join("audit.checkpoint").exists(), "{arguments:?}");
        drop(place.start());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_events_before_a_shutdown_are_signed() {
    let server = checkpointed(place_with_audit_log()).await.start();
    let client = server.client();
    client.user("carol").await;
    let place = server.terminate().place;
    let intact = verify(&place, &[]);
    assert_eq!(intact.code, Some(0), "{}", intact.stderr);
    let head = verification(&intact)["head"].clone();
    let (last, _) = head
        .as_str()
        .and_then(|head| head.split_once(':'))
        .expect("the head has a number");
    assert_eq!(verification(&intact)["covered"].to_string(), last);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_without_the_audit_key_fails_before_it_migrates() {
    let place = Place::new();
    place.command_succeeds(&["migrate", "up"], "");
    for _ in 0..2 {
        place.command_succeeds(&["migrate", "down"], "");
    }
    place.command_succeeds(&["keys", "generate"], "");
    for file in place.key_files("audit.key") {
        fs::remove_file(file).expect("the file exists");
    }
    let place = place.with("KEYS__GENERATE_MISSING", "false");
    let before = place.command_succeeds(&["migrate", "status"], "");
    assert!(before.contains("pending"), "{before}");
    for arguments in [&["serve"][..], &["users", "list"]] {
        let refused = place.run(arguments, "");
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("audit.key is missing"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(place.command_succeeds(&["migrate", "status"], ""), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_another_audit_key_is_refused_before_it_seals_or_writes() {
    let place = Place::new();
    place.command_succeeds(&["users", "create", "--login", "alice"], PASSWORD);
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("keys");
    let keys = other.display().to_string();
    let settings = [("KEYS__DIR", &*keys)];
    let is_refused = |says: &str| {
        for arguments in [
            &["audit", "list"][..],
            &["users", "create", "--login", "bob"],
            &["serve"],
        ] {
            let refused = place.run_with(&settings, arguments, PASSWORD);
            assert_eq!(refused.code, Some(1), "{arguments:?}: {}", refused.stderr);
            for part in [says, &keys, "authapi audit accept"] {
                assert!(refused.stderr.contains(part), "no {part:?} in {}", refused.stderr);
            }
        }
    };
    is_refused("audit.key is missing, and the audit log of this database was written with an audit key");
    assert!(!other.join("audit.key").exists(), "no second key is generated");
    let generated = place.run_with(&settings, &["keys", "generate"], "");
    assert_eq!(generated.code, Some(0), "{}", generated.stderr);
    is_refused("is not the audit key of this database");

    assert_eq!(actions(&events(&place, &[])), ["user_registered"]);
    let intact = verify(&place, &[]);
    assert_eq!(intact.code, Some(0), "{}", intact.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_kept_elsewhere_is_verified_with_the_public_key_alone() {
    let place = checkpointed(place_with_audit_log()).await;
    let key = place.command_succeeds(&["audit", "public-key"], "");
    let key = key.trim_end();
    let witness = place.path().join("witness.txt");
    fs::copy(place.keys().join("audit.checkpoint"), &witness).expect("the checkpoint can be copied");
    let witness = witness.display().to_string();
    for file in place
        .key_files("audit.key")
        .into_iter()
        .chain(place.key_files("audit.checkpoint"))
    {
        fs::remove_file(file).expect("the file exists");
    }
    let arguments = ["--public-key", key, "--checkpoint", &witness];
    let intact = verify(&place, &arguments);
    assert_eq!(intact.code, Some(0), "{}", intact.stderr);

    place.database().tamper(CUT).await;
    place.database().tamper("DELETE FROM audit_checkpoints").await;
    let intact = verify(&place, &["--public-key", key]);
    assert_eq!(intact.code, Some(0), "without a witness: {}", intact.stderr);
    let found = verify(&place, &arguments);
    assert_eq!(found.code, Some(1), "{}", found.stdout);
    let says = "event 20 is missing: the presented checkpoint covers the events up to 20";
    assert!(found.stderr.contains(says), "{}", found.stderr);
    assert!(place.key_files("audit.key").is_empty(), "no key was generated");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_log_trimmed_by_retention_still_verifies() {
    let place = place_with_audit_log();
    let old = match place.database() {
        Database::Sqlite(_) => "at - 172800000000",
        Database::Postgres(_) => "at - INTERVAL '2 days'",
    };
    // Move the first ten events two days into the past.
    place
        .database()
        .tamper(&format!("UPDATE audit_trail SET at = {old} WHERE number <= 10"))
        .await;
    let server = place.with("AUDIT__RETENTION", "1d").start();
    let trimmed = "SELECT number || '' AS finding FROM audit_trail WHERE action = 'trail_trimmed'";
    let deadline = Instant::now() + Duration::from_mins(1);
    while server.place().database().find(trimmed).await.is_empty() {
        assert!(Instant::now() < deadline, "nothing was trimmed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left = events(server.place(), &[]);
    let numbers: Vec<i64> = left.iter().filter_map(|event| event["number"].as_i64()).collect();
    assert_eq!(numbers.last(), Some(&11));
    let trimming: Vec<&Value> = left
        .iter()
        .filter(|event| event["action"] == "trail_trimmed")
        .collect();
    assert_eq!(trimming[0]["details"], json!({"count": "10", "through": "10"}));
    let verified = verify(server.place(), &[]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert_eq!(verification(&verified)["checked"], json!(numbers.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_logins_over_the_quota_are_counted_at_the_latest_when_the_server_stops() {
    let server: Server = Place::new().with("AUDIT__FAILURES_PER_MINUTE", "3").start();
    let client = server.client();
    client.register("alice").await;
    for _ in 0..20 {
        let refused = client
            .logging_in("alice", "wrong horse battery staple")
            .send()
            .await;
        assert_eq!(refused.status, 401);
    }
    let replicas = server.replicas();
    let place = server.terminate().place;
    let kept = events(&place, &["--login", "alice", "--action", "login_failed"]).len();
    // Each replica counts separately, and a new minute may begin during the test.
    assert!((3..=6 * replicas).contains(&kept), "{kept}");
    let counts = events(&place, &["--login", "alice", "--action", "failures_omitted"]);
    let count = |event: &Value| -> usize {
        assert_eq!(event["details"]["action"], "login_failed");
        let count = event["details"]["count"].as_str().expect("the event has a count");
        count.parse().expect("the count is a number")
    };
    assert_eq!(kept + counts.iter().map(count).sum::<usize>(), 20);
}
