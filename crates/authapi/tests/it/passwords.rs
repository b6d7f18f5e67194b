//! The rules for new passwords: predictable words and breached passwords.

use super::start_failures::{FAILED, check_failure};
use crate::{
    client::{NEW_PASSWORD, PASSWORD},
    server::{Place, Run},
};
use serde_json::{Value, json};
use std::fs;

/// A line of a file of breached passwords, with the SHA-1 of [`NEW_PASSWORD`].
const BREACHED_LINE: &str = "AB94843F0065D3010758C61F5C7142150BBBCC4B:3\n";

/// A place with a file of breached passwords that lists [`NEW_PASSWORD`].
fn place_with_list() -> Place {
    let place = Place::new();
    let file = place.path().join("breached.txt");
    fs::write(&file, BREACHED_LINE).expect("the file can be written");
    place.with("PASSWORD__BREACHED_FILE", &file.display().to_string())
}

fn check(place: &Place, arguments: &[&str], password: &str) -> Run {
    let arguments = [&["passwords", "check"], arguments].concat();
    let run = place.run(&arguments, &format!("{password}\n"));
    assert!(!run.stdout.contains(password) && !run.stderr.contains(password));
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breached_password_is_refused_wherever_a_new_one_is_accepted_but_not_at_login() {
    // The user chose the password before the list was set.
    let place = Place::new();
    let create = ["users", "create", "--login", "bob"];
    place.command_succeeds(&create, &format!("{NEW_PASSWORD}\n"));
    let file = place.path().join("breached.txt");
    fs::write(&file, BREACHED_LINE).expect("the file can be written");
    let server = place
        .with("PASSWORD__BREACHED_FILE", &file.display().to_string())
        .start();
    let client = server.client();

    assert_eq!(client.logging_in("bob", NEW_PASSWORD).send().await.status, 200);
    let register = json!({"login": "carol", "password": NEW_PASSWORD});
    let registered = client.post("/register").json(&register).send().await;
    let alice = client.user("alice").await;
    let changed = client
        .changing_password(&alice.access, PASSWORD, NEW_PASSWORD)
        .send()
        .await;
    for (answer, field) in [(registered, "password"), (changed, "new_password")] {
        assert_eq!((answer.status, answer.code()), (422, "validation_failed"));
        let error = &answer.body["errors"][0];
        let expected = (&json!(field), &json!("password_breached"));
        assert_eq!((&error["field"], &error["code"]), expected);
    }
    let reset = ["users", "reset-password", "--login", "alice", "--password"];
    let refused = server.place().run(&reset, &format!("{NEW_PASSWORD}\n"));
    check_failure(&refused, FAILED, &["data breach"]);
}

#[test]
fn an_unusable_list_fails_the_start_with_its_file_cause_and_remedy() {
    let place = Place::new();
    let file = place.path().join("breached.txt");
    let path = file.display().to_string();
    let place = place.with("PASSWORD__BREACHED_FILE", &path);
    let says = |says| ["AUTHAPI_PASSWORD__BREACHED_FILE", path.as_str(), says];
    check_failure(&place.run(&["serve"], ""), FAILED, &says("check its path"));
    for (contents, remedy) in [
        ("", "download it again"),
        ("8846F7EAEE8FB117AD06BDD830B7586C:3\n", "not the NTLM list"),
        (
            "FF00000000000000000000000000000000000000:1\n0000000000000000000000000000000000000000:1\n",
            "LC_ALL=C sort",
        ),
    ] {
        fs::write(&file, contents).expect("the file can be written");
        check_failure(&place.run(&["serve"], ""), FAILED, &says(remedy));
    }
}

#[test]
fn a_password_is_checked_without_a_database_and_never_printed() {
    let place = place_with_list()
        .with("TOKENS__ISSUER", "https://login.zenvoria.example")
        .with("PASSWORD__FORBIDDEN_WORDS", "Acme Corp,Frühling");
    let accepted = check(&place, &["--login", "alice"], PASSWORD);
    assert_eq!((accepted.code, accepted.stderr.as_str()), (Some(0), ""));
    assert!(
        accepted.stdout.starts_with("accepted: yes\nscore: 4 of 4\n"),
        "{}",
        accepted.stdout
    );

    for (password, code) in [
        ("Spring2026!", "predictable"),
        ("Zenvoria99!!", "predictable"),
        ("acmecorp#77", "predictable"),
        ("Frühling77!", "predictable"),
        ("i-am-alice-really", "contains_login"),
        ("P@ssw0rd1", "too_weak"),
        (NEW_PASSWORD, "password_breached"),
    ] {
        let refused = check(&place, &["--login", "alice", "--json"], password);
        assert_eq!(refused.code, Some(FAILED), "{password}: {}", refused.stdout);
        let report: Value = serde_json::from_str(&refused.stdout).expect("the output is JSON");
        assert_eq!(report["accepted"], false);
        assert_eq!(report["reasons"][0]["code"], code, "{report}");
        let text = check(&place, &["--login", "alice"], password);
        assert!(text.stdout.starts_with("accepted: no\n"), "{}", text.stdout);
        assert!(
            text.stderr.contains("the password would be refused"),
            "{}",
            text.stderr
        );
    }
    assert!(!place.path().join("data").exists() && !place.keys().exists());
}
