//! A journal of requests and responses, and checks that the service agrees with it.

use crate::{
    backing::Database,
    client::{Answer, Call, Client, PASSWORD, Pair},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The grace window for used refresh tokens: a client that lost the response repeats the request.
pub const GRACE: &str = "1m";
/// Reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The steps of a client for one user, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Register,
    LogIn,
    Refresh,
    ReadMe,
    LoseRoles,
    LogOut,
}

pub const STEPS: [Step; 6] = [
    Step::Register,
    Step::LogIn,
    Step::Refresh,
    Step::ReadMe,
    Step::LoseRoles,
    Step::LogOut,
];

impl Step {
    /// The action of the step in the audit log.
    fn action(self) -> Option<&'static str> {
        match self {
            Self::Register => Some("user_registered"),
            Self::LogIn => Some("logged_in"),
            Self::Refresh | Self::ReadMe => None,
            Self::LoseRoles => Some("roles_changed"),
            Self::LogOut => Some("session_ended"),
        }
    }

    /// Returns whether the answer shows that an earlier, unanswered request already took the step.
    fn was_already_taken(self, answer: &Answer) -> bool {
        match self {
            Self::Register => answer.code() == "login_taken",
            Self::LogOut => answer.code() == "session_revoked",
            Self::LogIn | Self::Refresh | Self::ReadMe | Self::LoseRoles => false,
        }
    }
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    /// An earlier, unanswered request had taken the step.
    DoneBefore,
    /// Refused with 503 or 408, so it is unknown whether it took effect.
    Refused,
    NoAnswer,
}

/// The journal of one user.
#[derive(Debug)]
pub struct Story {
    pub login: String,
    /// The last confirmed step.
    pub done: Option<Step>,
    /// The step that was requested and not answered, or refused.
    pub asked: Option<Step>,
    /// The newest tokens.
    pub pair: Option<Pair>,
    /// Every request: its id, its step and its outcome.
    pub requests: Vec<(String, Step, Outcome)>,
}

impl Story {
    pub fn of(login: String) -> Self {
        Self {
            login,
            done: None,
            asked: None,
            pair: None,
            requests: Vec::new(),
        }
    }

    /// The step after the last confirmed one.
    pub fn next(&self) -> Option<Step> {
        STEPS.into_iter().find(|step| self.done < Some(*step))
    }

    /// Requests the next step, as the user of the token `root`. If a replica does not accept the
    /// connection, the client tries the next one, up to `replicas` of them.
    pub async fn take_next_step(&mut self, client: &Client, root: &str, replicas: usize) -> Outcome {
        let step = self.next().expect("the story has steps left");
        let id = format!("{}.{}.{step:?}", self.login, self.requests.len());
        let again = self.asked.replace(step) == Some(step);
        let mut answer = self.call(client, root, step, &id).try_send().await;
        for _ in 1..replicas {
            if !answer.as_ref().is_err_and(reqwest::Error::is_connect) {
                break;
            }
            answer = self.call(client, root, step, &id).try_send().await;
        }
        let outcome = match answer {
            Ok(answer) => self.note(step, &answer, again),
            Err(_) => Outcome::NoAnswer,
        };
        self.requests.push((id, step, outcome));
        outcome
    }

    fn call(&self, client: &Client, root: &str, step: Step, id: &str) -> Call {
        let pair = || self.pair.as_ref().expect("the user has logged in");
        let call = match step {
            Step::Register => client.registering(&self.login),
            Step::LogIn => client.logging_in(&self.login, PASSWORD),
            Step::Refresh => client.post("/refresh").bearer(&pair().refresh),
            Step::ReadMe => client.get("/me").bearer(&pair().access),
            Step::LoseRoles => client.assigning(root, &self.login, &[], true),
            Step::LogOut => client.post("/logout").bearer(&pair().refresh),
        };
        call.header("X-Request-Id", id.as_bytes())
    }

    fn note(&mut self, step: Step, answer: &Answer, again: bool) -> Outcome {
        if matches!(answer.status, 408 | 503) {
            return Outcome::Refused;
        }
        let taken_before = again && step.was_already_taken(answer);
        assert!(
            answer.status < 300 || taken_before,
            "{step:?} of {}: {}",
            self.login,
            answer.body
        );
        self.done = Some(step);
        self.asked = None;
        if matches!(step, Step::LogIn | Step::Refresh) {
            self.pair = Some(answer.pair());
        }
        if taken_before {
            Outcome::DoneBefore
        } else {
            Outcome::Answered
        }
    }
}

/// Checks that confirmed steps took effect, and others completely or not at all.
pub async fn check(client: &Client, story: &Story) {
    let logged_in = client.logging_in(&story.login, PASSWORD).send().await;
    if story.done.is_none() {
        check_cut_registration(client, story, &logged_in).await;
        return;
    }
    assert_eq!(logged_in.status, 200, "{story:?}");
    let me = client.me(&logged_in.pair().access).await;
    let roles = &me.body["roles"];
    match (story.done, story.asked) {
        (Some(Step::LoseRoles | Step::LogOut), _) => assert_eq!(roles, &json!([]), "{story:?}"),
        (_, Some(Step::LoseRoles)) => assert!(*roles == json!([]) || *roles == json!(["user"]), "{story:?}"),
        _ => assert_eq!(roles, &json!(["user"]), "{story:?}"),
    }
    if let Some(pair) = &story.pair {
        check_session(client, story, pair, roles).await;
    }
}

/// Checks that an interrupted registration created the whole user, or left the login free.
async fn check_cut_registration(client: &Client, story: &Story, logged_in: &Answer) {
    if logged_in.status == 200 {
        let me = client.me(&logged_in.pair().access).await;
        assert_eq!(me.body["roles"], json!(["user"]), "{story:?}");
    } else {
        assert_eq!(logged_in.code(), "invalid_credentials", "{story:?}");
        assert_eq!(client.register(&story.login).await.status, 201, "{story:?}");
    }
}

