use crate::{
    bucket::{BudgetRefused, Rate},
    buckets::Buckets,
    turns::Turns,
};
use domain::throttle::{Attempt, BudgetKind, Budgets, Charge, TURN_HORIZON, ThrottleDecision};
use std::{collections::HashMap, num::NonZeroUsize, time::Duration};

/// The minimum interval between two sweeps, since a sweep visits every key.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// The maximum number of turns, for each key that a kind may have.
const TURNS_PER_KEY: usize = 4;

/// The state of all budgets and turns.
pub struct Store {
    buckets: HashMap<BudgetKind, Buckets>,
    turns: Turns,
    next_sweep: Duration,
}

/// What one budget says about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// The budget has an attempt left.
    Take,
    /// The attempt was reserved for the network earlier.
    UseTurn,
    /// The network has a turn that has not started.
    AwaitTurn(Duration),
    /// The budget has no attempt left.
    Wait(Duration),
}

impl Decision {
    fn wait(self) -> Option<Duration> {
        match self {
            Self::Take | Self::UseTurn => None,
            Self::AwaitTurn(wait) | Self::Wait(wait) => Some(wait),
        }
    }
}

impl Store {
    /// Creates a store of unused budgets, with at most `max_keys` keys of each kind.
    pub fn new(budgets: &Budgets, max_keys: NonZeroUsize) -> Result<Self, BudgetRefused> {
        let buckets = BudgetKind::ALL.into_iter().map(|kind| {
            let rate = Rate::try_from(budgets.of(kind))?;
            Ok((kind, Buckets::new(rate, max_keys)))
        });
        Ok(Self {
            buckets: buckets.collect::<Result<_, _>>()?,
            turns: Turns::new(max_keys.get().saturating_mul(TURNS_PER_KEY)),
            next_sweep: Duration::ZERO,
        })
    }

    /// Returns the number of keys, of all kinds.
    pub fn keys(&self) -> usize {
        self.buckets.values().map(Buckets::len).sum()
    }

    /// Returns the number of turns.
    pub fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Takes `attempt` from all its budgets or from none.
    pub fn take(&mut self, attempt: &Attempt, now: Duration) -> ThrottleDecision {
        self.sweep(now);
        let charges = attempt.charges();
        let decisions = charges.iter().map(|charge| self.decision(charge, now));
        let decisions: Vec<_> = decisions.collect();
        let charges: Vec<_> = charges.into_iter().zip(decisions).collect();
        let waiting = charges
            .iter()
            .filter_map(|(charge, decision)| Some((decision.wait()?, charge.key.kind())));
        let refusals = waiting.clone().count();
        let Some((retry_after, budget)) = waiting.max_by_key(|(wait, _)| *wait) else {
            self.take_all(charges, now);
            return ThrottleDecision::Allowed;
        };
        if refusals == 1 {
            self.reserve(charges, now);
        }
        ThrottleDecision::Refused { retry_after, budget }
    }

    /// Returns what `attempt` took from budgets of failures.
    pub fn succeeded(&mut self, attempt: &Attempt) {
        for charge in attempt.charges() {
            if charge.is_refunded {
                self.buckets_mut(charge.key.kind()).give_back(&charge.key);
            }
        }
    }

    fn decision(&self, charge: &Charge, now: Duration) -> Decision {
        let buckets = self.buckets(charge.key.kind());
        let turn = charge.turn.as_ref();
        let start = turn
            .and_then(|turn| self.turns.start(turn))
            .filter(|start| now <= buckets.rate().turn_end(*start));
        match start {
            Some(start) if start <= now => Decision::UseTurn,
            Some(start) => Decision::AwaitTurn(start.saturating_sub(now)),
            None => match buckets.wait(&charge.key, now) {
                Duration::ZERO => Decision::Take,
                wait => Decision::Wait(wait),
            },
        }
    }

    fn take_all(&mut self, charges: Vec<(Charge, Decision)>, now: Duration) {
        for (Charge { key, turn, .. }, decision) in charges {
            match (decision, turn) {
                (Decision::UseTurn, Some(turn)) => self.turns.end(&turn),
                _ => self.buckets_mut(key.kind()).take(key, now),
            }
        }
    }

    /// Reserves the next attempt of the budget that refuses, if it has turns. A key without a
    /// bucket of its own has none.
    fn reserve(&mut self, charges: Vec<(Charge, Decision)>, now: Duration) {
        for (Charge { key, turn, .. }, decision) in charges {
            let (Decision::Wait(wait), Some(turn)) = (decision, turn) else {
                continue;
            };
            let buckets = self.buckets(key.kind());
            if wait <= TURN_HORIZON && buckets.contains(&key) && !self.turns.is_full() {
                self.buckets_mut(key.kind()).take(key, now);
                self.turns.assign(turn, now + wait);
            }
        }
    }

    /// Drops full budgets and turns that have passed, if there is no room for more.
    fn sweep(&mut self, now: Duration) {
        let is_needed = self.turns.is_full() || self.buckets.values().any(Buckets::is_full);
        if !is_needed || now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP_INTERVAL;
        for buckets in self.buckets.values_mut().filter(|buckets| buckets.is_full()) {
            buckets.sweep(now);
        }
        let rate = self.buckets(BudgetKind::Account).rate();
        self.turns.sweep(|start| rate.turn_end(start) < now);
    }

    fn buckets(&self, kind: BudgetKind) -> &Buckets {
        self.buckets.get(&kind).expect("every kind has its buckets")
    }

    fn buckets_mut(&mut self, kind: BudgetKind) -> &mut Buckets {
        self.buckets.get_mut(&kind).expect("every kind has its buckets")
    }
}
