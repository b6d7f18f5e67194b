//! `authapi audit follow`.

use crate::{backing::Database, client::PASSWORD, server::Place};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// Longer than anything here takes; reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A running `audit follow --json`.
struct Follower {
    process: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(place: &Place, after: &str) -> Self {
        let mut command = place.command(&["audit", "follow", "--json", "--after", after]);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program runs");
        let output = process.stdout.take().expect("the stream is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines();
            lines.map_while(Result::ok).for_each(|line| {
                // The test has ended if it does not receive the line.
                let _ = sender.send(line);
            });
        });
        Self { process, lines }
    }

    /// Waits for the next event.
    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(TIMEOUT).expect("an event in time");
        serde_json::from_str(&line).expect("the line is JSON")
    }

    /// Waits for the next `count` events, and returns their numbers.
    fn numbers(&self, count: usize) -> Vec<i64> {
        let number = |event: &Value| event["number"].as_i64().expect("the event has a number");
        (0..count).map(|_| number(&self.next())).collect()
    }

    /// Sends `signal`, waits for the end, and returns the exit code.
    fn stop(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.process), signal).expect("the process runs");
        self.process.wait().expect("the process ends").code()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A place whose audit log has five events: the user `user` is created, disabled and enabled.
fn place_with_events() -> Place {
    let place = Place::new();
    place.command_succeeds(&["users", "create", "--login", "user"], PASSWORD);
    for command in ["disable", "enable", "disable", "enable"] {
        place.command_succeeds(&["users", command, "--login", "user"], "");
    }
    // Reading the log seals the events that are still pending.
    place.command_succeeds(&["audit", "list", "--limit", "1"], "");
    place
}

#[test]
fn a_follower_prints_each_event_once_and_another_continues_after_it() {
    let place = place_with_events();
    let first = Follower::start(&place, "0");
    assert_eq!(first.numbers(5), [1, 2, 3, 4, 5]);
    place.command_succeeds(&["users", "disable", "--login", "user"], "");
    let disabled = first.next();
    assert_eq!(
        (&disabled["number"], &disabled["action"]),
        (&6.into(), &"user_disabled".into())
    );
    assert_eq!(first.stop(Signal::TERM), Some(0));

    place.command_succeeds(&["users", "enable", "--login", "user"], "");
    let second = Follower::start(&place, "6");
    assert_eq!(second.numbers(1), [7]);
    assert_eq!(second.stop(Signal::INT), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_and_a_log_that_ends_before_the_position_are_reported() {
    let place = place_with_events();
    let removed = "DELETE FROM audit_trail WHERE number <= 3";
    place.database().tamper(removed).await;
    for (after, says) in [
        (
            "1",
            "the events 2 to 3 are no longer in the audit log; to continue without them, use --after 3",
        ),
        ("900", "the audit log ends with event 5, before event 900"),
    ] {
        let run = place.run(&["audit", "follow", "--after", after], "");
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
}

/// A row of a newer version has an action that this one does not know; another program may damage
/// a column.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_event_ends_the_follower_and_a_list_continues_after_it() {
    let place = place_with_events();
    let seal = match place.database() {
        Database::Sqlite(_) => "x'00'",
        Database::Postgres(_) => "''",
    };
    for (damage, number) in [
        ("action = 'of_a_newer_version'".to_owned(), 3),
        (format!("seal = {seal}"), 4),
    ] {
        let statement = format!("UPDATE audit_trail SET {damage} WHERE number = {number}");
        place.database().tamper(&statement).await;
        let after = (number - 1).to_string();
        let followed = place.run(&["audit", "follow", "--after", &after], "");
        assert_eq!(followed.code, Some(1), "{}", followed.stderr);
        let says = format!(
            "event {number} of the audit log cannot be read: a newer version or another program added or changed it; \
             to continue after it, use --after {number}"
        );
        assert!(followed.stderr.contains(&says), "{}", followed.stderr);
    }

    let listed = place.run(&["audit", "list", "--json"], "");
    let number = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("the line is JSON");
        event["number"].as_i64().expect("the event has a number")
    };
    let numbers: Vec<i64> = listed.stdout.lines().map(number).collect();
    assert_eq!(numbers, [5, 2, 1], "{}", listed.stderr);
    for says in [
        "event 4 of the audit log cannot be read: a newer version or another program added or changed it",
        "event 3 of the audit log cannot be read: a newer version or another program added or changed it",
        "the list lacks events that cannot be read: 2",
    ] {
        assert!(listed.stderr.contains(says), "no {says:?} in {}", listed.stderr);
    }
    assert_eq!(listed.code, Some(1), "the list is not complete");
    let newest = place.command_succeeds(&["audit", "list", "--json", "--limit", "1"], "");
    assert_eq!(number(newest.trim_end()), 5);
}
