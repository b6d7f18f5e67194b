//! A session from login to revocation.

use super::{
    tally::{Journal, Tally, count},
    world::{REPLICAS, World},
};
use crate::client::{Answer, Call, Client, PASSWORD, Pair};
use reqwest::Method;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// The pause before a client retries a request without a response.
const REST: Duration = Duration::from_millis(50);
/// Reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A user that only one task changes, so that its state is known.
pub struct User {
    login: String,
    id: String,
    /// The number of revocations so far.
    round: usize,
    /// Whether the user has the role that new users get.
    has_role: bool,
    is_disabled: bool,
    /// The refresh token of the last session, if that session is still valid.
    kept: Option<String>,
    /// The token of the admin that disables and enables the user.
    admin: Arc<str>,
}

/// A session of which every replica has cached a snapshot.
pub struct Life {
    user: User,
    pair: Pair,
    pub journal: Arc<Journal>,
}

/// A revoked token whose revocation was confirmed.
pub struct Revoked {
    pub token: String,
    pub answered: Instant,
    pub journal: Arc<Journal>,
}

/// A way to revoke tokens.
#[derive(Clone, Copy, Debug)]
enum Way {
    LogOut,
    ChangeRoles,
    /// The session stays valid; its access tokens do not.
    OutdateTokens,
    Disable,
    LogOutEverywhere,
}

const WAYS: [Way; 5] = [
    Way::LogOut,
    Way::ChangeRoles,
    Way::OutdateTokens,
    Way::Disable,
    Way::LogOutEverywhere,
];

impl User {
    /// Registers a new user, whatever the outcome of earlier attempts.
    pub async fn register(world: &World, admin: &Arc<str>) -> Self {
        let new = |client: &Client| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            client.registering(&format!("user-{number}"))
        };
        let number = NEXT.load(Ordering::Relaxed);
        let registered = until_done(world, number, 201, new).await;
        let text = |name: &str| {
            registered.body[name]
                .as_str()
                .expect("the response contains the text")
                .to_owned()
        };
        Self {
            login: text("login"),
            id: text("id"),
            round: number,
            has_role: true,
            is_disabled: false,
            kept: None,
            admin: Arc::clone(admin),
        }
    }

    /// Logs in and uses the token twice at every awake replica, so that each caches the session.
    pub async fn log_in(mut self, world: &World, tally: &Tally) -> Life {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let (pair, how) = match self.kept.take() {
            Some(refresh) => (refreshed(world, &refresh, number).await, "refreshed"),
            None => (session(world, &self.login, number).await, "logged in"),
        };
        let journal = Journal::begin(format!("{} {how}", self.login));
        for replica in 0..2 * REPLICAS {
            let index = replica % REPLICAS;
            let replica = world.replica(index);
            if !replica.is_awake() {
                continue;
            }
            count(&tally.load);
            let call = replica.client().get("/me").bearer(&pair.access);
            let seen = call.try_send().await;
            let seen = seen.map(|answer| (answer.status, answer.code_or_accepted()));
            journal.note(format!("replica {index} at /me: {seen:?}"));
            if let Ok((status, _)) = seen
                && status != 200
                && !is_inconclusive(status)
            {
                tally.is_wrong("a live session was refused", &journal);
            }
        }
        Life {
            user: self,
            pair,
            journal: Arc::new(journal),
        }
    }
}

