//! Failures that only several replicas can have: a response of one must be valid on all.

#![expect(
    clippy::indexing_slicing,
    reason = "an answer that lacks what a test looks for should fail it"
)]

use crate::{
    burst::{at_once, tally},
    client::{Answer, Call, Client, NEW_PASSWORD, PASSWORD, Pair},
    it::session_cache::wait_until_cached,
    server::{Place, Server},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ROUNDS: usize = 1_000;
const STARTS: usize = 5;
const CROWD: usize = 1_000;

/// A way to revoke a user's tokens.
#[derive(Clone, Copy, Debug)]
enum Way {
    LogOut,
    LogOutEverywhere,
    ChangeRoles,
    ChangePassword,
}

const WAYS: [Way; 4] = [
    Way::LogOut,
    Way::LogOutEverywhere,
    Way::ChangeRoles,
    Way::ChangePassword,
];

impl Way {
    /// Changes alternate from round to round, so that each has an effect.
    fn call(self, replica: &Client, pair: &Pair, round: usize) -> Call {
        let (roles, [old, new]) = if round.is_multiple_of(2) {
            (json!([]), [PASSWORD, NEW_PASSWORD])
        } else {
            (json!(["user"]), [NEW_PASSWORD, PASSWORD])
        };
        match self {
            Self::LogOut => replica.post("/logout").bearer(&pair.access),
            Self::LogOutEverywhere => replica.post("/logout?everywhere=true").bearer(&pair.refresh),
            Self::ChangeRoles => replica
                .put("/roles/update")
                .bearer(&pair.access)
                .json(&json!({"new_roles": roles})),
            Self::ChangePassword => replica.changing_password(&pair.access, old, new),
        }
    }

    /// The code with which a token revoked in this way is rejected.
    fn code(self) -> &'static str {
        match self {
            Self::LogOut | Self::LogOutEverywhere => "token_revoked",
            Self::ChangeRoles | Self::ChangePassword => "token_outdated",
        }
    }

    fn password(self, round: usize) -> &'static str {
        match self {
            Self::ChangePassword if !round.is_multiple_of(2) => NEW_PASSWORD,
            _ => PASSWORD,
        }
    }
}

/// Revokes a user's tokens repeatedly, each time at the next replica, and asks every replica right
/// after each response. Returns how often a replica still accepted the token, and how often one was
/// asked.
async fn revoke_repeatedly(replicas: Vec<Client>, way: Way, rounds: usize) -> (usize, usize) {
    let login = format!("{way:?}");
    assert_eq!(replicas[0].register(&login).await.status, 201);
    let (mut accepted, mut asked) = (0, 0);
    for round in 0..rounds {
        let revoker = &replicas[round % replicas.len()];
        let logged_in = revoker.logging_in(&login, way.password(round)).send().await;
        let pair = logged_in.pair();
        // Every replica has accepted the token and cached its session.
        wait_until_cached(&replicas, &[&pair]).await;

        let answer = way.call(revoker, &pair, round).send().await;

        let answers = at_once(asking(&replicas, &pair)).await;
        assert!(answer.status < 300, "{way:?}, round {round}: {}", answer.body);
        for me in &answers {
            asked += 1;
            if me.status == 200 {
                accepted += 1;
            } else {
                assert_eq!((me.status, me.code()), (401, way.code()), "round {round}");
            }
        }
    }
    (accepted, asked)
}

fn asking(replicas: &[Client], pair: &Pair) -> Vec<Call> {
    let calls = replicas
        .iter()
        .map(|replica| replica.get("/me").bearer(&pair.access));
    calls.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_revoked_at_one_replica_is_rejected_by_all_in_a_thousand_rounds() {
    revoke_in_each_way(&Server::start(), ROUNDS).await;
}

/// Revokes tokens `rounds` times in all, in each way at the same time.
pub async fn revoke_in_each_way(server: &Server, rounds: usize) {
    let rounds = rounds / WAYS.len();
    let workers = WAYS.map(|way| tokio::spawn(revoke_repeatedly(server.each(), way, rounds)));
    for (way, worker) in WAYS.into_iter().zip(workers) {
        let counted = worker.await.expect("the task does not panic");
        assert_eq!(counted, (0, rounds * server.replicas()), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_refreshes_of_one_token_over_three_replicas_have_one_successor() {
    let server = Server::start();
    let client = server.client();
    let pair = client.user("alice").await;

    let calls = (0..CROWD)
        .map(|_| client.post("/refresh").bearer(&pair.refresh))
        .collect();
    let answers = at_once(calls).await;

    assert_eq!(tally(&answers), [(200, String::new(), CROWD)]);
    let pairs: Vec<Pair> = answers.iter().map(Answer::pair).collect();
    let successors: BTreeSet<&str> = pairs.iter().map(|pair| pair.refresh.as_str()).collect();
    assert_eq!(successors.len(), 1);
    for replica in server.each() {
        assert_eq!(replica.me_code(&pairs[0].access).await, "accepted");
    }
    let successor = successors.first().expect("one refresh succeeded");
    assert_eq!(client.refresh_code(successor).await, "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_at_once_on_an_empty_database_create_one_schema_and_one_admin() {
    for round in 0..STARTS {
        let server = Place::new().with_admin("root").start();
        let lines = server.log().lines();
        let events: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).expect("the line is a JSON event"))
            .collect();
        let said = |message: &str| {
            let said = events.iter().filter(|event| event["message"] == message);
            said.count()
        };
        let migrations: Vec<&str> = events
            .iter()
            .filter_map(|event| event["migration"].as_str())
            .collect();
        let once: BTreeSet<&str> = migrations.iter().copied().collect();
        assert_eq!(migrations.len(), once.len(), "round {round}: {migrations:?}");
        let listed = server
            .place()
            .command_succeeds(&["migrate", "status", "--json"], "");
        let listed: Value = serde_json::from_str(&listed).expect("the output is JSON");
        assert_eq!(listed.as_array().map(Vec::len), Some(once.len()));
        assert_eq!(said("created the first admin"), 1, "round {round}: {lines:#?}");

        let users = server.place().command_succeeds(&["users", "list", "--json"], "");
        assert_eq!(users.lines().count(), 1, "{users}");
        let user: Value = serde_json::from_str(&users).expect("the output is JSON");
        assert_eq!(user["roles"], json!(["admin", "user"]));
        for replica in server.each() {
            let root = replica.session("root").await;
            assert_eq!(replica.me(&root.access).await.status, 200);
        }
    }
}
