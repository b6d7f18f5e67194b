//! `kill -9` under load: what was answered is there afterwards, and what was asked is there whole or not at all.

use crate::{
    backing::Database,
    client::{Answer, Call, Client, PASSWORD, Pair},
    server::Place,
};
use serde_json::{Value, json};
use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

const ROUNDS: usize = 6;
const CLIENTS: usize = 6;
/// Reached only when something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a client does to a user, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Register,
    LogIn,
    Refresh,
    LoseRoles,
    LogOut,
}

const STEPS: [Step; 5] = [
    Step::Register,
    Step::LogIn,
    Step::Refresh,
    Step::LoseRoles,
    Step::LogOut,
];

/// One user's journal.
#[derive(Debug)]
struct Story {
    login: String,
    /// The last step that was answered.
    done: Option<Step>,
    /// The step that was asked for and not answered.
    asked: Option<Step>,
    /// The newest tokens.
    pair: Option<Pair>,
}

impl Story {
    fn call(&self, client: &Client, root: &str, step: Step) -> Call {
        let pair = || self.pair.as_ref().expect("logged in");
        let call = match step {
            Step::Register => client.registering(&self.login),
            Step::LogIn => client.logging_in(&self.login, PASSWORD),
            Step::Refresh => client.post("/refresh").bearer(&pair().refresh),
            Step::LoseRoles => client.assigning(root, &self.login, &[], true),
            Step::LogOut => client.post("/logout").bearer(&pair().refresh),
        };
        call.header("X-Request-Id", format!("{}-{step:?}", self.login).as_bytes())
    }

    fn note(&mut self, step: Step, answer: &Answer) {
        assert!(answer.status < 300, "{step:?} of {}: {}", self.login, answer.body);
        self.done = Some(step);
        self.asked = None;
        if matches!(step, Step::LogIn | Step::Refresh) {
            self.pair = Some(answer.pair());
        }
    }
}

/// Writes one story after the other, each a step longer than the last, until the server is gone.
async fn write_stories(client: Client, root: Arc<str>, name: String) -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    for number in 0.. {
        let mut story = Story {
            login: format!("{name}-{number}"),
            done: None,
            asked: None,
            pair: None,
        };
        for step in STEPS.into_iter().take(number % STEPS.len() + 1) {
            story.asked = Some(step);
            match story.call(&client, &root, step).try_send().await {
                Ok(answer) => story.note(step, &answer),
                Err(_) => break,
            }
        }
        let is_over = story.asked.is_some();
        stories.push(story);
        if is_over {
            break;
        }
    }
    stories
}

/// Somewhere between nothing and `most`.
pub fn any_delay(most: Duration) -> Duration {
    most * u32::try_from(RandomState::new().hash_one(0) % 1000).expect("it is small") / 1000
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_outlives_a_kill_and_what_was_not_is_there_whole_or_not_at_all() {
    // Long enough for a restart: a refresh whose answer was lost is asked again.
    let mut server = Place::new()
        .with_admin("root")
        .with("TOKENS__REFRESH_GRACE", "1m")
        .start();
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        let root: Arc<str> = server.client().session("root").await.access.into();
        let writers: Vec<JoinHandle<Vec<Story>>> = (0..CLIENTS)
            .map(|client| {
                let name = format!("user-{round}-{client}");
                tokio::spawn(write_stories(server.client(), Arc::clone(&root), name))
            })
            .collect();
        let this_round = format!("user-{round}-");
        let logged_out = |line: &str| (line.contains(&this_round) && line.contains("-LogOut")).then_some(());
        server
            .log()
            .wait_for(PATIENCE, logged_out)
            .expect("there is load");
        tokio::time::sleep(any_delay(Duration::from_millis(300))).await;
        // Of several, by turns one, for which the others answer, and all.
        let count = if round % 2 == 0 { 1 } else { server.replicas() };
        assert!(server.kill(count), "each died by the signal");
        let mut stories = Vec::new();
        for writer in writers {
            stories.extend(writer.await.expect("every answer is a good one"));
        }
        settle(server.place().database()).await;
        if server.replicas() == 0 {
            server.start_missing();
        }
        for story in &stories {
            check(&server.client(), story).await;
        }
        all.extend(stories);
        server.start_missing();
        check_migrations(server.place());
    }
    let answered = all.iter().filter(|story| story.done.is_some()).count();
    let cut = all.iter().filter(|story| story.asked.is_some()).count();
    assert_eq!(
        cut,
        ROUNDS * CLIENTS,
        "every client was at work when the server died"
    );
    assert!(answered >= ROUNDS, "{answered}");
    check_that_it_stayed_so(&server.client(), &all).await;
    assert!(server.kill(server.replicas()));
    check_database(server.place().database()).await;
}

/// Later crashes brought no session back that had ended.
async fn check_that_it_stayed_so(client: &Client, stories: &[Story]) {
    let ended = stories.iter().filter(|story| story.done == Some(Step::LogOut));
    let ended: Vec<&Pair> = ended.filter_map(|story| story.pair.as_ref()).collect();
    assert!(ended.len() >= ROUNDS, "{}", ended.len());
    for pair in ended {
        assert_eq!(client.refresh_code(&pair.refresh).await, "session_revoked");
    }
}

/// The command line at work beside servers that have crashed.
fn check_migrations(place: &Place) {
    let status = place.command_succeeds(&["migrate", "status", "--json"], "");
    let migrations: Vec<Value> = serde_json::from_str(&status).expect("a JSON array");
    assert!(!migrations.is_empty() && migrations.iter().all(|one| one["applied"] == true));
}

/// Waits until a database that is a server of its own has ended what the dead had asked it for.
pub async fn settle(database: &Database) {
    let Database::Postgres(_) = database else {
        return;
    };
    let at_work = "SELECT query AS finding FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
    let deadline = Instant::now() + PATIENCE;
    while !database.find(at_work).await.is_empty() {
        assert!(Instant::now() < deadline, "the database is still at work");
    }
}

async fn check(client: &Client, story: &Story) {
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

/// There is a whole user or none: then the login is free.
async fn check_cut_registration(client: &Client, story: &Story, logged_in: &Answer) {
    if logged_in.status == 200 {
        let me = client.me(&logged_in.pair().access).await;
        assert_eq!(me.body["roles"], json!(["user"]), "{story:?}");
    } else {
        assert_eq!(logged_in.code(), "invalid_credentials", "{story:?}");
        assert_eq!(client.register(&story.login).await.status, 201, "{story:?}");
    }
}

/// What is left of the session whose newest tokens are `pair`, now that the user has `roles`.
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

/// The file is sound, and every user came with their audit row.
async fn check_database(database: &Database) {
    if let Database::Sqlite(_) = database {
        let sound = "SELECT integrity_check AS finding FROM pragma_integrity_check";
        assert_eq!(database.find(sound).await, ["ok"]);
        let orphans = "SELECT \"table\" AS finding FROM pragma_foreign_key_check";
        assert_eq!(database.find(orphans).await, [""; 0]);
    }
    for query in [
        "SELECT login AS finding FROM users WHERE NOT EXISTS \
         (SELECT 1 FROM audit_events WHERE audit_events.user_id = users.id)",
        "SELECT DISTINCT action AS finding FROM audit_events WHERE user_id NOT IN (SELECT id FROM users)",
    ] {
        assert_eq!(database.find(query).await, [""; 0], "{query}");
    }
}
