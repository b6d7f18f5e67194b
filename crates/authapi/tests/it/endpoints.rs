//! The behaviour of every endpoint in typical sequences of calls.

use crate::{
    client::{Answer, Client, NEW_PASSWORD, PASSWORD, Pair, keys, part_of},
    mode::Mode,
    server::{Place, Server},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PAIR_KEYS: [&str; 5] = [
    "access_token",
    "expires_in",
    "refresh_expires_in",
    "refresh_token",
    "token_type",
];
const USER_KEYS: [&str; 4] = ["created_at", "id", "login", "roles"];

#[tokio::test(flavor = "multi_thread")]
async fn the_main_endpoints_work_together() {
    let server = Server::start();
    let client = server.client();

    let registered = client.register("Alice").await;
    assert_eq!(registered.status, 201);
    assert_eq!(registered.keys(), USER_KEYS);
    assert_eq!(registered.body["login"], "Alice");
    assert_eq!(registered.body["roles"], json!(["user"]));

    let logged_in = client.logging_in("Alice", PASSWORD).send().await;
    check_pair(&logged_in);
    check_claims(&client, &registered.body, &logged_in.pair()).await;

    let me = client.me(&logged_in.pair().access).await;
    check_me(&me, &registered.body);

    let refreshed = client.refresh(&logged_in.pair().refresh).await;
    check_pair(&refreshed);
    assert_ne!(refreshed.pair(), logged_in.pair());
    assert_eq!(client.me_code(&refreshed.pair().access).await, "accepted");

    let roleless = client
        .put("/roles/update")
        .bearer(&refreshed.pair().access)
        .json(&json!({"new_roles": []}))
        .send()
        .await;
    assert_eq!((roleless.status, roleless.keys()), (200, USER_KEYS.to_vec()));
    assert_eq!(roleless.body["roles"], json!([]));
    assert_eq!(client.me_code(&refreshed.pair().access).await, "token_outdated");

    let again = client.session("alice").await;
    assert_eq!(client.me(&again.access).await.body["roles"], json!([]));
    let logged_out = client.log_out(&again.access).await;
    assert_eq!((logged_out.status, logged_out.raw.len()), (204, 0));
    assert_eq!(client.me_code(&again.access).await, "token_revoked");
    assert_eq!(client.log_out(&again.access).await.code(), "token_revoked");
}

fn check_pair(answer: &Answer) {
    assert_eq!((answer.status, answer.keys()), (200, PAIR_KEYS.to_vec()));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 900);
    assert_eq!(answer.body["refresh_expires_in"], 30 * 24 * 3600);
}

/// Checks the token against RFC 9068, section 2, and finds its `kid` in the key set.
async fn check_claims(client: &Client, user: &Value, pair: &Pair) {
    let header = part_of(&pair.access, 0);
    assert_eq!(keys(&header), ["alg", "kid", "typ"]);
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("ES256"), &json!("at+jwt"))
    );
    let set = client.get("/.well-known/jwks.json").send().await;
    assert!(set.header("cache-control").starts_with("public, max-age="));
    assert_eq!(set.body["keys"][0]["kid"], header["kid"]);
    assert_eq!(
        keys(&set.body["keys"][0]),
        ["alg", "crv", "kid", "kty", "use", "x", "y"]
    );

    let claims = part_of(&pair.access, 1);
    let expected = [
        "aud",
        "auth_time",
        "client_id",
        "epoch",
        "exp",
        "iat",
        "iss",
        "jti",
        "roles",
        "sid",
        "sub",
    ];
    assert_eq!(keys(&claims), expected);
    assert_eq!(claims["sub"], user["id"]);
    assert_eq!(claims["aud"], "authapi");
    assert_eq!(claims["client_id"], "authapi");
    assert_eq!(claims["roles"], json!(["user"]));
    let seconds = |name: &str| claims[name].as_i64().expect("the claim is in seconds");
    assert_eq!(seconds("exp") - seconds("iat"), 900);
    assert_eq!(seconds("auth_time"), seconds("iat"));
}

