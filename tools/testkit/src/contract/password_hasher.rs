//! The contract of [`PasswordHasher`].

use crate::fixtures::PASSWORD;
use domain::{
    password::{Password, PasswordHash},
    ports::{HashTicket, PasswordHasher, Verification},
};
use std::time::{Duration, Instant};

contract! {
    /// Defines a named test for each case of the contract of password hashers. `$fresh` is a
    /// function that returns one that is not overloaded by one caller.
    password_hasher_contract = async_cases for password_hasher(dyn PasswordHasher):
        two_hashes_of_a_password_differ_and_both_verify,
        another_password_is_wrong,
        every_character_of_a_password_counts,
        without_a_hash_every_password_is_wrong,
        verifying_takes_as_long_without_a_hash,
        every_password_is_wrong_for_an_invalid_hash,
        an_accepted_job_admits_its_ticket,
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

async fn hash(hasher: &dyn PasswordHasher, text: &str) -> PasswordHash {
    hasher
        .hash(password(text), &mut HashTicket::default())
        .await
        .expect("the hasher is available")
}

async fn verify(hasher: &dyn PasswordHasher, text: &str, hash: Option<&PasswordHash>) -> Verification {
    hasher
        .verify(password(text), hash.cloned(), &mut HashTicket::default())
        .await
        .expect("the hasher is available")
}

async fn two_hashes_of_a_password_differ_and_both_verify(hasher: &dyn PasswordHasher) {
    let one = hash(hasher, PASSWORD).await;
    let other = hash(hasher, PASSWORD).await;
    assert_ne!(one, other);
    for hash in [one, other] {
        assert_eq!(verify(hasher, PASSWORD, Some(&hash)).await, Verification::Right);
    }
}

async fn another_password_is_wrong(hasher: &dyn PasswordHasher) {
    let hash = hash(hasher, PASSWORD).await;
    for other in [
        "",
        "Correct horse battery staple",
        " correct horse battery staple",
        "correct horse battery stapl",
    ] {
        assert_eq!(
            verify(hasher, other, Some(&hash)).await,
            Verification::Wrong,
            "{other:?}"
        );
    }
}

async fn every_character_of_a_password_counts(hasher: &dyn PasswordHasher) {
    for (text, other) in [
        ("é".repeat(256), format!("{}e", "é".repeat(255))),
        (format!("{}a", "x".repeat(72)), format!("{}b", "x".repeat(72))),
        ("nul\u{0}one".to_owned(), "nul\u{0}two".to_owned()),
    ] {
        let hash = hash(hasher, &text).await;
        assert_eq!(
            verify(hasher, &text, Some(&hash)).await,
            Verification::Right,
            "{text:?}"
        );
        assert_eq!(
            verify(hasher, &other, Some(&hash)).await,
            Verification::Wrong,
            "{other:?}"
        );
    }
}

async fn without_a_hash_every_password_is_wrong(hasher: &dyn PasswordHasher) {
    for text in ["", PASSWORD] {
        assert_eq!(verify(hasher, text, None).await, Verification::Wrong);
    }
}

async fn every_password_is_wrong_for_an_invalid_hash(hasher: &dyn PasswordHasher) {
    for foreign in ["", "$", "no hash at all", "$unknown$v=1$c2FsdA$aGFzaA"] {
        let foreign = PasswordHash::from_phc(foreign.to_owned());
        for text in ["", PASSWORD, foreign.as_phc()] {
            assert_eq!(
                verify(hasher, text, Some(&foreign)).await,
                Verification::Wrong,
                "{text:?} against {:?}",
                foreign.as_phc()
            );
        }
    }
}

async fn an_accepted_job_admits_its_ticket(hasher: &dyn PasswordHasher) {
    let mut ticket = HashTicket::default();
    let result = hasher.hash(password(PASSWORD), &mut ticket).await;
    assert!(result.is_ok() && ticket.is_admitted());
    let mut ticket = HashTicket::default();
    let result = hasher.verify(password(PASSWORD), None, &mut ticket).await;
    assert!(result.is_ok() && ticket.is_admitted());
}

/// Compares the fastest attempts, and makes more of them until they are close, because other work
/// on the machine only ever delays an attempt. Missing work never comes close. The tolerance is
/// wide: the case detects missing work, not slightly different parameters.
async fn verifying_takes_as_long_without_a_hash(hasher: &dyn PasswordHasher) {
    const ATTEMPTS: usize = 1000;
    const TIMER: Duration = Duration::from_micros(100);
    let kept = hash(hasher, PASSWORD).await;
    let [mut with, mut without] = [Duration::MAX; 2];
    for _ in 0..ATTEMPTS {
        with = with.min(time_of(hasher, Some(&kept)).await);
        without = without.min(time_of(hasher, None).await);
        if with.abs_diff(without) < TIMER.max(with.min(without)) {
            return;
        }
    }
    panic!("{with:?} with a hash and {without:?} without, in {ATTEMPTS} attempts");
}

async fn time_of(hasher: &dyn PasswordHasher, hash: Option<&PasswordHash>) -> Duration {
    let start = Instant::now();
    verify(hasher, "a wrong guess", hash).await;
    start.elapsed()
}
