//! Throttling: which attempts are counted against which budgets, and how large the budgets are.
//! Adapters count.

mod attempt;
mod budget;
mod network;

pub use attempt::{Attempt, BudgetKey, Charge, Place, Turn};
pub use budget::{Budget, BudgetKind, BudgetName, Budgets, TURN_HORIZON};
pub use network::{Network, Width};

use std::time::Duration;

/// Whether an attempt may proceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleDecision {
    Allowed,
    /// Allowed by the budgets that a replica uses while the shared ones cannot be reached.
    AllowedByFallback,
    /// The next attempt is allowed after `retry_after`.
    Refused {
        retry_after: Duration,
        /// The kind of the budget that is used up; of the one with the longest wait if there are
        /// several. Clients see only its [name](BudgetKind::name).
        budget: BudgetKind,
    },
}
