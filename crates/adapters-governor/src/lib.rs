//! Throttling in the memory of this process by the generic cell rate algorithm (GCRA): each key may
//! make a burst of attempts, which are restored one by one. Replicas that share budgets need an
//! adapter with shared counters.

mod bounded_store;
mod budget;
mod in_process_throttle;
mod limiter;
mod unthrottled;

pub use budget::{Budget, BudgetRefused, Budgets};
pub use in_process_throttle::InProcessThrottle;
pub use unthrottled::Unthrottled;
