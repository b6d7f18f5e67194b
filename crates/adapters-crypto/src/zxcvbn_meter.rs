//! Password strength as estimated by zxcvbn.

use crate::hash_pool::{HashPool, Work};
use async_trait::async_trait;
use domain::{
    password::Password,
    ports::{HashTicket, PasswordMeter, PortError, Strength},
};
use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};
use zeroize::Zeroizing;
use zxcvbn::{Entropy, feedback::Feedback};

/// The number of code points of a password that are rated. The cost grows steeply with them:
/// sixfold from 32 to 72 for a password made to be expensive. A password is at least as strong as
/// its beginning.
const RATED_LENGTH: usize = 32;

/// The rating of a password whose strength cannot be determined.
const UNRATEABLE: Strength = Strength {
    score: 0,
    advice: None,
};

/// Rates passwords on the [pool](HashPool) that hashes them: rating some takes longer than hashing.
pub struct ZxcvbnMeter {
    pool: Arc<HashPool>,
}

impl ZxcvbnMeter {
    /// Creates a meter that rates on `pool`.
    #[must_use]
    pub fn new(pool: Arc<HashPool>) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl PasswordMeter for ZxcvbnMeter {
    #[tracing::instrument(skip_all)]
    async fn rate(
        &self,
        password: Password,
        known: Vec<String>,
        ticket: &mut HashTicket,
    ) -> Result<Strength, PortError> {
        let job = move |_: &mut _| rate(&password, &known);
        self.pool.submit(Work::Rating, ticket, job)?.get().await
    }
}

fn rate(password: &Password, known: &[String]) -> Strength {
    let rated = Zeroizing::new(password.expose().chars().take(RATED_LENGTH).collect::<String>());
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    unless_it_panics(|| strength(&zxcvbn::zxcvbn(&rated, &known)))
}

/// Returns [`UNRATEABLE`] if `rate` panics, as zxcvbn may on unusual passwords. The client then has
/// to choose another password and does not receive an internal error.
fn unless_it_panics(rate: impl FnOnce() -> Strength) -> Strength {
    panic::catch_unwind(AssertUnwindSafe(rate)).unwrap_or_else(|_| {
        tracing::error!("rating a password panicked; the password is rejected as weak");
        UNRATEABLE
    })
}

fn strength(entropy: &Entropy) -> Strength {
    Strength {
        score: entropy.score().into(),
        advice: entropy.feedback().and_then(advice),
    }
}

/// Returns the weakness that zxcvbn found, or else its suggestions.
fn advice(feedback: &Feedback) -> Option<String> {
    if let Some(warning) = feedback.warning() {
        return Some(warning.to_string());
    }
    let suggestions = feedback.suggestions().iter().map(ToString::to_string);
    Some(suggestions.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HashPoolSettings, hash_pool::Blocks};
    use proptest::prelude::*;
    use std::{num::NonZeroUsize, sync::mpsc};

    fn rated(text: &str) -> Strength {
        let known = ["Alice", "alice", "authapi"].map(str::to_owned);
        rate(&Password::new(text.to_owned()), &known)
    }

    #[test]
    fn strong_and_weak_passwords_are_distinguished() {
        for (text, is_strong) in [
            ("correct horse battery staple", true),
            ("kq7v2mzx4p", true),
            ("пароль-не-для-всех-42", true),
            ("🦀🐙🪼🫠 four odd friends", true),
            ("Tr0ub4dor&3x!", true),
            ("password", false),
            ("12345678", false),
            ("qwertyuiop", false),
            ("P@ssw0rd1", false),
            ("aaaaaaaaaaaaaaaa", false),
            ("authapi1", false),
        ] {
            assert_eq!(rated(text).score >= 3, is_strong, "{text}: {:?}", rated(text));
        }
    }

    #[test]
    fn the_advice_names_the_weakness() {
        let strength = rated("password");
        assert_eq!(
            strength.advice.as_deref(),
            Some("This is a top-10 common password.")
        );
    }

    #[test]
    fn a_weakness_without_a_name_is_answered_with_suggestions() {
        let advice = rated("kq7v2m").advice.unwrap_or_default();
        assert!(advice.contains("Add another word or two."), "{advice}");
    }

    #[test]
    fn only_the_beginning_of_a_long_password_is_rated() {
        let strong = "correct horse battery staple";
        assert_eq!(rated(&"a".repeat(RATED_LENGTH)).score, 0);
        assert_eq!(rated(&format!("{}{strong}", "a".repeat(RATED_LENGTH))).score, 0);
        assert!(rated(&format!("{strong}{}", "a".repeat(228))).score >= 3);
    }

    /// In zxcvbn 3.1.1 the estimated guesses of such a repeat overflow.
    #[test]
    fn a_repeat_whose_guesses_overflow_is_rated() {
        for text in ["01".repeat(20), "01".repeat(16), "0123456789abcdef".repeat(2)] {
            let advice = rated(&text).advice.unwrap_or_default();
            assert!(advice.contains("Repeats"), "{text}: {:?}", rated(&text));
        }
    }

    #[test]
    fn a_password_whose_rating_panics_is_weak() {
        assert_eq!(unless_it_panics(|| panic!("on purpose")), UNRATEABLE);
    }

    /// A pool with one thread and room for one waiting job.
    fn narrow_pool() -> Arc<HashPool> {
        let settings = HashPoolSettings {
            threads: NonZeroUsize::MIN,
            queue: NonZeroUsize::MIN,
            ..HashPoolSettings::default()
        };
        Arc::new(HashPool::start(settings).expect("the thread can be started"))
    }

    #[tokio::test]
    async fn rating_queues_in_the_pool_and_is_rejected_when_the_queue_is_full() {
        let pool = narrow_pool();
        let meter = ZxcvbnMeter::new(Arc::clone(&pool));
        let rate = async || {
            let password = Password::new("password".to_owned());
            meter.rate(password, Vec::new(), &mut HashTicket::default()).await
        };
        let (gate, closed) = mpsc::channel::<()>();
        let (running, started) = mpsc::channel();
        let hashing = pool.submit(Work::Hash, &mut HashTicket::default(), move |_: &mut Blocks| {
            running.send(()).expect("the test waits");
            let _ = closed.recv();
        });
        started.recv().expect("the job runs");
        let waiting = pool.submit(Work::Hash, &mut HashTicket::default(), |_| ());
        assert!(matches!(rate().await, Err(PortError::Overloaded)));
        drop(gate);
        for job in [hashing, waiting] {
            job.expect("the queue has room")
                .get()
                .await
                .expect("the job returns a result");
        }
        assert_eq!(rate().await.expect("the job returns a result").score, 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rating_never_repeats_the_password(text in "\\PC{8,80}") {
            let advice = rated(&text).advice.unwrap_or_default();
            prop_assert!(!advice.contains(&text));
        }
    }
}
