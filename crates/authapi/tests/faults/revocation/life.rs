//! A session from its login to the end that somebody puts to it.

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

/// Before whoever got no answer asks again.
const REST: Duration = Duration::from_millis(50);
/// Reached only when something is wrong.
const TIMEOUT: Duration = Duration::from_mins(1);

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A user who is somebody's alone, in a state that is known.
pub struct User {
    login: String,
    id: String,
    /// How often something was revoked.
    round: usize,
    /// Whether they have the role that everybody begins with.
    has_role: bool,
    is_disabled: bool,
    /// The refresh token of the last session, where that lives on.
    kept: Option<String>,
    /// Somebody else's right to disable and enable.
    admin: Arc<str>,
}

/// A session whose view every replica has in its memory.
pub struct Life {
    user: User,
    pair: Pair,
    pub journal: Arc<Journal>,
}

/// A token that was revoked, and that it was answered so.
pub struct Revoked {
    pub token: String,
    pub answered: Instant,
    pub journal: Arc<Journal>,
}

/// How a session is ended.
#[derive(Clone, Copy, Debug)]
enum Way {
    LogOut,
    ChangeRoles,
    /// The session lives on, its access tokens do not.
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
    /// A new one, whatever became of the attempt before.
    pub async fn register(world: &World, admin: &Arc<str>) -> Self {
        let new = |client: &Client| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            client.registering(&format!("user-{number}"))
        };
        let number = NEXT.load(Ordering::Relaxed);
        let registered = until_done(world, number, 201, new).await;
        let text = |name: &str| registered.body[name].as_str().expect("a text").to_owned();
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

    /// Gets tokens, and lets every replica that is awake see the session twice: what the first look read is kept.
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
                && !is_put_off(status)
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
    /// Ends it, at a replica that is awake. The user is lost when nobody can tell what became of it.
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
                // Each time others, since what changes nothing revokes nothing.
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
    /// Lets a user who was disabled log in again.
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

/// Whether an answer settles nothing. A replica that was held still finds requests whose time is over: 408.
pub fn is_put_off(status: u16) -> bool {
    matches!(status, 408 | 503)
}

/// Whether it was answered that it was done. Otherwise nobody knows.
fn was_done(answer: Result<Answer, reqwest::Error>) -> bool {
    match answer {
        Ok(answer) if answer.status < 300 => true,
        Ok(answer) if is_put_off(answer.status) => false,
        Ok(answer) => panic!("{}: {}", answer.status, answer.body),
        Err(_) => false,
    }
}

/// A login whose answer arrives.
pub async fn session(world: &World, login: &str, number: usize) -> Pair {
    let logging_in = |client: &Client| client.logging_in(login, PASSWORD);
    until_done(world, number, 200, logging_in).await.pair()
}

/// What comes of a refresh whose answer arrives: whoever lost an answer gets it once more.
async fn refreshed(world: &World, refresh: &str, number: usize) -> Pair {
    let refreshing = |client: &Client| client.post("/refresh").bearer(refresh);
    until_done(world, number, 200, refreshing).await.pair()
}

/// Asks one replica after the other, beginning with that of `number`, until it is done.
async fn until_done(world: &World, number: usize, done: u16, call: impl Fn(&Client) -> Call) -> Answer {
    let deadline = Instant::now() + TIMEOUT;
    for turn in number.. {
        let (_, replica) = world.on_time(turn);
        match call(&replica.client()).try_send().await {
            Ok(answer) if answer.status == done => return answer,
            Ok(answer) => assert!(is_put_off(answer.status), "{}: {}", answer.status, answer.body),
            Err(_) => {}
        }
        assert!(Instant::now() < deadline, "nobody does it");
        sleep(REST).await;
    }
    unreachable!("numbers do not end")
}