/// Checks the session with the newest tokens `pair` of a user with the roles `roles`.
async fn check_session(client: &Client, story: &Story, pair: &Pair, roles: &Value) {
    let me = client.me_code(&pair.access).await;
    let refreshed = client.refresh(&pair.refresh).await;
    let ended = refreshed.code() == "session_revoked";
    match (story.done, story.asked) {
        (Some(Step::LogOut), _) => assert!(ended, "{story:?}"),
        (_, Some(Step::LogOut)) => {}
        _ => assert!(!ended, "{story:?}"),
    }
    let changed = *roles == json!([]);
    let expected = match (changed, ended) {
        (true, _) => "token_outdated",
        (false, true) => "token_revoked",
        (false, false) => "accepted",
    };
    assert_eq!(me, expected, "{story:?}");
    if !ended {
        assert_eq!(refreshed.status, 200, "{story:?}: {}", refreshed.body);
        let fresh = client.me(&refreshed.pair().access).await;
        assert_eq!((fresh.status, &fresh.body["roles"]), (200, roles), "{story:?}");
    }
}

/// Waits until a database server has ended the statements of killed replicas.
pub async fn settle(database: &Database) {
    let Database::Postgres(_) = database else {
        return;
    };
    let at_work = "SELECT query AS finding FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
    let deadline = Instant::now() + TIMEOUT;
    while !database.find(at_work).await.is_empty() {
        assert!(Instant::now() < deadline, "the database still runs statements");
    }
}

/// Checks that the database is intact and that each change has its audit event.
pub async fn check_database(database: &Database) {
    if let Database::Sqlite(_) = database {
        let sound = "SELECT integrity_check AS finding FROM pragma_integrity_check";
        assert_eq!(database.find(sound).await, ["ok"]);
        let orphans = "SELECT \"table\" AS finding FROM pragma_foreign_key_check";
        assert_eq!(database.find(orphans).await, [""; 0]);
    }
    for query in [
        "SELECT login AS finding FROM users WHERE 1 <> (SELECT count(*) FROM audit_trail \
         WHERE audit_trail.user_id = users.id AND action = 'user_registered')",
        "SELECT login AS finding FROM users WHERE token_epoch <> (SELECT count(*) FROM audit_trail \
         WHERE audit_trail.user_id = users.id AND action = 'roles_changed')",
        "SELECT login AS finding FROM sessions JOIN users ON users.id = user_id \
         WHERE 1 <> (SELECT count(*) FROM audit_trail WHERE session_id = sessions.id AND action = 'logged_in')",
        "SELECT login AS finding FROM sessions JOIN users ON users.id = user_id \
         WHERE CASE WHEN revoked_at IS NULL THEN 0 ELSE 1 END <> \
         (SELECT count(*) FROM audit_trail WHERE session_id = sessions.id AND action = 'session_ended')",
        "SELECT DISTINCT action AS finding FROM audit_trail WHERE user_id NOT IN (SELECT id FROM users)",
        "SELECT DISTINCT action AS finding FROM audit_trail \
         WHERE session_id IS NOT NULL AND session_id NOT IN (SELECT id FROM sessions)",
    ] {
        assert_eq!(database.find(query).await, [""; 0], "{query}");
    }
}

/// The id that the client chose for its request, in the details of an event.
pub fn client_request_id(details: &str) -> Option<String> {
    let details: Value = serde_json::from_str(details).expect("details are JSON");
    details["client_request_id"].as_str().map(ToOwned::to_owned)
}

/// Returns whether a request for `step` may have written these actions. `taken_before` is whether
/// an earlier one took the step, although the client got no confirmation.
fn fits(step: Step, outcome: Outcome, written: &[&str], taken_before: bool) -> bool {
    let whole = written == Vec::from_iter(step.action());
    // Each login opens a session. The other steps change nothing when they are repeated.
    let may_change = step == Step::LogIn || !taken_before;
    match outcome {
        Outcome::Answered if may_change => whole,
        Outcome::Answered => written.is_empty(),
        Outcome::DoneBefore => written.is_empty() && taken_before,
        Outcome::Refused | Outcome::NoAnswer => written.is_empty() || (whole && may_change),
    }
}

/// Checks that the audit log has an event for every confirmed change, none for requests without
/// effect, and for unanswered requests the right one or none.
pub async fn check_audit_log(database: &Database, stories: &[Story]) {
    // A registration that is repeated is refused, because its login is taken. A refresh that
    // repeats one whose response was lost writes an event; no other refresh does.
    let query = "SELECT action || ' ' || details AS finding FROM audit_trail \
        WHERE action NOT IN ('registration_refused', 'refresh_token_replayed')";
    let rows = database.find(query).await;
    let mut actions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for row in &rows {
        let (action, details) = row.split_once(' ').expect("actions have no spaces");
        if let Some(id) = client_request_id(details) {
            actions.entry(id).or_default().push(action);
        }
    }
    for story in stories {
        let mut taken = Vec::new();
        for (id, step, outcome) in &story.requests {
            let written = actions.remove(id).unwrap_or_default();
            let fits = fits(*step, *outcome, &written, taken.contains(step));
            assert!(fits, "{id} was {outcome:?} and wrote {written:?}");
            if !written.is_empty() {
                taken.push(*step);
            }
        }
    }
    let unrequested = |id: &&String| STEPS.iter().any(|step| id.ends_with(&format!(".{step:?}")));
    let unrequested: Vec<_> = actions.keys().filter(unrequested).collect();
    assert!(
        unrequested.is_empty(),
        "events without a request: {unrequested:?}"
    );
}
