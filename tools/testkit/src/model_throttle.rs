use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{
        Attempt, Budget, BudgetKey, BudgetKind, Budgets, Charge, TURN_HORIZON, ThrottleDecision, Turn,
    },
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The simplest throttle that fulfils the contract, except that its memory is not bounded. Adapters
/// are compared with it. Its time passes only when a test advances it.
///
/// A budget is a credit in nanoseconds: it grows with time up to its size, an attempt costs the
/// time in which it is restored, and reserved attempts make the credit negative.
pub struct ModelThrottle {
    budgets: Budgets,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    now: Duration,
    /// The credit of each budget that was used, and when it was that high.
    credits: HashMap<BudgetKey, (i128, Duration)>,
    turns: HashMap<Turn, Duration>,
}

impl ModelThrottle {
    /// Creates a throttle whose budgets are unused.
    #[must_use]
    pub fn new(budgets: Budgets) -> Self {
        Self {
            budgets,
            state: Mutex::default(),
        }
    }

    /// Advances the time.
    pub fn advance(&self, by: Duration) {
        self.state().now += by;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn credit(&self, state: &State, key: &BudgetKey) -> i128 {
        let Budget { burst, every } = self.budgets.of(key.kind());
        let size = i128::from(burst.get()) * nanos(every);
        match state.credits.get(key) {
            Some((credit, at)) => size.min(credit + nanos(state.now.saturating_sub(*at))),
            None => size,
        }
    }

    fn add(&self, state: &mut State, key: &BudgetKey, credit: i128) {
        let credit = self.credit(state, key) + credit;
        state.credits.insert(key.clone(), (credit, state.now));
    }

    fn cost(&self, key: &BudgetKey) -> i128 {
        nanos(self.budgets.of(key.kind()).every)
    }

    fn turn_of(&self, state: &State, charge: &Charge) -> Option<Duration> {
        let start = *state.turns.get(charge.turn.as_ref()?)?;
        let end = start + self.budgets.of(charge.key.kind()).every * 2;
        (state.now <= end).then_some(start)
    }

    fn wait(&self, state: &State, charge: &Charge) -> Option<(Duration, BudgetKind)> {
        let wait = match self.turn_of(state, charge) {
            Some(start) => nanos(start) - nanos(state.now),
            None => self.cost(&charge.key) - self.credit(state, &charge.key),
        };
        let wait = u64::try_from(wait).ok().filter(|wait| *wait > 0)?;
        Some((Duration::from_nanos(wait), charge.key.kind()))
    }

    fn take_all(&self, state: &mut State, charges: &[Charge]) {
        for charge in charges {
            if let (Some(_), Some(turn)) = (self.turn_of(state, charge), &charge.turn) {
                state.turns.remove(turn);
            } else {
                self.add(state, &charge.key, -self.cost(&charge.key));
            }
        }
    }

    fn reserve(&self, state: &mut State, charge: &Charge, wait: Duration) {
        let Some(turn) = charge.turn.clone() else {
            return;
        };
        if wait <= TURN_HORIZON && self.turn_of(state, charge).is_none() {
            self.add(state, &charge.key, -self.cost(&charge.key));
            state.turns.insert(turn, state.now + wait);
        }
    }
}

#[async_trait]
impl Throttle for ModelThrottle {
    async fn take(&self, attempt: &Attempt) -> Result<ThrottleDecision, PortError> {
        let mut state = self.state();
        let charges = attempt.charges();
        let refusing = charges
            .iter()
            .filter_map(|charge| Some((charge, self.wait(&state, charge)?)));
        let refusing: Vec<_> = refusing.collect();
        let longest = refusing.iter().map(|(_, refusal)| *refusal);
        let Some((retry_after, budget)) = longest.max_by_key(|(wait, _)| *wait) else {
            self.take_all(&mut state, &charges);
            return Ok(ThrottleDecision::Allowed);
        };
        if let [(charge, (wait, _))] = refusing[..] {
            self.reserve(&mut state, charge, wait);
        }
        Ok(ThrottleDecision::Refused { retry_after, budget })
    }

    async fn succeeded(&self, attempt: &Attempt, _decision: ThrottleDecision) {
        let mut state = self.state();
        for charge in attempt.charges() {
            if charge.is_refunded {
                self.add(&mut state, &charge.key, self.cost(&charge.key));
            }
        }
    }
}

/// Converts a duration; a test lasts less than centuries.
fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}
