//! What the decorators' tests share.

use crate::{
    audit::{Actor, AuditContext},
    invalidation::InvalidationScope,
    ports::{MockRevocations, Revocations},
    token::TokenIdentity,
    use_cases::fixtures::{EPOCH, SESSION, now, origin},
    user::UserId,
};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// On whose word everything is done.
pub const CALLER: UserId = UserId(Uuid::from_u128(77));

pub fn identity() -> TokenIdentity {
    TokenIdentity {
        user: CALLER,
        session: SESSION,
        epoch: EPOCH,
    }
}

pub fn context() -> AuditContext {
    AuditContext {
        at: now(),
        actor: Actor::User(CALLER),
        origin: origin(),
    }
}

/// What is announced while `deed` is done, which calls its first argument when it commits. Nothing MUST be announced before.
pub async fn announced(
    deed: impl AsyncFnOnce(Box<dyn FnOnce() + Send>, Arc<dyn Revocations>),
) -> Option<InvalidationScope> {
    let committed = Arc::new(Mutex::new(false));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut revocations = MockRevocations::new();
    revocations.expect_publish().returning({
        let (committed, heard) = (Arc::clone(&committed), Arc::clone(&heard));
        move |subjects| {
            assert!(*committed.lock().expect("no panic"), "announced before it is so");
            heard.lock().expect("no panic").extend(subjects);
        }
    });
    let commit = Box::new(move || *committed.lock().expect("no panic") = true);
    deed(commit, Arc::new(revocations)).await;
    let mut heard = heard.lock().expect("no panic");
    assert!(heard.len() <= 1, "{heard:?}");
    heard.pop()
}

/// The methods of a port that change something on somebody's word: those that take a stamp.
pub fn every_change(source: &str) -> Vec<&str> {
    source
        .split("async fn ")
        .skip(1)
        .filter_map(|method| {
            let (signature, _) = method.split_once(';')?;
            let (name, arguments) = signature.split_once('(')?;
            arguments.contains("stamp: Stamp").then_some(name)
        })
        .collect()
}
