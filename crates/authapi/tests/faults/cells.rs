//! The behaviour promised for each endpoint during a fault: a row of the table in
//! `docs/operations.md`.

use crate::client::{Answer, Call, Client, PASSWORD, Pair};
use std::{
    future::Future,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// The deadline for a refusal, with a quarter added for a busy machine of two cores.
pub const SOON: Duration = Duration::from_millis(1_250);
/// The deadline for a request that succeeds.
pub const AT_MOST: Duration = Duration::from_millis(2_500);

/// The promise for one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    Works,
    /// 503 with `Retry-After`, within [`SOON`] and without any effect.
    Refused,
    /// Either success or refusal.
    Either,
}

/// The promises during one fault.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub register: Cell,
    pub log_in: Cell,
    pub refresh: Cell,
    pub me: Cell,
    pub log_out: Cell,
    pub change_roles: Cell,
    /// The status of `/health/ready` and the one in its body; `None` where either is allowed.
    pub ready: Option<(u16, &'static str)>,
}

/// Promises when everything works.
pub const FINE: Row = Row {
    register: Cell::Works,
    log_in: Cell::Works,
    refresh: Cell::Works,
    me: Cell::Works,
    log_out: Cell::Works,
    change_roles: Cell::Works,
    ready: Some((200, "ready")),
};

/// Promises when everything outside this process is unavailable.
pub const UNAVAILABLE: Row = Row {
    register: Cell::Refused,
    log_in: Cell::Refused,
    refresh: Cell::Refused,
    me: Cell::Refused,
    log_out: Cell::Refused,
    change_roles: Cell::Refused,
    ready: Some((503, "unavailable")),
};

/// Two users created before the fault, for one round of requests.
pub struct Cells {
    name: String,
    /// A session to read and refresh.
    kept: Pair,
    /// A session of the same user to log out.
    ended: Pair,
    /// The user whose roles change.
    changed: Pair,
}

/// The outcome of a round of requests.
pub struct Asked {
    cells: Cells,
    registered: Answer,
    logged_in: Answer,
    refreshed: Answer,
    logged_out: Answer,
    roles_changed: Answer,
    /// The slowest response.
    pub slowest: Duration,
}

impl Cells {
    pub async fn prepare(client: &Client, round: usize) -> Self {
        let name = format!("cell-{round}");
        let kept = client.user(&name).await;
        Self {
            kept,
            ended: client.session(&name).await,
            changed: client.user(&format!("{name}-changed")).await,
            name,
        }
    }

    /// Sends all requests at once and compares the responses with `row`.
    pub async fn ask(self, client: &Client, root: &str, row: &Row) -> Asked {
        let calls = [
            client.registering(&format!("{}-new", self.name)),
            client.logging_in(&self.name, PASSWORD),
            client.post("/refresh").bearer(&self.kept.refresh),
            client.get("/me").bearer(&self.kept.access),
            client.post("/logout").bearer(&self.ended.access),
            client.assigning(root, &format!("{}-changed", self.name), &[], true),
            client.get("/health/ready"),
            client.get("/health/live"),
            client.get("/.well-known/jwks.json"),
        ];
        let answers = at_once(calls.map(|call| Box::pin(timed(call)))).await;
        let slowest = answers.iter().map(|it| it.1).max().unwrap_or_default();
        let answers: [(Answer, Duration); 9] = answers.try_into().expect("an answer to each");
        let [
            registered,
            logged_in,
            refreshed,
            me,
            logged_out,
            roles_changed,
            ready,
            live,
            jwks,
        ] = answers;
        check("POST /register", row.register, &registered);
        check("POST /login", row.log_in, &logged_in);
        check("POST /refresh", row.refresh, &refreshed);
        check("GET /me", row.me, &me);
        check("POST /logout", row.log_out, &logged_out);
        check("PUT /roles/update", row.change_roles, &roles_changed);
        check("GET /health/live", Cell::Works, &live);
        check("GET /.well-known/jwks.json", Cell::Works, &jwks);
        check_ready(row.ready, &ready);
        Asked {
            cells: self,
            registered: registered.0,
            logged_in: logged_in.0,
            refreshed: refreshed.0,
            logged_out: logged_out.0,
            roles_changed: roles_changed.0,
            slowest,
        }
    }
}

fn check(what: &str, promised: Cell, (answer, took): &(Answer, Duration)) {
    let actual = (answer.status, answer.code(), *took);
    match (promised, answer.status) {
        (Cell::Refused | Cell::Either, 503) => assert!(*took <= SOON, "{what}: {actual:?}"),
        (Cell::Works | Cell::Either, 200..=299) => assert!(*took <= AT_MOST, "{what}: {actual:?}"),
        _ => panic!("{what} should be {promised:?}: {actual:?}"),
    }
}

fn check_ready(promised: Option<(u16, &str)>, (answer, took): &(Answer, Duration)) {
    assert!(*took <= SOON, "ready: {took:?}");
    let actual = (answer.status, answer.body["status"].as_str().unwrap_or_default());
    if let Some(promised) = promised {
        assert_eq!(actual, promised, "{}", answer.body);
    }
}

impl Asked {
    /// Checks after the fault that successful requests took effect and refused ones did not.
    pub async fn check_afterwards(&self, client: &Client) {
        let Self { cells, .. } = self;
        let worked = |answer: &Answer| answer.status < 300;
        let newcomer = format!("{}-new", cells.name);
        let expected = if worked(&self.registered) { 409 } else { 201 };
        assert_eq!(client.register(&newcomer).await.status, expected, "{newcomer}");
        if worked(&self.logged_in) {
            let pair = self.logged_in.pair();
            assert_eq!(
                client.token_codes(&pair).await,
                ("accepted".into(), "accepted".into())
            );
        }
        let refresh = if worked(&self.refreshed) {
            self.refreshed.pair().refresh
        } else {
            cells.kept.refresh.clone()
        };
        assert_eq!(client.refresh_code(&refresh).await, "accepted");
        assert_eq!(client.me_code(&cells.kept.access).await, "accepted");
        for (answer, pair, code) in [
            (&self.logged_out, &cells.ended, "token_revoked"),
            (&self.roles_changed, &cells.changed, "token_outdated"),
        ] {
            let expected = if worked(answer) { code } else { "accepted" };
            assert_eq!(client.me_code(&pair.access).await, expected, "{}", answer.body);
        }
    }
}

async fn timed(call: Call) -> (Answer, Duration) {
    let asked = Instant::now();
    let answer = call.send_once().await;
    (answer, asked.elapsed())
}

/// Runs the futures concurrently and returns their outputs in order.
async fn at_once<F>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (number, future) in futures.into_iter().enumerate() {
        tasks.spawn(async move { (number, future.await) });
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|it| it.0);
    results.into_iter().map(|it| it.1).collect()
}
