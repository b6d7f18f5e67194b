//! `kill -9` under load: answered requests are kept, and unanswered ones are applied completely or
//! not at all.

use crate::{
    client::{Client, Pair},
    journal::{GRACE, Outcome, STEPS, Step, Story, check, check_audit_log, check_database, settle},
    server::Place,
};
use serde_json::Value;
use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};

const ROUNDS: usize = 6;
const CLIENTS: usize = 6;
/// The pause of a client whose request a replica was too busy for.
const REST: Duration = Duration::from_millis(50);
/// Reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Writes stories, each a step longer than the one before, until the server ends. Repeats a request
/// that a replica was too busy for, as a client should.
async fn write_stories(client: Client, root: Arc<str>, name: String) -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    for number in 0.. {
        let mut story = Story::of(format!("{name}-{number}"));
        let last = STEPS[number % STEPS.len()];
        while story.done < Some(last) {
            match story.take_next_step(&client, &root, 1).await {
                Outcome::Answered | Outcome::DoneBefore => {}
                Outcome::Refused => sleep(REST).await,
                Outcome::NoAnswer => break,
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

/// Returns a random delay of at most `most`.
pub fn any_delay(most: Duration) -> Duration {
    most * u32::try_from(RandomState::new().hash_one(0) % 1000).expect("the number is below 1000") / 1000
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_confirmed_changes_are_kept_and_others_are_atomic() {
    let mut server = Place::new()
        .with_admin("root")
        .with("TOKENS__REFRESH_GRACE", GRACE)
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
        let logged_out = |line: &str| (line.contains(&this_round) && line.contains(".LogOut")).then_some(());
        server
            .log()
            .wait_for(TIMEOUT, logged_out)
            .expect("the server logs the requests in time");
        sleep(any_delay(Duration::from_millis(300))).await;
        // With several replicas, kill alternately one, so that the others answer, and all.
        let count = if round % 2 == 0 { 1 } else { server.replicas() };
        assert!(server.kill(count), "SIGKILL ended each replica");
        let mut stories = Vec::new();
        for writer in writers {
            stories.extend(writer.await.expect("every answer is as expected"));
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
        "every client had sent a request when the server was killed"
    );
    assert!(answered >= ROUNDS, "{answered}");
    check_stories_again(&server.client(), &all).await;
    assert!(server.kill(server.replicas()));
    check_database(server.place().database()).await;
    check_audit_log(server.place().database(), &all).await;
}

/// Checks that later crashes did not restore ended sessions.
async fn check_stories_again(client: &Client, stories: &[Story]) {
    let ended = stories.iter().filter(|story| story.done == Some(Step::LogOut));
    let ended: Vec<&Pair> = ended.filter_map(|story| story.pair.as_ref()).collect();
    assert!(ended.len() >= ROUNDS, "{}", ended.len());
    for pair in ended {
        assert_eq!(client.refresh_code(&pair.refresh).await, "session_revoked");
    }
}

/// Migrates with the command line next to servers that have crashed.
fn check_migrations(place: &Place) {
    let status = place.command_succeeds(&["migrate", "status", "--json"], "");
    let migrations: Vec<Value> = serde_json::from_str(&status).expect("the output is a JSON array");
    assert!(!migrations.is_empty() && migrations.iter().all(|one| one["applied"] == true));
}
