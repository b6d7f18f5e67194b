//! The commands, alone and next to a running server.

use crate::{
    client::{NEW_PASSWORD, PASSWORD, part_of},
    mode::Mode,
    server::{Place, Run, Server},
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

fn create(place: &Place, login: &str, roles: &[&str], password: &str) -> Run {
    let mut arguments = vec!["users", "create", "--login", login];
    for role in roles {
        arguments.extend(["--role", role]);
    }
    place.run(&arguments, &format!("{password}\n"))
}

fn listed(place: &Place, arguments: &[&str]) -> Vec<Value> {
    let printed = place.command_succeeds(arguments, "");
    serde_json::from_str(&printed).expect("the output is a JSON array")
}

/// Runs a command that prints JSON Lines.
fn lines(place: &Place, arguments: &[&str]) -> Vec<Value> {
    let printed = place.command_succeeds(arguments, "");
    let lines = printed.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("every line is JSON")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the file exists").permissions().mode() & 0o7777
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_created_listed_and_refused() {
    let place = Place::new();
    // No database exists before the first start.
    let created = create(&place, "Root", &["admin", "user"], PASSWORD);
    assert_eq!((created.code, created.stderr.as_str()), (Some(0), ""));
    assert!(created.stdout.starts_with("created Root ("), "{}", created.stdout);
    for (login, roles, password, says) in [
        ("ROOT", &["user"][..], PASSWORD, "the login is taken"),
        ("ab", &["user"], PASSWORD, "at least 3 characters"),
        ("alice", &["user"], "password1", "easy to guess"),
        ("alice", &["user"], "short", "at least 8 characters"),
        ("alice", &["user"], "", "standard input contains no password"),
        (
            "alice",
            &["wizard"],
            PASSWORD,
            "the role \"wizard\" does not exist",
        ),
        ("alice", &["Not A Role"], PASSWORD, "is not a valid role name"),
    ] {
        let refused = create(&place, login, roles, password);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{login}");
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }

    let users = lines(&place, &["users", "list", "--json"]);
    assert_eq!(users.len(), 1);
    assert_eq!(users[0]["login"], "Root");
    assert_eq!(users[0]["status"], "active");
    assert_eq!(users[0]["roles"], json!(["admin", "user"]));
    assert_eq!(users[0]["last_login_at"], Value::Null);

    let server = place.start();
    let client = server.client();
    let pair = client.session("root").await;
    assert_eq!(client.me(&pair.access).await.body["id"], users[0]["id"]);
    let late = create(server.place(), "late", &[], PASSWORD);
    assert_eq!(late.code, Some(0), "beside a running server: {}", late.stderr);
    let late = client.session("late").await;
    assert_eq!(client.me(&late.access).await.body["roles"], json!(["user"]));
    let plain = server.place().command_succeeds(&["users", "list"], "");
    let firsts: Vec<&str> = plain
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(firsts, ["LOGIN", "late", "Root"], "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_set_beside_a_running_server_apply_when_the_command_returns() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let first = client.user("alice").await;
    let set = |login: &str, role: &str, flag: &str| {
        let arguments = ["users", "set-roles", "--login", login, "--role", role, flag];
        let arguments: Vec<&str> = arguments.into_iter().filter(|word| !word.is_empty()).collect();
        server.place().run(&arguments, "")
    };

    assert_eq!(
        set("ALICE", "admin", "--keep-sessions").stdout,
        "alice now has: admin\n"
    );
    for replica in server.each() {
        assert_eq!(replica.me_code(&first.access).await, "token_outdated");
    }
    let second = client.refresh(&first.refresh).await.pair();
    assert_eq!(client.me(&second.access).await.body["roles"], json!(["admin"]));

    assert_eq!(set("alice", "user", "").code, Some(0));
    for replica in server.each() {
        assert_eq!(replica.me_code(&second.access).await, "token_outdated");
    }
    let left = client.token_codes(&second).await;
    assert_eq!(left, ("token_outdated".into(), "session_revoked".into()));

    for (login, role, says) in [
        ("unknown", "user", "the user does not exist"),
        ("alice", "wizard", "the role \"wizard\" does not exist"),
        ("root", "user", "the last active admin"),
    ] {
        let refused = set(login, role, "");
        assert_eq!(refused.code, Some(1), "{login}");
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    let disabled = server.place().run(&["users", "disable", "--login", "root"], "");
    assert_eq!(disabled.code, Some(1));
    assert!(
        disabled.stderr.contains("the last active admin"),
        "{}",
        disabled.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_is_rejected_when_the_command_returns() {
    let server = Server::start();
    let client = server.client();
    let pair = client.user("alice").await;
    let disable = ["users", "disable", "--login", "alice"];
    assert_eq!(
        server.place().command_succeeds(&disable, ""),
        "alice is disabled\n"
    );
    for replica in server.each() {
        assert_eq!(replica.me_code(&pair.access).await, "token_outdated");
        assert_eq!(replica.logging_in("alice", PASSWORD).send().await.status, 401);
    }
    let users = lines(server.place(), &["users", "list", "--json"]);
    assert_eq!(users[0]["status"], "disabled");
    let enable = ["users", "enable", "--login", "alice"];
    assert_eq!(server.place().command_succeeds(&enable, ""), "alice is active\n");
    client.session("alice").await;
    let unknown = server
        .place()
        .run(&["users", "disable", "--login", "unknown"], "");
    assert_eq!(unknown.code, Some(1));
}

#[test]
fn users_are_found_by_prefix_role_and_status_and_shown_one_by_one() {
    let place = Place::new();
    for (login, roles) in [
        ("alice", &["user"][..]),
        ("Albert", &["admin"]),
        ("bob", &["user", "admin"]),
    ] {
        assert_eq!(create(&place, login, roles, PASSWORD).code, Some(0));
    }
    place.command_succeeds(&["users", "disable", "--login", "bob"], "");
    for (filter, found) in [
        (&[][..], &["Albert", "alice", "bob"][..]),
        (&["--query", "AL"], &["Albert", "alice"]),
        (&["--role", "admin"], &["Albert", "bob"]),
        (&["--status", "disabled"], &["bob"]),
        (&["--role", "admin", "--status", "active"], &["Albert"]),
        (&["--query", "b", "--role", "user", "--status", "active"], &[]),
        (&["--limit", "2"], &["Albert", "alice"]),
    ] {
        let users = lines(&place, &[&["users", "list", "--json"], filter].concat());
        let logins: Vec<&str> = users.iter().filter_map(|user| user["login"].as_str()).collect();
        assert_eq!(logins, found, "{filter:?}");
    }
    let shown = lines(&place, &["users", "show", "--login", "ALICE", "--json"]);
    assert_eq!(shown[0]["password_change_required"], false);
    let id = shown[0]["id"].as_str().expect("the user has an id");
    let plain = place.command_succeeds(&["users", "show", "--user", id], "");
    assert!(plain.contains("alice") && plain.contains(id), "{plain}");
    for command in ["show", "disable", "enable", "delete"] {
        let unknown = place.run(&["users", command, "--login", "unknown", "--json"], "");
        assert_eq!(
            (unknown.code, unknown.stdout.as_str()),
            (Some(1), ""),
            "{command}"
        );
    }
}

#[test]
fn roles_are_created_changed_and_deleted_unless_assigned() {
    let place = Place::new();
    place.command_succeeds(&["migrate", "up"], "");
    let set = |more: &[&str]| place.run(&[&["roles", "set", "editor"], more].concat(), "");
    let dry_run = set(&["--permission", "pages:edit", "--dry-run"]);
    assert_eq!(dry_run.stdout, "would create editor; users with this role: 0\n");
    assert_eq!(lines(&place, &["roles", "list", "--json"]).len(), 2);
    let made = set(&[
        "--permission",
        "pages:edit",
        "--description",
        "May edit.",
        "--self-assignable",
        "--json",
    ]);
    let made: Value = serde_json::from_str(&made.stdout).expect("the output is JSON");
    assert_eq!(made["created"], true);
    let roles = lines(&place, &["roles", "list", "--json"]);
    let expected = json!({
        "name": "editor", "description": "May edit.", "permissions": ["pages:edit"], "self_assignable": true
    });
    assert_eq!(roles[1], expected);
    assert!(
        roles[0]["permissions"]
            .as_array()
            .is_some_and(|all| all.contains(&json!("pages:edit")))
    );

    assert_eq!(create(&place, "alice", &["editor"], PASSWORD).code, Some(0));
    assert_eq!(set(&[]).stdout, "changed editor; users with this role: 1\n");
    assert_eq!(
        lines(&place, &["roles", "list", "--json"])[1]["self_assignable"],
        false
    );
    for (arguments, says) in [
        (
            &["roles", "delete", "editor"][..],
            "the role is in use (users: 1)",
        ),
        (&["roles", "delete", "wizard"], "the role does not exist"),
        (&["roles", "set", "admin"], "cannot be changed"),
        (&["roles", "set", "Not A Role"], "a role name must have"),
        (&["roles", "set", "update"], "the role name update is reserved"),
        (
            &[
                "roles",
                "set",
                "other",
                "--permission",
                "a:b",
                "--permission",
                "edit",
            ],
            "the permission \"edit\" is malformed",
        ),
    ] {
        let refused = place.run(arguments, "");
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(1), ""),
            "{arguments:?}"
        );
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    place.command_succeeds(&["users", "set-roles", "--login", "alice", "--none"], "");
    assert_eq!(
        place.command_succeeds(&["roles", "delete", "editor"], ""),
        "deleted editor\n"
    );
    let plain = place.command_succeeds(&["roles", "list"], "");
    assert_eq!(plain.lines().count(), 3, "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_when_the_command_returns() {
    let server = Server::start();
    let client = server.client();
    let pair = client.user("alice").await;
    client.session("alice").await;
    let sessions = lines(
        server.place(),
        &["sessions", "list", "--login", "alice", "--json"],
    );
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    let said = server
        .place()
        .command_succeeds(&["sessions", "end", "--login", "alice"], "");
    assert_eq!(said, "sessions ended: 2\n");
    for replica in server.each() {
        assert_eq!(replica.me_code(&pair.access).await, "token_revoked");
    }
    assert_eq!(
        server
            .place()
            .command_succeeds(&["sessions", "list", "--login", "alice"], ""),
        ""
    );
    let unknown = server.place().run(&["sessions", "end", "--login", "unknown"], "");
    assert_eq!(unknown.code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_every_algorithm_signs() {
    for (argument, algorithm, kind) in [
        ("es256", "ES256", "EC"),
        ("eddsa", "EdDSA", "OKP"),
        ("rs256", "RS256", "RSA"),
    ] {
        let place = Place::new().with("KEYS__GENERATE_MISSING", "false");
        place.command_succeeds(&["keys", "generate", "--algorithm", argument], "");
        assert_eq!(mode(&place.keys()), 0o700);
        for file in place.key_files("") {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        let keys = listed(&place, &["keys", "list", "--json"]);
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0]["algorithm"], algorithm);
        assert_eq!(keys[0]["state"], "signing");

        let server = place.start();
        let client = server.client();
        let pair = client.user("alice").await;
        let header = part_of(&pair.access, 0);
        assert_eq!(
            (&header["alg"], &header["kid"]),
            (&json!(algorithm), &keys[0]["kid"])
        );
        let set = client.get("/.well-known/jwks.json").send().await;
        let key = &set.body["keys"][0];
        assert_eq!(
            (&key["kty"], &key["alg"], &key["kid"]),
            (&json!(kind), &json!(algorithm), &keys[0]["kid"])
        );
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{key}");
        }
        assert_eq!(client.me_code(&pair.access).await, "accepted");
    }
}

#[test]
fn an_empty_list_says_so_beside_an_empty_output() {
    let place = Place::new();
    place.command_succeeds(&["migrate", "up"], "");
    for (arguments, says) in [
        (&["users", "list"][..], "no users\n"),
        (&["audit", "list"], "no events\n"),
        (&["keys", "list"], "no keys\n"),
    ] {
        let run = place.run(arguments, "");
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr.as_str()),
            (Some(0), "", says)
        );
        let run = place.run(&[arguments, &["--json"]].concat(), "");
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_key_that_a_start_refuses_is_listed_as_refused() {
    let place = Place::new();
    for _ in 0..2 {
        place.command_succeeds(&["keys", "generate"], "");
    }
    let published = place.key_files(".published.pem").remove(0);
    let signing = published
        .display()
        .to_string()
        .replace(".published.", ".signing.");
    fs::rename(&published, &signing).expect("a renaming");
    let keys = listed(&place, &["keys", "list", "--json"]);
    let refused: Vec<&Value> = keys.iter().filter(|key| key["state"] == "refused").collect();
    assert_eq!(refused.len(), 1, "{keys:#?}");
    let cause = refused[0]["cause"].as_str().expect("a cause");
    assert!(cause.contains("are both signing keys"), "{cause}");
    let plain = place.command_succeeds(&["keys", "list"], "");
    assert!(
        plain
            .lines()
            .any(|line| line.starts_with("refused ") && line.contains(cause)),
        "{plain}"
    );
}

#[test]
fn documents_about_the_program_need_no_valid_settings() {
    let place = Place::new().with("SERVER__PROT", "8000");
    for (shell, part) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef authapi"),
        ("fish", "complete -c authapi"),
    ] {
        let script = place.command_succeeds(&["completions", shell], "");
        for word in [part, "set-roles", "keep-sessions"] {
            assert!(script.contains(word), "no {word:?} for {shell}");
        }
    }
    place.command_succeeds(&["openapi"], "");
    place.command_succeeds(&["man", "share/man1"], "");
    for (page, part) in [
        ("authapi.1", "authapi\\-users(1)"),
        ("authapi-users-set-roles.1", "keep\\-sessions"),
        ("authapi-serve.1", "SIGTERM"),
    ] {
        let text = fs::read_to_string(place.path().join("share/man1").join(page)).expect("a page");
        assert!(text.starts_with(".ie") && text.contains(part), "{page}: {text}");
    }
    fs::write(place.path().join("file"), "in the way").expect("a file");
    let run = place.run(&["man", "file/man1"], "");
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr
            .contains("the manual pages cannot be written to file/man1"),
        "{}",
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_key_is_published_and_signs_after_renaming() {
    let place = Place::new();
    assert_eq!(place.command_succeeds(&["keys", "list"], ""), "");
    for _ in 0..2 {
        place.command_succeeds(&["keys", "generate"], "");
    }
    let keys = listed(&place, &["keys", "list", "--json"]);
    let states: Vec<&str> = keys.iter().filter_map(|key| key["state"].as_str()).collect();
    assert_eq!(states, ["signing", "published"]);
    let server = place.start();
    let old = server.client().user("alice").await;
    assert_eq!(part_of(&old.access, 0)["kid"], keys[0]["kid"]);
    let set = server.client().get("/.well-known/jwks.json").send().await;
    assert_eq!(set.body["keys"][0]["kid"], keys[0]["kid"]);
    assert_eq!(set.body["keys"][1]["kid"], keys[1]["kid"]);

    let place = server.terminate().place;
    for (key, from, to) in [(0, "signing", "retired"), (1, "published", "signing")] {
        let path = keys[key]["path"].as_str().expect("the key has a path");
        fs::rename(path, path.replace(&format!(".{from}."), &format!(".{to}.")))
            .expect("the file can be renamed");
    }
    let server = place.start();
    assert_eq!(
        server.client().me_code(&old.access).await,
        "accepted",
        "a retired key verifies"
    );
    let new = server.client().session("alice").await;
    assert_eq!(part_of(&new.access, 0)["kid"], keys[1]["kid"]);
}

#[test]
fn the_effective_settings_are_shown_without_secrets() {
    let place = Place::new().with_admin("root");
    let plain = place.command_succeeds(&["config", "check"], "");
    assert!(
        plain.contains("AUTHAPI_SERVER__PORT = 0  # environment\n"),
        "{plain}"
    );
    assert!(plain.contains("AUTHAPI_TOKENS__ACCESS_TTL = 15m\n"), "{plain}");
    let bus = format!("\n# invalidation bus: {}\n", Mode::of_this_run().bus());
    assert!(plain.ends_with(&bus), "{plain}");
    assert!(
        plain.contains("AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD = ***"),
        "{plain}"
    );
    let printed = place.command_succeeds(&["config", "check", "--json"], "");
    for text in [&plain, &printed] {
        assert!(!text.contains(PASSWORD));
    }
    let settings: Vec<Value> = serde_json::from_str(&printed).expect("the output is a JSON array");
    let port = settings
        .iter()
        .find(|setting| setting["name"] == "AUTHAPI_SERVER__PORT");
    let expected = json!({"name": "AUTHAPI_SERVER__PORT", "value": 0, "source": "environment"});
    assert_eq!(port, Some(&expected));
    assert!(
        !place.path().join("data").exists(),
        "showing the settings creates no files"
    );
}

/// Returns the codes of the warnings in a log, sorted.
fn warning_codes<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let warnings = events.filter(|event| event["level"] == "WARN");
    let codes = warnings.filter_map(|event| event["code"].as_str().map(str::to_owned));
    let mut codes: Vec<_> = codes.collect();
    codes.sort_unstable();
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_probably_mistakes_cause_warnings_at_the_check_and_at_the_start() {
    let place = Place::new()
        .with("CORS__ORIGINS", "https://app.example.com")
        .with("COOKIES__PATH_PREFIX", "/auth")
        .with("TOKENS__REFRESH_GRACE", "0s");
    let codes = [
        "cookie_path_mismatch",
        "issuer_not_public",
        "refresh_grace_missing",
    ];
    let checked = place.run(&["config", "check", "--json"], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert_eq!(warning_codes(checked.stderr.lines()), codes, "{}", checked.stderr);
    let listed: Value = serde_json::from_str(&checked.stdout).expect("the output is JSON only");
    assert!(listed.is_array());
    let other = place.run(&["keys", "list"], "");
    assert_eq!(warning_codes(other.stderr.lines()), [""; 0], "{}", other.stderr);

    let server = place.start();
    let each: Vec<_> = codes
        .iter()
        .flat_map(|code| vec![*code; server.replicas()])
        .collect();
    let log = server.terminate().log;
    assert_eq!(warning_codes(log.iter().map(String::as_str)), each, "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_reports_readiness_by_exit_code() {
    let server = Server::start();
    let port = server.address().port().to_string();
    let settings = [("SERVER__PORT", port.as_str())];
    let healthy = server.place().run_with(&settings, &["healthcheck"], "");
    assert_eq!((healthy.code, healthy.stderr.as_str()), (Some(0), ""));
    let place = server.terminate().place;
    let gone = place.run_with(&settings, &["healthcheck"], "");
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("does not respond"), "{}", gone.stderr);
    assert_eq!(gone.stderr.lines().count(), 1);
}

#[test]
fn the_schema_can_be_migrated_up_and_down() {
    let place = Place::new();
    let applied = || -> Vec<bool> {
        let rows = listed(&place, &["migrate", "status", "--json"]);
        rows.iter().filter_map(|row| row["applied"].as_bool()).collect()
    };
    let up = place.command_succeeds(&["migrate", "up"], "");
    let count = applied().len();
    assert!(count > 0);
    assert_eq!(
        up.lines().filter(|line| line.starts_with("applied ")).count(),
        count
    );
    assert_eq!(applied(), vec![true; count]);
    assert_eq!(
        place.command_succeeds(&["migrate", "up"], ""),
        "the schema is up to date\n"
    );
    for _ in 0..count {
        assert!(
            place
                .command_succeeds(&["migrate", "down"], "")
                .starts_with("reverted ")
        );
    }
    assert_eq!(
        place.command_succeeds(&["migrate", "down"], ""),
        "there is no migration to revert\n"
    );
    assert_eq!(applied(), vec![false; count]);
    place.command_succeeds(&["migrate", "up"], "");
    let plain = place.command_succeeds(&["migrate", "status"], "");
    assert!(plain.lines().all(|line| line.starts_with("applied  ")), "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_admin_comes_from_the_settings() {
    let place = Place::new();
    let file = place.path().join("admin-password");
    fs::write(&file, format!("{PASSWORD}\n")).expect("the file can be written");
    let server = place
        .with("BOOTSTRAP__ADMIN_LOGIN", "root")
        .with("BOOTSTRAP__ADMIN_PASSWORD_FILE", "admin-password")
        .start();
    let client = server.client();
    let root = client.session("root").await;
    assert_eq!(
        client.me(&root.access).await.body["roles"],
        json!(["admin", "user"])
    );
    assert_eq!(
        client
            .changing_password(&root.access, PASSWORD, NEW_PASSWORD)
            .send()
            .await
            .status,
        200
    );

    let server = server.terminate().place.start();
    let client = server.client();
    assert_eq!(
        client.logging_in("root", PASSWORD).send().await.status,
        401,
        "the admin is not created again"
    );
    assert_eq!(client.logging_in("root", NEW_PASSWORD).send().await.status, 200);
}
