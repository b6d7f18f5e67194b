//! What came of a run: a row of the table in `docs/revocation.md`.

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

/// Says how many revocations there are at least under each fault.
const COUNT_VARIABLE: &str = "AUTHAPI_TEST_REVOCATIONS";
/// What a machine with much else to do can afford.
const COUNT: usize = 300;
/// Says how many are revoked in a second at most: the load is to be steady, not the most that the machine can do.
const RATE_VARIABLE: &str = "AUTHAPI_TEST_REVOCATIONS_A_SECOND";
/// What a machine with much else to do can bear, in a build without optimisation.
const RATE: u32 = 16;
/// How often a fault comes and goes at least.
const ROUNDS: usize = 3;
/// No revocation takes so long, whatever is wrong. A machine with nothing else to do needs half of it.
const AT_MOST: Duration = Duration::from_secs(5);

/// What happened to one token, for whoever has to find out why it was accepted.
pub struct Journal {
    begun: Instant,
    entries: Mutex<Vec<String>>,
}

#[derive(Default)]
pub struct Tally {
    target: usize,
    pub a_second: u32,
    /// How often the fault has come and gone.
    pub rounds: AtomicUsize,
    /// Of revocations that were answered: how long those took that no disturbed replica answered.
    took: Mutex<Vec<Duration>>,
    pub revoked: AtomicUsize,
    pub unanswered: AtomicUsize,
    pub refused: AtomicUsize,
    /// Probes without an answer, or with a 503.
    pub unsettled: AtomicUsize,
    /// Requests of the load, beside the probes.
    pub load: AtomicUsize,
    /// What must not be: journals of tokens that were accepted, and of live ones that were refused.
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
        let mut entries = self.entries.lock().expect("no panic");
        entries.push(format!("{at:>6} ms  {entry}"));
    }

    fn told(&self) -> String {
        self.entries.lock().expect("no panic").join("\n")
    }
}

/// One more.
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

    /// A revocation was answered; `took` where nobody disturbed who answered it.
    pub fn revoked(&self, took: Option<Duration>) {
        count(&self.revoked);
        self.took().extend(took);
    }

    pub fn is_wrong(&self, what: &str, journal: &Journal) {
        let mut wrong = self.wrong.lock().expect("no panic");
        wrong.push(format!("{what}:\n{}", journal.told()));
    }

    /// Prints the row, and fails when anything was wrong.
    pub fn conclude(&self, name: &str) {
        let mut took = self.took().clone();
        took.sort_unstable();
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let wrong = self.wrong.lock().expect("no panic");
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
            "  {name}: {} revocations and {} probes without a verdict, {} other requests",
            count(&self.unanswered),
            count(&self.unsettled),
            count(&self.load),
        );
        assert!(wrong.is_empty(), "{} wrong; the first\n{}", wrong.len(), wrong[0]);
        let slowest = of_hundred(&took, 100);
        assert!(slowest < AT_MOST, "a revocation took {slowest:?}");
    }

    fn took(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.took.lock().expect("no panic")
    }
}

fn number_in<N: FromStr<Err = ParseIntError>>(variable: &str) -> Option<N> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

/// So many of a hundred, of these in their order, are at most this.
pub fn of_hundred(sorted: &[Duration], part: usize) -> Duration {
    let place = (sorted.len() * part).div_ceil(100).max(1) - 1;
    sorted[place]
}

/// In milliseconds, with one decimal.
pub fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
