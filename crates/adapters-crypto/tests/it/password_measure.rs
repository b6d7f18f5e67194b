//! Measures the default policy on passwords made by rule. docs/security.md states the figures.

use crate::password_samples::{COUNT, good, spray};
use adapters_crypto::{HashPool, HashPoolSettings, ZxcvbnMeter};
use domain::{
    core::{PasswordCheckPorts, password_check},
    login::Login,
    password::{ContextWords, Password, PasswordPolicy, PasswordRefused},
    ports::NoBreachedPasswords,
    use_cases::CheckPassword,
};
use std::{collections::BTreeMap, sync::Arc};
use testkit::FixedClock;

/// The default policy of a service at `auth.example.com`, without a list of breached passwords.
fn check() -> CheckPassword {
    let pool = HashPool::start(HashPoolSettings::default()).expect("the threads can be started");
    let now = "2026-11-28T12:00:00Z".parse().expect("the time is valid");
    let ports = PasswordCheckPorts {
        meter: Arc::new(ZxcvbnMeter::new(Arc::new(pool))),
        breached: Arc::new(NoBreachedPasswords),
        clock: Arc::new(FixedClock::new(now)),
    };
    let policy = PasswordPolicy {
        words: ContextWords::new(["auth.example.com"]),
        ..PasswordPolicy::default()
    };
    password_check(ports, policy)
}

/// Checks `passwords` and returns those that are accepted, and those that are refused with their
/// first code.
async fn divide(passwords: Vec<String>) -> (Vec<String>, BTreeMap<String, &'static str>) {
    let (check, login) = (check(), Login::parse("alice.smith").expect("the login is valid"));
    let (mut accepted, mut refused) = (Vec::new(), BTreeMap::new());
    for text in passwords {
        let report = check.execute(Password::new(text.clone()), Some(&login)).await;
        let report = report.expect("the queue has room");
        match report.refusals.first().map(PasswordRefused::code) {
            Some(code) => {
                refused.insert(text, code);
            }
            None => accepted.push(text),
        }
    }
    (accepted, refused)
}

#[tokio::test]
async fn at_least_95_percent_of_the_passwords_of_a_spray_are_refused() {
    let passwords = spray();
    assert_eq!(passwords.len(), COUNT);
    let (accepted, refused) = divide(passwords).await;
    let predictable = refused.values().filter(|code| **code == "predictable").count();
    println!(
        "spray: {} of {COUNT} refused, {predictable} of them as predictable",
        refused.len()
    );
    println!("accepted: {accepted:?}");
    assert!(refused.len() * 100 >= COUNT * 95, "accepted: {accepted:?}");
}

#[tokio::test]
async fn at_most_2_percent_of_good_passwords_are_refused() {
    let passwords = good();
    assert_eq!(passwords.len(), COUNT);
    let (accepted, refused) = divide(passwords).await;
    println!("good: {} of {COUNT} refused: {refused:?}", COUNT - accepted.len());
    assert!(
        (COUNT - accepted.len()) * 100 <= COUNT * 2,
        "refused: {refused:?}"
    );
}
