//! Concurrent clients: guarantees hold in any order of requests.

use crate::{
    burst::{at_once, tally},
    client::{Answer, Call, Client, NEW_PASSWORD, PASSWORD, Pair, part_of},
    server::{Place, Server},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::JoinHandle;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_refreshes_of_one_token_have_one_successor() {
    let server = Server::start();
    let client = server.client();
    let pair = client.user("alice").await;

    let calls = (0..200)
        .map(|_| client.post("/refresh").bearer(&pair.refresh))
        .collect();
    let answers = at_once(calls).await;

    assert_eq!(tally(&answers), [(200, String::new(), 200)]);
    let pairs: Vec<Pair> = answers.iter().map(Answer::pair).collect();
    let successors: BTreeSet<&str> = pairs.iter().map(|pair| pair.refresh.as_str()).collect();
    assert_eq!(successors.len(), 1);
    for pair in &pairs {
        assert_eq!(client.me_code(&pair.access).await, "accepted");
    }
    let successor = successors.first().expect("one");
    assert_eq!(client.refresh_code(successor).await, "accepted");
}

/// Returns the spelling number `index` of an ASCII login: each letter is small, capital or
/// full-width.
fn spelling(login: &str, mut index: usize) -> String {
    let full_width = |letter: char| char::from_u32(u32::from(letter) + 0xfee0).expect("a letter");
    login
        .chars()
        .map(|letter| {
            let form = index % 3;
            index /= 3;
            match form {
                0 => letter,
                1 => letter.to_ascii_uppercase(),
                _ => full_width(letter),
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_registrations_of_one_login_one_succeeds() {
    let server = Server::start();
    let client = server.client();
    let spellings: Vec<String> = (0..50).map(|index| spelling("alice", index)).collect();
    assert_eq!(spellings.iter().collect::<BTreeSet<_>>().len(), 50);

    let answers = at_once(spellings.iter().map(|login| client.registering(login)).collect()).await;

    let expected = [(201, String::new(), 1), (409, "login_taken".to_owned(), 49)];
    assert_eq!(tally(&answers), expected);
    let registered = answers.iter().find(|answer| answer.status == 201).expect("one");
    let me = client.me(&client.session("alice").await.access).await;
    assert_eq!(me.body["id"], registered.body["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_logouts_of_one_session_one_succeeds() {
    let server = Server::start();
    let client = server.client();
    client.user("alice").await;
    for by_refresh in [false, true] {
        let pair = client.session("alice").await;
        let (token, code) = if by_refresh {
            (&pair.refresh, "session_revoked")
        } else {
            (&pair.access, "token_revoked")
        };

        let answers = at_once((0..50).map(|_| client.post("/logout").bearer(token)).collect()).await;

        let succeeded = answers.iter().filter(|answer| answer.status == 204).count();
        let refused = answers.iter().filter(|answer| answer.status == 401).count();
        assert_eq!((succeeded, refused), (1, 49), "{:?}", tally(&answers));
        assert_eq!(client.me_code(&pair.access).await, "token_revoked");
        assert_eq!(client.log_out(token).await.code(), code);
    }
}

/// Clients that log in and refresh continuously, and keep every token.
struct ActiveUser {
    tokens: Arc<Mutex<Vec<Pair>>>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl ActiveUser {
    /// Starts two clients that each refresh a session, and one that logs in repeatedly.
    fn start(client: &Client, login: &'static str) -> Self {
        let mut restless = Self {
            tokens: Arc::default(),
            stop: Arc::default(),
            workers: Vec::new(),
        };
        for refreshes in [true, true, false] {
            let (tokens, stop) = (Arc::clone(&restless.tokens), Arc::clone(&restless.stop));
            let client = client.clone();
            restless.workers.push(tokio::spawn(async move {
                let mut pair = None;
                while !stop.load(Ordering::SeqCst) {
                    pair = next_pair(&client, login, pair.filter(|_| refreshes)).await;
                    let mut tokens = tokens.lock().expect("no panic");
                    tokens.extend(pair.clone());
                }
            }));
        }
        restless
    }

    fn tokens(&self) -> Vec<Pair> {
        self.tokens.lock().expect("no panic").clone()
    }

    /// Waits for `count` more tokens.
    async fn wait_for(&self, count: usize) {
        let enough = self.tokens().len() + count;
        while self.tokens().len() < enough {
            assert!(
                !self.workers.iter().any(JoinHandle::is_finished),
                "a worker failed"
            );
            tokio::task::yield_now().await;
        }
    }

    async fn stop(self) -> Vec<Pair> {
        self.stop.store(true, Ordering::SeqCst);
        for worker in self.workers {
            worker.await.expect("no panic");
        }
        self.tokens.lock().expect("no panic").clone()
    }
}

/// Refreshes `pair` if there is one and its session is valid, and otherwise logs in.
async fn next_pair(client: &Client, login: &str, pair: Option<Pair>) -> Option<Pair> {
    let Some(pair) = pair else {
        return Some(client.session(login).await);
    };
    let refreshed = client.refresh(&pair.refresh).await;
    match refreshed.code_or_accepted().as_str() {
        "accepted" => Some(refreshed.pair()),
        "session_revoked" => None,
        other => panic!("a refresh is refused as {other}"),
    }
}

/// Checks that only tokens with `roles` are accepted, and that they show `roles`.
async fn check_tokens(client: &Client, pairs: &[Pair], roles: &Value, round: usize) {
    let calls = pairs.iter().map(|pair| client.get("/me").bearer(&pair.access));
    for (pair, me) in pairs.iter().zip(at_once(calls.collect()).await) {
        let claimed = &part_of(&pair.access, 1)["roles"];
        if claimed == roles {
            assert_eq!(me.status, 200, "round {round}: {}", me.body);
            assert_eq!(&me.body["roles"], roles, "round {round}");
        } else {
            let code = me.code_or_accepted();
            assert_eq!(
                code, "token_outdated",
                "round {round}: a token that says {claimed}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_change_of_roles_no_token_with_the_old_roles_is_accepted() {
    // While a change waits for replicas, more logins succeed than the default limit of sessions
    // allows.
    let server = Place::new()
        .with_admin("root")
        .with("TOKENS__MAX_SESSIONS_PER_USER", "10000")
        .start();
    let client = server.client();
    let root = client.session("root").await.access;
    client.user("alice").await;
    for round in 0..32 {
        let keep_sessions = round % 4 < 2;
        let roles: &[&str] = if round % 2 == 0 {
            &["admin", "user"]
        } else {
            &["user"]
        };
        let restless = ActiveUser::start(&client, "alice");
        restless.wait_for(3).await;

        let changed = client
            .assigning(&root, "alice", roles, keep_sessions)
            .send()
            .await;

        let known = restless.tokens();
        assert_eq!(changed.status, 200, "{}", changed.body);
        check_tokens(&client, &known, &json!(roles), round).await;
        restless.wait_for(3).await;
        let all = restless.stop().await;
        check_tokens(&client, &all, &json!(roles), round).await;
        for pair in all.iter().filter(|_| !keep_sessions) {
            if part_of(&pair.access, 1)["roles"] != json!(roles) {
                assert_eq!(client.refresh_code(&pair.refresh).await, "session_revoked");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_who_demote_each_other_leave_one() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await.access;
    client.user("alice").await;
    assert_eq!(
        client
            .assigning(&root, "alice", &["admin"], false)
            .send()
            .await
            .status,
        200
    );
    for round in 0..20 {
        let root = client.session("root").await.access;
        let alice = client.session("alice").await.access;

        let answers = at_once(vec![
            client.assigning(&root, "alice", &["user"], false),
            client.assigning(&alice, "root", &["user"], false),
        ])
        .await;

        let demoted: Vec<bool> = answers.iter().map(|answer| answer.status == 200).collect();
        assert!(
            demoted == [true, false] || demoted == [false, true],
            "{round}: {:?}",
            tally(&answers)
        );
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            assert!(
                matches!(refused.code(), "last_admin" | "token_outdated"),
                "{}",
                refused.body
            );
        }
        let (left, gone) = if demoted[0] {
            ("root", "alice")
        } else {
            ("alice", "root")
        };
        let left = client.session(left).await.access;
        let may_assign = client.me(&left).await.body["permissions"].to_string();
        assert!(may_assign.contains("roles:assign"), "round {round}: {may_assign}");
        let gone_roles = client.me(&client.session(gone).await.access).await.body["roles"].take();
        assert_eq!(gone_roles, json!(["user"]), "round {round}");
        assert_eq!(
            client
                .assigning(&left, gone, &["admin"], false)
                .send()
                .await
                .status,
            200
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_by_the_old_password_outlives_a_change_of_password() {
    let server = Server::start();
    let client = server.client();
    for round in 0..20 {
        let login = format!("user-{round}");
        let own = client.user(&login).await;
        let mut calls: Vec<Call> = (0..8).map(|_| client.logging_in(&login, PASSWORD)).collect();
        calls.insert(
            round % 9,
            client.changing_password(&own.access, PASSWORD, NEW_PASSWORD),
        );

        let mut answers = at_once(calls).await;

        let changed = answers.remove(round % 9);
        assert_eq!(changed.status, 200, "{}", changed.body);
        for answer in &answers {
            match answer.status {
                200 => {
                    let left = client.token_codes(&answer.pair()).await;
                    assert_eq!(
                        left,
                        ("token_outdated".into(), "session_revoked".into()),
                        "{round}"
                    );
                }
                _ => assert_eq!(answer.code(), "invalid_credentials", "round {round}"),
            }
        }
        assert_eq!(client.me_code(&changed.pair().access).await, "accepted");
        let late = client.logging_in(&login, PASSWORD).send().await;
        assert_eq!(late.code(), "invalid_credentials");
    }
}