impl Life {
    /// Revokes the token at an awake replica. Returns `None` when the outcome is unknown; the user
    /// is then not used again.
    pub async fn revoke(self, world: &World, tally: &Tally) -> Option<(User, Revoked)> {
        let mut user = self.user;
        user.round += 1;
        let way = WAYS[user.round % WAYS.len()];
        let (index, replica) = world.awake(NEXT.fetch_add(1, Ordering::Relaxed));
        let (before, asked) = (replica.disturbed(), Instant::now());
        self.journal.note(format!("{way:?} is asked of replica {index}"));
        let answer = way.call(&replica.client(), &user, &self.pair).try_send().await;
        let answered = Instant::now();
        self.journal.note(format!(
            "replica {index}: {:?}",
            answer.as_ref().map(|answer| answer.status)
        ));
        if !was_done(answer) {
            count(&tally.unanswered);
            return None;
        }
        let undisturbed = replica.is_awake() && replica.disturbed() == before;
        tally.revoked(undisturbed.then(|| answered - asked));
        let revoked = Revoked {
            token: self.pair.access,
            answered,
            journal: self.journal,
        };
        match way {
            Way::Disable => user.is_disabled = true,
            Way::ChangeRoles => user.has_role = !user.has_role,
            Way::OutdateTokens => {
                user.has_role = !user.has_role;
                user.kept = Some(self.pair.refresh);
            }
            Way::LogOut | Way::LogOutEverywhere => {}
        }
        Some((user, revoked))
    }
}

impl Way {
    fn call(self, client: &Client, user: &User, pair: &Pair) -> Call {
        match self {
            Self::LogOut => client.post("/logout").bearer(&pair.access),
            Self::LogOutEverywhere => client.post("/logout?everywhere=true").bearer(&pair.refresh),
            Self::ChangeRoles | Self::OutdateTokens => {
                // The roles differ each time, since a change without effect revokes nothing.
                let roles = if user.has_role { json!([]) } else { json!(["user"]) };
                let keep = matches!(self, Self::OutdateTokens);
                let call = client.put("/roles/update").bearer(&pair.access);
                call.json(&json!({"new_roles": roles, "keep_sessions": keep}))
            }
            Self::Disable => user.setting(client, "disabled"),
        }
    }
}

impl User {
    /// Enables a disabled user.
    pub async fn enable(&mut self, world: &World) {
        if self.is_disabled {
            until_done(world, self.round, 200, |client| self.setting(client, "active")).await;
            self.is_disabled = false;
        }
    }

    fn setting(&self, client: &Client, status: &str) -> Call {
        let call = client
            .call(Method::PATCH, &format!("/users/{}", self.id))
            .bearer(&self.admin);
        call.json(&json!({"status": status}))
    }
}

/// Returns whether an answer leaves the outcome open. A resumed replica answers 408 to requests
/// whose time is over.
pub fn is_inconclusive(status: u16) -> bool {
    matches!(status, 408 | 503)
}

/// Returns whether the answer confirms the change. Otherwise the outcome is unknown.
fn was_done(answer: Result<Answer, reqwest::Error>) -> bool {
    match answer {
        Ok(answer) if answer.status < 300 => true,
        Ok(answer) if is_inconclusive(answer.status) => false,
        Ok(answer) => panic!("{}: {}", answer.status, answer.body),
        Err(_) => false,
    }
}

/// Logs in, with retries until an answer arrives.
pub async fn session(world: &World, login: &str, number: usize) -> Pair {
    let logging_in = |client: &Client| client.logging_in(login, PASSWORD);
    until_done(world, number, 200, logging_in).await.pair()
}

/// Refreshes, with retries until an answer arrives: a retry within the grace window gets the same
/// pair.
async fn refreshed(world: &World, refresh: &str, number: usize) -> Pair {
    let refreshing = |client: &Client| client.post("/refresh").bearer(refresh);
    until_done(world, number, 200, refreshing).await.pair()
}

/// Asks one replica after the other, starting with `number`, until one answers with `done`.
async fn until_done(world: &World, number: usize, done: u16, call: impl Fn(&Client) -> Call) -> Answer {
    let deadline = Instant::now() + TIMEOUT;
    for turn in number.. {
        let (_, replica) = world.on_time(turn);
        match call(&replica.client()).try_send().await {
            Ok(answer) if answer.status == done => return answer,
            Ok(answer) => assert!(
                is_inconclusive(answer.status),
                "{}: {}",
                answer.status,
                answer.body
            ),
            Err(_) => {}
        }
        assert!(Instant::now() < deadline, "no replica succeeded");
        sleep(REST).await;
    }
    unreachable!("the range has no end")
}
