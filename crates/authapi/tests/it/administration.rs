//! Administration from end to end: a response of one replica is valid on all of them.

use crate::{
    burst::{at_once, tally},
    client::{Client, NEW_PASSWORD, PASSWORD, Pair, part_of},
    server::{Place, Server},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Creates a user who may list users through the role `reader`.
async fn reader(server: &Server, permissions: &[&str]) -> Pair {
    let mut arguments = vec!["roles", "set", "reader"];
    for permission in permissions {
        arguments.extend(["--permission", permission]);
    }
    server.place().command_succeeds(&arguments, "");
    let client = server.client();
    client.register("reader").await;
    let roles = ["users", "set-roles", "--login", "reader", "--role", "reader"];
    server.place().command_succeeds(&roles, "");
    client.session("reader").await
}

async fn id_of(client: &Client, pair: &Pair) -> String {
    let me = client.me(&pair.access).await;
    me.body["id"]
        .as_str()
        .expect("the response contains an id")
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_permissions_of_a_role_apply_at_once_on_every_replica() {
    let server = Place::new().with_admin("root").start();
    let root = server.client().session("root").await;
    let pair = reader(&server, &[]).await;
    for permissions in [&["users:read"][..], &[], &["users:read", "audit:read"]] {
        let body = json!({"description": "Looks.", "permissions": permissions, "self_assignable": false});
        let written = server
            .client()
            .put("/roles/reader")
            .bearer(&root.access)
            .json(&body)
            .send()
            .await;
        assert_eq!(written.status, 200, "{}", written.body);
        for replica in server.each() {
            let may = |path: &str| replica.get(path).bearer(&pair.access).send();
            let expected = |permission| {
                if permissions.contains(&permission) {
                    200
                } else {
                    403
                }
            };
            assert_eq!(
                may("/users").await.status,
                expected("users:read"),
                "{permissions:?}"
            );
            assert_eq!(
                may("/audit").await.status,
                expected("audit:read"),
                "{permissions:?}"
            );
            let me = replica.me(&pair.access).await;
            assert_eq!(
                me.body["permissions"].as_array().map(Vec::len),
                Some(permissions.len())
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_password_reset_the_user_can_only_choose_a_new_password() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await;
    let alice = client.user("alice").await;
    let id = id_of(&client, &alice).await;
    let reset = client.put(&format!("/users/{id}/password")).bearer(&root.access);
    let reset = reset.send().await;
    assert_eq!(
        (reset.status, &reset.body["user"]["password_change_required"]),
        (200, &json!(true))
    );
    let code = reset.body["reset_code"].as_str().expect("a code");
    for replica in server.each() {
        assert_eq!(replica.me_code(&alice.access).await, "token_outdated");
    }
    assert_eq!(client.refresh_code(&alice.refresh).await, "session_revoked");
    assert_eq!(client.logging_in("alice", PASSWORD).send().await.status, 401);

    let bound = client.logging_in("alice", code).send().await.pair();
    for replica in server.each() {
        let again = replica.logging_in("alice", code).send().await;
        assert_eq!((again.status, again.code()), (401, "invalid_credentials"));
    }
    assert_eq!(
        part_of(&bound.access, 1)["roles"],
        json!([]),
        "tokens must carry no roles until the password is changed"
    );
    for replica in server.each() {
        assert_eq!(replica.me_code(&bound.access).await, "password_change_required");
    }
    let own = "quiet otters paint the sun";
    let free = client
        .changing_password(&bound.access, &code.to_uppercase(), own)
        .send()
        .await
        .pair();
    for replica in server.each() {
        assert_eq!(replica.me(&free.access).await.body["roles"], json!(["user"]));
    }

    assert_eq!(client.logging_in("alice", code).send().await.status, 401);
    assert_eq!(client.logging_in("alice", own).send().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_concurrent_logins_with_a_code_one_succeeds() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await;
    let alice = client.user("alice").await;
    let id = id_of(&client, &alice).await;
    let reset = client.put(&format!("/users/{id}/password")).bearer(&root.access);
    let reset = reset.send().await;
    let code = reset.body["reset_code"].as_str().expect("a code");
    let mut logins = JoinSet::new();
    for replica in server.each().into_iter().cycle().take(6) {
        let login = replica.logging_in("alice", code);
        logins.spawn(async move { login.send().await.status });
    }
    let mut statuses = logins.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_prints_a_code_or_sets_a_one_time_password() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let free = client.user("alice").await;
    let command = ["users", "reset-password", "--login", "alice"];
    let printed = server.place().run(&command, "");
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let note = "alice can log in once with this code, before 20";
    assert!(printed.stderr.starts_with(note), "{}", printed.stderr);
    assert_eq!(client.me_code(&free.access).await, "token_outdated");
    let code = printed.stdout.trim_end();
    let bound = client.logging_in("alice", code).send().await.pair();
    assert_eq!(client.me_code(&bound.access).await, "password_change_required");

    let json = server
        .place()
        .command_succeeds(&[&command[..], &["--json"]].concat(), "");
    let row: Value = serde_json::from_str(&json).expect("one JSON object");
    assert_eq!(row["user"]["password_expires_at"], row["expires_at"]);
    let code = row["reset_code"].as_str().expect("a code");
    assert_eq!(client.logging_in("alice", code).send().await.status, 200);

    let said = server.place().command_succeeds(
        &[&command[..], &["--password"]].concat(),
        &format!("{NEW_PASSWORD}\n"),
    );
    assert_eq!(said, "");
    for status in [200, 401] {
        assert_eq!(
            client.logging_in("alice", NEW_PASSWORD).send().await.status,
            status
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_is_rejected_by_every_replica_and_the_login_is_free() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await;
    let alice = client.user("alice").await;
    let id = id_of(&client, &alice).await;
    let deleted = client
        .delete(&format!("/users/{id}"))
        .bearer(&root.access)
        .send()
        .await;
    assert!(matches!(deleted.status, 200 | 204), "{}", deleted.body);
    for replica in server.each() {
        assert_eq!(replica.me(&alice.access).await.status, 401);
        assert_eq!(
            replica.logging_in("alice", PASSWORD).send().await.code(),
            "invalid_credentials"
        );
    }
    let again = client.user("alice").await;
    assert_ne!(id_of(&client, &again).await, id);

    let delete = ["users", "delete", "--login", "alice"];
    let unconfirmed = server.place().run(&delete, "");
    assert_eq!(
        unconfirmed.code,
        Some(2),
        "without a terminal, deletion must require confirmation: {}",
        unconfirmed.stderr
    );
    assert!(unconfirmed.stderr.contains("--yes"), "{}", unconfirmed.stderr);
    assert_eq!(client.me_code(&again.access).await, "accepted");
    let said = server
        .place()
        .command_succeeds(&[&delete[..], &["--yes"]].concat(), "");
    assert!(said.starts_with("deleted alice ("), "{said}");
    assert_eq!(client.me(&again.access).await.status, 401);
    // Their events remain, with the user id only.
    let events = server
        .place()
        .command_succeeds(&["audit", "list", "--user", &id, "--json"], "");
    assert!(
        events.contains("user_deleted") && !events.contains("alice"),
        "{events}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_what_would_be_deleted_and_deletes_nothing() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await;
    let alice = client.user("alice").await;
    let more = client.session("alice").await;
    let id = id_of(&client, &alice).await;
    let call = client
        .put(&format!("/users/{id}/roles?dry_run=true"))
        .bearer(&root.access);
    let told = call.json(&json!({"new_roles": ["admin"]})).send().await;
    assert_eq!(
        (told.status, &told.body["dry_run"]),
        (200, &json!(true)),
        "{}",
        told.body
    );
    assert_eq!(told.body["sessions_ended"], 2);
    let command = [
        "users",
        "set-roles",
        "--login",
        "alice",
        "--role",
        "admin",
        "--dry-run",
        "--json",
    ];
    let printed = server.place().command_succeeds(&command, "");
    let printed: Value = serde_json::from_str(&printed).expect("the output is JSON");
    assert_eq!(
        (&printed["dry_run"], &printed["sessions_ended"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(printed["user"]["roles"], json!(["admin"]));
    for pair in [&alice, &more] {
        assert_eq!(
            client.token_codes(pair).await,
            ("accepted".into(), "accepted".into())
        );
    }
    assert_eq!(
        client.me(&client.session("alice").await.access).await.body["roles"],
        json!(["user"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_concurrent_changes_with_the_same_precondition_succeeds() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await;
    let alice = client.user("alice").await;
    let id = id_of(&client, &alice).await;
    let path = format!("/users/{id}");
    let seen = client.get(&path).bearer(&root.access).send().await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    let etag = seen.header("etag").to_owned();
    let change = |roles: &[&str]| {
        client
            .put(&format!("{path}/roles"))
            .bearer(&root.access)
            .header("If-Match", etag.as_bytes())
            .json(&json!({"new_roles": roles}))
    };
    let answers = at_once(vec![change(&["admin"]), change(&[])]).await;
    let expected = [
        (200, String::new(), 1),
        (412, "precondition_failed".to_owned(), 1),
    ];
    assert_eq!(tally(&answers), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_of_a_removed_role_or_user_never_matches_its_successor() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await.access;
    let tag_of = async |path: &str| {
        let answer = client.get(path).bearer(&root).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.header("etag").to_owned()
    };
    let mut stale: Vec<String> = Vec::new();
    // A role without permissions changes nothing else in the catalogue.
    for permissions in [&["articles:write"][..], &[], &[]] {
        let body = json!({"permissions": permissions});
        let put = || client.put("/roles/editor").bearer(&root).json(&body);
        assert_eq!(put().header("If-None-Match", b"*").send().await.status, 201);
        let again = put().header("If-None-Match", b"*").send().await;
        assert_eq!((again.status, again.code()), (412, "precondition_failed"));
        for tag in &stale {
            let refused = put().header("If-Match", tag.as_bytes()).send().await;
            assert_eq!(
                (refused.status, refused.code()),
                (412, "precondition_failed"),
                "{tag}"
            );
        }
        stale.push(tag_of("/roles/editor").await);
        let removed = client.delete("/roles/editor").bearer(&root).send().await;
        assert_eq!(removed.status, 204);
    }

    let alice = client.user("alice").await;
    let path = format!("/users/{}", id_of(&client, &alice).await);
    let first = tag_of(&path).await;
    assert_eq!(client.delete(&path).bearer(&root).send().await.status, 204);
    let alice = client.user("alice").await;
    let second = tag_of(&format!("/users/{}", id_of(&client, &alice).await)).await;
    for (tag, status) in [(first, 412), (second, 200)] {
        let change = client.assigning(&root, "alice", &[], false);
        let answer = change.header("If-Match", tag.as_bytes()).send().await;
        assert_eq!(answer.status, status, "{tag}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_changes_with_every_login_and_spares_an_unchanged_response() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await.access;
    let alice = client.user("alice").await;
    let user = format!("/users/{}", id_of(&client, &alice).await);
    for path in [user.as_str(), "/roles/user", "/.well-known/jwks.json"] {
        let full = client.get(path).bearer(&root).send().await;
        let tag = full.header("etag").to_owned();
        for replica in server.each() {
            // More than one on a connection: a 304 ends where its head ends.
            for _ in 0..3 {
                let call = replica.get(path).bearer(&root);
                let answer = call.header("If-None-Match", tag.as_bytes()).send().await;
                assert_eq!(
                    (answer.status, answer.header("etag")),
                    (304, tag.as_str()),
                    "{path}"
                );
                assert!(answer.raw.is_empty(), "{path}");
            }
        }
    }
    let tag = client
        .get(&user)
        .bearer(&root)
        .send()
        .await
        .header("etag")
        .to_owned();
    client.session("alice").await;
    let call = client.get(&user).bearer(&root);
    let after = call.header("If-None-Match", tag.as_bytes()).send().await;
    assert_eq!(after.status, 200);
    let call = client.delete(&user).bearer(&root);
    let refused = call
        .header("If-Unmodified-Since", b"Sat, 28 Nov 2026 09:00:00 GMT")
        .send()
        .await;
    assert_eq!(
        (refused.status, refused.code()),
        (400, "precondition_unsupported")
    );
    let call = client.delete(&user).bearer(&root);
    assert_eq!(call.header("If-Match", tag.as_bytes()).send().await.status, 412);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_users_have_the_default_roles_and_tokens_contain_permissions_if_the_settings_say_so() {
    let place = Place::new();
    let set = [
        "roles",
        "set",
        "editor",
        "--permission",
        "pages:edit",
        "--description",
        "May edit.",
    ];
    place.command_succeeds(&["migrate", "up"], "");
    place.command_succeeds(&set, "");
    let server = place
        .with("USERS__DEFAULT_ROLES", "user,editor")
        .with("TOKENS__PERMISSIONS", "true")
        .start();
    let client = server.client();
    let alice = client.user("alice").await;
    let claims = part_of(&alice.access, 1);
    assert_eq!(claims["roles"], json!(["editor", "user"]));
    assert_eq!(claims["permissions"], json!(["pages:edit"]));
    server
        .place()
        .command_succeeds(&["users", "create", "--login", "bob"], PASSWORD);
    let bob = client.session("bob").await;
    assert_eq!(
        client.me(&bob.access).await.body["roles"],
        json!(["editor", "user"])
    );
    for (role, says) in [
        (
            "editor",
            "this role is assigned on registration; remove it from users.default_roles first",
        ),
        ("admin", "built in"),
    ] {
        let refused = server.place().run(&["roles", "delete", role], "");
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    server
        .place()
        .command_succeeds(&["roles", "set", "editor", "--permission", "pages:read"], "");
    let refreshed = client.refresh(&alice.refresh).await.pair();
    assert_eq!(
        part_of(&refreshed.access, 1)["permissions"],
        json!(["pages:read"])
    );
}

#[test]
fn missing_default_roles_fail_the_start_with_exit_code_2() {
    let place = Place::new().with("USERS__DEFAULT_ROLES", "user,reader");
    let refused = place.run(&["serve"], "");
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let last = refused.stderr.lines().last().expect("standard error has a line");
    assert!(
        last.contains("AUTHAPI_USERS__DEFAULT_ROLES is invalid: \"reader\""),
        "{last}"
    );
}
