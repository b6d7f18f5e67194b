//! The results of a run: the figures that a table of `docs/revocation.md` summarises.

use std::{
    env,
    fmt::Display,
    num::ParseIntError,
    str::FromStr,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Sets the minimum number of revocations under each fault.
const COUNT_VARIABLE: &str = "AUTHAPI_TEST_REVOCATIONS";
/// The default for a busy machine.
const COUNT: usize = 300;
/// Sets the maximum number of revocations per second: the load is steady, not the maximum.
const RATE_VARIABLE: &str = "AUTHAPI_TEST_REVOCATIONS_A_SECOND";
/// The default for a busy machine and a build without optimisation.
const RATE: u32 = 16;
/// The minimum number of rounds of a fault.
const ROUNDS: usize = 3;
/// The history of one token, to find out why it was accepted.
pub struct Journal {
    begun: Instant,
    entries: Mutex<Vec<String>>,
}

#[derive(Default)]
pub struct Tally {
    target: usize,
    pub a_second: u32,
    /// The number of completed rounds of the fault.
    pub rounds: AtomicUsize,
    /// The durations of confirmed revocations whose replica was not disturbed.
    took: Mutex<Vec<Duration>>,
    pub revoked: AtomicUsize,
    pub unanswered: AtomicUsize,
    pub refused: AtomicUsize,
    /// Probes without an answer, or with a 503.
    pub unsettled: AtomicUsize,
    /// Requests of the load, without probes.
    pub load: AtomicUsize,
    /// Failures: journals of revoked tokens that were accepted and of live ones that were refused.
    wrong: Mutex<Vec<String>>,
}

impl Journal {
    pub fn begin(entry: String) -> Self {
        let begun = Instant::now();
        let journal = Self {
            begun,
            entries: Mutex::default(),
        };
        journal.note(entry);
        journal
    }

    pub fn note(&self, entry: impl Display) {
        let at = self.begun.elapsed().as_millis();
        let mut entries = self.entries.lock().expect("the lock is not poisoned");
        entries.push(format!("{at:>6} ms  {entry}"));
    }

    fn text(&self) -> String {
        self.entries.lock().expect("the lock is not poisoned").join("\n")
    }
}

/// Adds one to `counter`.
pub fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    pub fn new() -> Self {
        Self {
            target: number_in(COUNT_VARIABLE).unwrap_or(COUNT),
            a_second: number_in(RATE_VARIABLE).unwrap_or(RATE),
            ..Self::default()
        }
    }

    pub fn is_enough(&self) -> bool {
        self.revoked.load(Ordering::Relaxed) >= self.target && self.rounds.load(Ordering::Relaxed) >= ROUNDS
    }

    /// Records a confirmed revocation, with its duration if its replica was not disturbed.
    pub fn revoked(&self, took: Option<Duration>) {
        count(&self.revoked);
        self.took().extend(took);
    }

    pub fn is_wrong(&self, what: &str, journal: &Journal) {
        let mut wrong = self.wrong.lock().expect("the lock is not poisoned");
        wrong.push(format!("{what}:\n{}", journal.text()));
    }

    /// Prints the row, and fails if there was any failure or a revocation took `at_most` or longer.
    pub fn conclude(&self, name: &str, at_most: Duration) {
        let mut took = self.took().clone();
        took.sort_unstable();
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let wrong = self.wrong.lock().expect("the lock is not poisoned");
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} |",
            count(&self.revoked),
            count(&self.refused),
            wrong.len(),
            shown(of_hundred(&took, 50)),
            shown(of_hundred(&took, 99)),
            shown(of_hundred(&took, 100)),
        );
        println!(
            "  {name}: {} revocations and {} inconclusive probes, {} other requests",
            count(&self.unanswered),
            count(&self.unsettled),
            count(&self.load),
        );
        assert!(
            wrong.is_empty(),
            "{} failures; the first\n{}",
            wrong.len(),
            wrong[0]
        );
        let slowest = of_hundred(&took, 100);
        assert!(slowest < at_most, "a revocation took {slowest:?}");
    }

    fn took(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.took.lock().expect("the lock is not poisoned")
    }
}

fn number_in<N: FromStr<Err = ParseIntError>>(variable: &str) -> Option<N> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

/// Returns the percentile `part` of sorted durations.
pub fn of_hundred(sorted: &[Duration], part: usize) -> Duration {
    let place = (sorted.len() * part).div_ceil(100).max(1) - 1;
    sorted[place]
}

/// Formats a duration in milliseconds with one decimal.
pub fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
