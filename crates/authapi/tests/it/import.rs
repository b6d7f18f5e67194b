//! Import and export of users.

use crate::{
    client::PASSWORD,
    server::{Place, Run, Server},
};
use serde_json::{Value, json};
use std::fs;

/// A hash in Django's PBKDF2 format; all users here have its password.
const HASH: &str = "pbkdf2_sha256$1000$authapitestsalt16$Tx2u2i3V+T1iYqKYxzlOufk42hpLc1t6IvzF8T3VSKA=";

/// A bcrypt hash of the password of [`HASH`].
const BCRYPT: &str = "$2b$04$aTsUwsyowQuzRrDqFflhgekRggwm4cvrKpkzCALAlyetScVwPoQtG";

fn user(login: &str) -> Value {
    json!({"login": login, "password_hash": HASH})
}

fn with(mut user: Value, name: &str, value: &Value) -> Value {
    user[name] = value.clone();
    user
}

fn jsonl(users: &[Value]) -> String {
    let lines = users.iter().map(Value::to_string);
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn import(place: &Place, input: &str, more: &[&str]) -> Run {
    let arguments = [&["users", "import", "-", "--json"], more].concat();
    place.run(&arguments, input)
}

/// The numbers of imported, existing and refused users.
fn counts(run: &Run) -> (u64, u64, u64) {
    let summary: Value = serde_json::from_str(&run.stdout).expect("the output is a JSON summary");
    let count = |name: &str| summary[name].as_u64().expect("the summary contains the number");
    (count("imported"), count("already_there"), count("refused"))
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_users_log_in_with_their_old_passwords_and_an_import_can_be_run_again() {
    let server = Server::start();
    let client = server.client();
    let mut users: Vec<Value> = (0..2_500).map(|number| user(&format!("user{number}"))).collect();
    users[0] = with(users[0].clone(), "password_hash", &json!(BCRYPT));
    users[7] = with(users[7].clone(), "disabled", &json!(true));
    users[8] = with(users[8].clone(), "roles", &json!([]));
    users[9] = with(
        users[9].clone(),
        "created_at",
        &json!("2019-05-01T08:00:00+02:00"),
    );

    let first = import(server.place(), &jsonl(&users[..1_500]), &[]);
    assert_eq!(
        (first.code, counts(&first)),
        (Some(0), (1_500, 0, 0)),
        "{}",
        first.stderr
    );
    let second = import(server.place(), &jsonl(&users), &[]);
    assert_eq!(
        (second.code, counts(&second)),
        (Some(0), (1_000, 1_500, 0)),
        "{}",
        second.stderr
    );

    let hashes = async |login: &str| {
        let query = format!("SELECT password_hash AS finding FROM users WHERE canonical_login = '{login}'");
        server.place().database().find(&query).await
    };
    assert_eq!(hashes("user0").await, [BCRYPT]);
    for login in ["USER0", "user2499"] {
        let pair = client.session(login).await;
        assert_eq!(client.me(&pair.access).await.body["roles"], json!(["user"]));
    }
    // Login replaces an imported hash with one of this service.
    for (login, kind) in [
        ("user0", "$argon2id$"),
        ("user1", "pbkdf2_sha256$"),
        ("user2499", "$argon2id$"),
    ] {
        let found = hashes(login).await;
        assert!(found[0].starts_with(kind), "{login}: {found:?}");
    }
    assert_eq!(
        client.logging_in("user7", PASSWORD).send().await.code(),
        "invalid_credentials"
    );
    let pair = client.session("user8").await;
    assert_eq!(client.me(&pair.access).await.body["roles"], json!([]));
    let pair = client.session("user9").await;
    assert_eq!(
        client.me(&pair.access).await.body["created_at"],
        "2019-05-01T06:00:00Z"
    );
    let events = "SELECT count(*) || '' AS finding FROM audit_trail WHERE action = 'user_imported'";
    assert_eq!(server.place().database().find(events).await, ["2500"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_lines_are_reported_by_number_and_the_others_are_imported() {
    let place = Place::new();
    // A dry run does not create the database.
    place.command_succeeds(&["migrate", "up"], "");
    let mut input = jsonl(&[
        user("alice"),
        user("x"),
        with(user("bob"), "password_hash", &json!("SECRET")),
        with(user("carol"), "roles", &json!(["wizard"])),
        with(user("bob"), "role", &json!("user")),
        json!({"login": "bob"}),
        user("ALICE"),
    ]);
    input.push_str(&"x".repeat(70_000));
    input.push_str("\nnonsense\n\n");
    input.push_str(&jsonl(&[user("bob")]));
    let expected = [
        (2, "login_too_short"),
        (3, "hash_unknown_form"),
        (4, "unknown_role"),
        (5, "unknown_field"),
        (6, "missing_field"),
        (8, "line_too_long"),
        (9, "not_json"),
    ];

    let dry_run = import(&place, &input, &["--dry-run"]);
    assert_eq!(dry_run.code, Some(1));
    // The dry run finds no existing users.
    assert_eq!(counts(&dry_run), (3, 0, 7), "{}", dry_run.stderr);
    assert_eq!(place.command_succeeds(&["users", "list"], ""), "");

    let told = import(&place, &input, &[]);
    assert_eq!(
        (told.code, counts(&told)),
        (Some(1), (2, 1, 7)),
        "{}",
        told.stderr
    );
    for run in [&dry_run, &told] {
        let lines: Vec<&str> = run.stderr.lines().collect();
        assert_eq!(lines.len(), expected.len() + 1, "{}", run.stderr);
        for (line, (number, code)) in lines.iter().zip(expected) {
            assert!(line.starts_with(&format!("line {number}: {code}: ")), "{line}");
            assert!(!line.contains("SECRET"), "{line}");
        }
        assert_eq!(lines[expected.len()], "authapi: 7 lines were refused");
    }

    let again = import(&place, &input, &["--rejects", "rejects.jsonl"]);
    assert_eq!((again.code, counts(&again)), (Some(1), (0, 3, 7)));
    assert_eq!(again.stderr, "authapi: 7 lines were refused\n");
    let rejects = fs::read_to_string(place.path().join("rejects.jsonl")).expect("the file can be read");
    for (line, (number, code)) in rejects.lines().zip(expected) {
        let line: Value = serde_json::from_str(line).expect("the line is JSON");
        assert_eq!(
            (&line["line"], &line["code"]),
            (&json!(number), &json!(code)),
            "{line}"
        );
    }
    assert_eq!(rejects.lines().count(), expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_with_hashes_can_be_imported_elsewhere_in_both_formats() {
    let first = Place::new();
    let users = [
        with(user("Alice"), "roles", &json!(["admin", "user"])),
        with(user("bob"), "roles", &json!([])),
        with(user("eve"), "disabled", &json!(true)),
    ];
    assert_eq!(import(&first, &jsonl(&users), &[]).code, Some(0));
    let plain = first.command_succeeds(&["users", "export"], "");
    assert_eq!(plain.lines().count(), 3);
    assert!(
        !plain.contains("pbkdf2") && !plain.contains("password_hash"),
        "{plain}"
    );

    for format in ["jsonl", "csv"] {
        let export = ["users", "export", "--with-password-hashes", "--format", format];
        let exported = first.command_succeeds(&export, "");
        let second = Place::new();
        fs::write(second.path().join(format!("users.{format}")), &exported).expect("the file can be written");
        let import = ["users", "import", &format!("users.{format}")];
        assert_eq!(
            second.command_succeeds(&import, ""),
            "imported 3, already existing 0, refused 0\n"
        );
        // Ids are new, and no user has logged in.
        let known = |text: &str| -> Vec<Value> {
            let rows = text
                .lines()
                .map(|line| serde_json::from_str(line).expect("the line is JSON"));
            rows.map(|row: Value| with(row, "id", &Value::Null)).collect()
        };
        assert_eq!(
            known(&second.command_succeeds(&["users", "export"], "")),
            known(&plain),
            "{format}"
        );
        let server = second.start();
        let client = server.client();
        let pair = client.session("alice").await;
        assert_eq!(
            client.me(&pair.access).await.body["roles"],
            json!(["admin", "user"])
        );
    }
}

/// Python's bcrypt made these hashes of the NFD and the NFKC of `péché ﬁne`, which contains a
/// ligature.
#[tokio::test(flavor = "multi_thread")]
async fn imported_hashes_of_other_normalisation_forms_verify_and_are_replaced() {
    const COMPOSED: &str = "p\u{e9}ch\u{e9} \u{fb01}ne";
    const DECOMPOSED: &str = "pe\u{301}che\u{301} \u{fb01}ne";
    let server = Server::start();
    let client = server.client();
    let of = |login, hash: &str| with(user(login), "password_hash", &json!(hash));
    let users = [
        of(
            "nfd-user",
            "$2b$04$GpW0cibFGrWlVnA//X87N.L9jNWjZviW4VfFHQDfQOVMRPKjvpxd2",
        ),
        of(
            "nfkc-user",
            "$2b$04$pcahXF6m3nnAzabi8By/M.nCuMizIX7Q5QjEcmv6Lj9OH769sdNjC",
        ),
    ];
    let run = import(server.place(), &jsonl(&users), &[]);
    assert_eq!((run.code, counts(&run)), (Some(0), (2, 0, 0)), "{}", run.stderr);
    for login in ["nfd-user", "nfkc-user"] {
        let wrong = client
            .logging_in(login, "p\u{ea}ch\u{e9} \u{fb01}ne")
            .send()
            .await;
        assert_eq!(wrong.code(), "invalid_credentials");
        // The second login is with the hash of this service.
        for password in [COMPOSED, DECOMPOSED] {
            let answer = client.logging_in(login, password).send().await;
            assert_eq!(answer.status, 200, "{login} with {password:?}: {:?}", answer.body);
        }
        let query = format!("SELECT password_hash AS finding FROM users WHERE canonical_login = '{login}'");
        let found = server.place().database().find(&query).await;
        assert!(found[0].starts_with("$argon2id$"), "{found:?}");
    }
}

#[test]
fn a_whole_wrong_file_is_refused_in_one_line_and_nothing_is_stored() {
    let place = Place::new();
    let array = serde_json::to_string_pretty(&json!([user("ann"), user("bob")])).expect("JSON");
    let csv = |separator: &str| {
        let row = ["ann", HASH].join(separator);
        format!("login{separator}password_hash\n{row}\n{row}\n")
    };
    let other = "{\"name\":\"ann\",\"hash\":\"x\"}\n".repeat(2_500);
    for (name, content, says) in [
        ("array.jsonl", array.as_str(), "it is a JSON array"),
        (
            "line.jsonl",
            &json!([user("ann")]).to_string(),
            "it is a JSON array",
        ),
        ("pretty.jsonl", &array[1..], "line 2: not_json: "),
        ("table.jsonl", &csv(","), "--format csv"),
        ("table.csv", &csv(";"), "separated by semicolons"),
        ("array.csv", &array, "--format jsonl"),
        ("other.jsonl", &other, "none of the first 1000 lines"),
    ] {
        fs::write(place.path().join(name), content).expect("a file");
        for more in [&[][..], &["--dry-run"]] {
            let run = place.run(&[&["users", "import", name], more].concat(), "");
            assert_eq!(
                (run.code, run.stdout.as_str()),
                (Some(1), ""),
                "{name}: {}",
                run.stderr
            );
            assert!(run.stderr.contains(says), "{name}: {}", run.stderr);
            assert!(run.stderr.contains(name), "{}", run.stderr);
            assert_eq!(run.stderr.lines().count(), 1, "{name}: {}", run.stderr);
        }
    }
    assert_eq!(place.command_succeeds(&["users", "list", "--json"], ""), "");
}

#[test]
fn many_lines_that_are_refused_for_one_reason_are_counted_instead_of_listed() {
    let place = Place::new();
    let weak = |number| {
        with(
            user(&format!("user{number}")),
            "password_hash",
            &json!("md5$salt$0123"),
        )
    };
    let mut users: Vec<Value> = (0..2_500).map(weak).collect();
    users.push(json!({"login": "ann"}));
    let run = import(&place, &jsonl(&users), &[]);
    assert_eq!((run.code, counts(&run)), (Some(1), (0, 0, 2_501)));
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 20 + 1 + 1 + 1, "{}", run.stderr);
    assert!(lines[..20].iter().all(|line| line.contains(": hash_too_weak: ")));
    assert!(
        lines[20].starts_with("line 2501: missing_field: "),
        "{}",
        run.stderr
    );
    assert_eq!(
        lines[21],
        "2480 more lines: hash_too_weak; --rejects FILE lists all"
    );

    let run = import(&place, &jsonl(&users), &["--rejects", "rejects.jsonl"]);
    assert_eq!(run.code, Some(1));
    let rejects = fs::read_to_string(place.path().join("rejects.jsonl")).expect("a file");
    assert_eq!(rejects.lines().count(), 2_501);
}

#[test]
fn a_registration_in_the_future_is_refused_and_not_changed() {
    let place = Place::new();
    place.command_succeeds(&["migrate", "up"], "");
    let users = [
        user("alice"),
        with(user("bob"), "created_at", &json!("9999-12-31T23:59:59Z")),
    ];
    for more in [&["--dry-run"][..], &[]] {
        let run = import(&place, &jsonl(&users), more);
        assert_eq!((run.code, counts(&run)), (Some(1), (1, 0, 1)), "{}", run.stderr);
        assert!(
            run.stderr
                .starts_with("line 2: created_in_future: created_at is in the future"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_stops_the_import_in_one_line() {
    let place = Place::new();
    fs::write(place.path().join("users.csv"), "login,hash\nann,x\n").expect("the file can be written");
    for (file, says) in [
        ("absent.jsonl", "absent.jsonl cannot be read"),
        ("users.csv", "is not a valid header"),
    ] {
        let run = place.run(&["users", "import", file], "");
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(
            run.stderr.contains(says) && run.stderr.lines().count() == 1,
            "{}",
            run.stderr
        );
    }
}
