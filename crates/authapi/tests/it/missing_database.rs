//! Commands where there is no database: only those that are meant to create one do so, and all
//! others that need one fail.

use crate::{
    client::PASSWORD,
    mode::Mode,
    server::{Place, Run},
};
use authapi::cli::Cli;
use clap::{Command, CommandFactory};
use std::{collections::BTreeSet, fs};

/// What a command does where there is no database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Creates,
    Fails,
    /// The command fails without a file, and works on a Postgres database without tables.
    FailsWithoutFile,
    /// The command works without a database.
    NeedsNone,
}
use Effect::{Creates, Fails, FailsWithoutFile, NeedsNone};

/// Every command with its arguments. A new command must be added here.
const CALLS: [(&str, &[&str], Effect); 38] = [
    ("serve", &[], Creates),
    ("migrate up", &[], Creates),
    ("migrate down", &[], FailsWithoutFile),
    ("migrate status", &[], FailsWithoutFile),
    ("keys generate", &[], NeedsNone),
    ("keys list", &[], NeedsNone),
    ("keys publish", &[], NeedsNone),
    ("keys rotate", &[], Fails),
    ("keys retire", &["kid"], Fails),
    ("keys remove", &["kid"], Fails),
    ("users create", &["--login", "alice"], Creates),
    ("users list", &[], Fails),
    ("users show", &["--login", "alice"], Fails),
    ("users set-roles", &["--login", "alice", "--none"], Fails),
    ("users disable", &["--login", "alice"], Fails),
    ("users enable", &["--login", "alice"], Fails),
    ("users reset-password", &["--login", "alice"], Fails),
    ("users delete", &["--login", "alice", "--yes"], Fails),
    ("users import", &["users.jsonl"], Creates),
    ("users import", &["users.jsonl", "--dry-run"], Fails),
    ("users export", &[], Fails),
    ("roles list", &[], Fails),
    ("roles set", &["editor"], Fails),
    ("roles set", &["editor", "--dry-run"], Fails),
    ("roles delete", &["editor"], Fails),
    ("sessions list", &["--login", "alice"], Fails),
    ("sessions end", &["--login", "alice"], Fails),
    ("audit list", &[], Fails),
    ("audit follow", &[], Fails),
    ("audit verify", &[], Fails),
    ("audit accept", &[], Fails),
    ("audit public-key", &[], NeedsNone),
    ("config check", &[], NeedsNone),
    ("passwords check", &[], NeedsNone),
    ("healthcheck", &[], NeedsNone),
    ("openapi", &[], NeedsNone),
    ("completions", &["bash"], NeedsNone),
    ("man", &["pages"], NeedsNone),
];

/// Returns the commands without subcommands, each with its path.
fn leaves(command: &Command, path: &str) -> BTreeSet<String> {
    let leaves = command.get_subcommands().flat_map(|sub| {
        let path = format!("{path} {}", sub.get_name());
        if sub.has_subcommands() {
            leaves(sub, &path)
        } else {
            BTreeSet::from([path.trim().to_owned()])
        }
    });
    leaves.collect()
}

fn new_place() -> Place {
    let place = Place::new();
    fs::write(place.path().join("users.jsonl"), "").expect("a file");
    place
}

fn run(place: &Place, name: &str, arguments: &[&str]) -> Run {
    let words: Vec<&str> = name.split(' ').chain(arguments.iter().copied()).collect();
    place.run(&words, &format!("{PASSWORD}\n"))
}

#[test]
fn each_command_is_in_the_table() {
    let listed = CALLS.map(|(name, ..)| name.to_owned());
    assert_eq!(leaves(&Cli::command(), ""), BTreeSet::from(listed));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_commands_that_are_meant_to_create_a_database_do() {
    let empty = new_place();
    let is_file = Mode::of_this_run() == Mode::Sqlite;
    for (name, arguments, effect) in CALLS {
        match effect {
            FailsWithoutFile if !is_file => {
                let run = run(&empty, name, arguments);
                assert_eq!(run.code, Some(0), "{name}: {}", run.stderr);
            }
            Creates if name == "serve" => {
                let stopped = new_place().start().terminate();
                assert!(stopped.place.database().exists().await, "{name}");
            }
            Creates => {
                let place = new_place();
                let run = run(&place, name, arguments);
                assert_eq!(run.code, Some(0), "{name}: {}", run.stderr);
                assert!(place.database().exists().await, "{name}");
            }
            Fails | FailsWithoutFile => {
                let run = run(&empty, name, arguments);
                assert_eq!(
                    (run.code, run.stdout.as_str()),
                    (Some(1), ""),
                    "{name}: {}",
                    run.stderr
                );
                assert_eq!(run.stderr.lines().count(), 1, "{name}: {}", run.stderr);
                let says = [
                    empty.database().name(),
                    "AUTHAPI_DATABASE__URL",
                    "authapi migrate up",
                ];
                for part in says {
                    assert!(run.stderr.contains(part), "{name}: no {part:?} in {}", run.stderr);
                }
            }
            NeedsNone => {
                let run = run(&empty, name, arguments);
                let expected = i32::from(name == "healthcheck");
                assert_eq!(run.code, Some(expected), "{name}: {}", run.stderr);
            }
        }
        assert!(!empty.database().exists().await, "{name} {arguments:?}");
    }
    assert!(!empty.path().join("data").exists(), "no folder is created");
}