fn check_me(me: &Answer, user: &Value) {
    assert_eq!(me.status, 200);
    let expected = [
        "created_at",
        "id",
        "last_login_at",
        "login",
        "permissions",
        "roles",
        "session",
        "updated_at",
    ];
    assert_eq!(me.keys(), expected);
    assert_eq!(keys(&me.body["session"]), ["created_at", "expires_at", "id"]);
    for name in USER_KEYS {
        assert_eq!(me.body[name], user[name], "{name}");
    }
    assert_eq!(me.body["permissions"], json!([]));
    let time = me.body["last_login_at"]
        .as_str()
        .expect("the response contains the time");
    assert!(time.ends_with('Z') && time.contains('T'), "{time}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spellings_of_a_login_identify_one_user() {
    let server = Server::start();
    let client = server.client();
    client.user("Alice").await;
    for spelling in ["alice", "ALICE", "Ａｌｉｃｅ", "ａＬＩＣＥ"] {
        let pair = client.session(spelling).await;
        assert_eq!(client.me(&pair.access).await.body["login"], "Alice", "{spelling}");
        assert_eq!(
            client.register(spelling).await.code(),
            "login_taken",
            "{spelling}"
        );
    }
    // A Cyrillic а among Latin letters cannot imitate another login.
    let posing = client.register("\u{430}lice").await;
    assert_eq!((posing.status, posing.code()), (422, "validation_failed"));
    assert_eq!(posing.body["errors"][0]["code"], "mixed_scripts");
    // One password, composed and decomposed.
    let typed = |password: &str| json!({"login": "bob", "password": password});
    let composed = client
        .post("/register")
        .json(&typed("zw\u{f6}lf Boxk\u{e4}mpfer jagen"));
    assert_eq!(composed.send().await.status, 201);
    let decomposed = client
        .post("/login")
        .json(&typed("zwo\u{308}lf Boxka\u{308}mpfer jagen"));
    assert_eq!(decomposed.send().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_change_requires_the_old_password() {
    let server = Server::start();
    let client = server.client();
    let pair = client.user("alice").await;

    let wrong = client.changing_password(&pair.access, "not the password", NEW_PASSWORD);
    assert_eq!(wrong.send().await.code(), "invalid_credentials");
    for (new, code) in [
        ("short", "too_short"),
        ("password1", "too_weak"),
        ("bell \u{7} rings at noon", "forbidden_characters"),
        ("I am alice, am I not", "contains_login"),
        (&"long ".repeat(60), "too_long"),
    ] {
        let weak = client.changing_password(&pair.access, PASSWORD, new).send().await;
        assert_eq!((weak.status, weak.code()), (422, "validation_failed"), "{new}");
        let error = &weak.body["errors"][0];
        assert_eq!(
            (&error["field"], &error["code"]),
            (&json!("new_password"), &json!(code))
        );
    }
    assert_eq!(client.me_code(&pair.access).await, "accepted");

    let changed = client
        .changing_password(&pair.access, PASSWORD, NEW_PASSWORD)
        .send()
        .await;
    check_pair(&changed);
    assert_eq!(client.me_code(&changed.pair().access).await, "accepted");
    let old = client.logging_in("alice", PASSWORD).send().await;
    assert_eq!((old.status, old.code()), (401, "invalid_credentials"));
    assert_eq!(client.logging_in("alice", NEW_PASSWORD).send().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_listed_and_ended_one_by_one() {
    let server = Server::start();
    let client = server.client();
    let phone = client.user("alice").await;
    let desk = client
        .logging_in("alice", PASSWORD)
        .header("User-Agent", b"desk/1.0")
        .send()
        .await
        .pair();
    let stranger = client.user("stranger").await;

    let listed = client.get("/me/sessions").bearer(&desk.access).send().await;
    assert_eq!((listed.status, listed.keys()), (200, vec!["sessions"]));
    let sessions = listed.body["sessions"]
        .as_array()
        .expect("the response contains sessions");
    let expected = [
        "created_at",
        "current",
        "expires_at",
        "id",
        "ip",
        "last_used_at",
        "user_agent",
    ];
    assert!(
        sessions.iter().all(|session| keys(session) == expected),
        "{sessions:?}"
    );
    let current: Vec<bool> = sessions
        .iter()
        .filter_map(|session| session["current"].as_bool())
        .collect();
    assert_eq!(current, [true, false], "newest first");
    assert_eq!(sessions[0]["user_agent"], "desk/1.0");
    assert_eq!(sessions[0]["ip"], "127.0.0.1");

    let path = format!(
        "/me/sessions/{}",
        sessions[1]["id"].as_str().expect("the response contains an id")
    );
    for (token, path, status) in [
        (&stranger.access, path.as_str(), 404),
        (&desk.access, "/me/sessions/not-an-id", 404),
        (&desk.access, path.as_str(), 204),
        (&desk.access, path.as_str(), 404),
        (&phone.access, path.as_str(), 401),
    ] {
        assert_eq!(
            client.delete(path).bearer(token).send().await.status,
            status,
            "{path}"
        );
    }
    assert_eq!(
        client.token_codes(&phone).await,
        ("token_revoked".into(), "session_revoked".into())
    );
    assert_eq!(client.me_code(&desk.access).await, "accepted");
    let left = client.get("/me/sessions").bearer(&desk.access).send().await;
    assert_eq!(left.body["sessions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_permitted_callers_change_roles() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await.access;
    let alice = client.user("alice").await.access;
    let permissions = &client.me(&root).await.body["permissions"];
    assert!(
        permissions
            .as_array()
            .expect("the response contains permissions")
            .contains(&json!("roles:assign"))
    );

    let request = |body: Value| client.put("/roles/update").bearer(&alice).json(&body);
    for (body, status, code) in [
        (json!({"new_roles": ["admin"]}), 403, "role_not_assignable"),
        (
            json!({"new_roles": ["user", "admin"], "login": "ALICE"}),
            403,
            "role_not_assignable",
        ),
        (json!({"new_roles": ["user"], "login": "root"}), 403, "forbidden"),
        (
            json!({"new_roles": ["user"], "login": "unknown"}),
            403,
            "forbidden",
        ),
        (json!({"new_roles": ["wizard"]}), 422, "unknown_role"),
        (json!({"new_roles": ["Not A Name"]}), 422, "unknown_role"),
        (json!({"new_roles": "user"}), 422, "validation_failed"),
        (json!({"new_roles": [7]}), 422, "validation_failed"),
        (json!({}), 422, "validation_failed"),
    ] {
        let refused = request(body.clone()).send().await;
        assert_eq!((refused.status, refused.code()), (status, code), "{body}");
    }
    assert_eq!(
        client.me_code(&alice).await,
        "accepted",
        "refused changes have no effect"
    );

    for (login, roles, status, code) in [
        ("unknown", &["user"][..], 404, "not_found"),
        ("root", &["user"], 409, "last_admin"),
        ("alice", &["wizard"], 422, "unknown_role"),
        ("Alice", &["admin"], 200, ""),
    ] {
        let answer = client.assigning(&root, login, roles, false).send().await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{login} {roles:?}"
        );
    }
    let alice = client.session("alice").await.access;
    assert_eq!(client.me(&alice).await.body["roles"], json!(["admin"]));
    let demoted = client.assigning(&alice, "root", &["user"], false).send().await;
    assert_eq!(demoted.body["roles"], json!(["user"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_sessions_expire() {
    const IDLE_TTL: Duration = Duration::from_secs(12);
    let server = Place::new()
        .with("TOKENS__ACCESS_TTL", "1s")
        .with("TOKENS__REFRESH_IDLE_TTL", "12s")
        .start();
    let client = server.client();
    let mut pair = client.user("alice").await;
    let deadline = Instant::now() + Duration::from_mins(1);
    let me_until = async |code: &str, access: &str| {
        while client.me_code(access).await != code {
            assert!(Instant::now() < deadline, "a token never gets the code {code}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    me_until("token_expired", &pair.access).await;
    assert_eq!(client.log_out(&pair.access).await.code(), "token_expired");
    // After the access token expires, the session can still be refreshed until it expires. On a
    // busy machine, a token may expire before it is used.
    loop {
        pair = client.refresh(&pair.refresh).await.pair();
        match client.me_code(&pair.access).await.as_str() {
            "accepted" => break,
            code => assert!(code == "token_expired" && Instant::now() < deadline, "{code}"),
        }
    }
    me_until("token_expired", &pair.access).await;
    tokio::time::sleep(IDLE_TTL).await;
    assert_eq!(client.refresh_code(&pair.refresh).await, "session_expired");
    assert_eq!(client.log_out(&pair.refresh).await.code(), "session_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn operational_endpoints_have_their_documented_responses() {
    let server = Server::start();
    let client = server.client();
    let live = client.get("/health/live").send().await;
    assert_eq!((live.status, &live.body), (200, &json!({"status": "live"})));
    let ready = client.get("/health/ready").send().await;
    let dependencies = if Mode::of_this_run().has_redis() {
        json!({"database": "up", "redis": "up"})
    } else {
        json!({"database": "up"})
    };
    // No request has used a session yet.
    let bus = Mode::of_this_run().bus();
    let session_snapshots = json!({"mode": "memory", "lease": "none", "bus": bus});
    let mut expected =
        json!({"status": "ready", "dependencies": dependencies, "session_cache": session_snapshots});
    // SQLite has no clock of its own.
    if Mode::of_this_run() != Mode::Sqlite {
        expected["clock"] = json!("right");
    }
    assert_eq!((ready.status, &ready.body), (200, &expected));
    let head = client.call(Method::HEAD, "/health/live").send().await;
    assert_eq!((head.status, head.raw.len()), (200, 0));

    let document = client.get("/openapi.json").send().await;
    assert_eq!(document.header("content-type"), "application/json");
    assert!(document.body["paths"]["/roles/update"]["put"].is_object());
    for (path, status) in [("/docs", 308), ("/", 307)] {
        let redirect = client.get(path).send().await;
        let answered = (redirect.status, redirect.header("location"));
        assert_eq!(answered, (status, "docs/"), "{path}");
    }
    let page = client.get("/docs/").send().await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.header("content-security-policy")
            .contains("script-src 'self';")
    );

    for (sent, kept) in [("my-own_id.1", true), ("two words", false), ("<b>", false)] {
        let call = client.get("/health/live").header("X-Request-Id", sent.as_bytes());
        let id = call.send().await.header("x-request-id").to_owned();
        assert_eq!(id == sent, kept, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_can_be_disabled() {
    let server = Place::new().with("DOCS__ENABLED", "false").start();
    for path in ["/", "/docs", "/docs/", "/openapi.json"] {
        assert_eq!(
            server.client().get(path).send().await.code(),
            "not_found",
            "{path}"
        );
    }
}
