//! Throttling in the memory of this process by the generic cell rate algorithm (GCRA): each key may
//! make a burst of attempts, which are restored one by one. Replicas that share budgets need an
//! adapter with shared counters.

mod bucket;
mod buckets;
mod clock;
mod in_process_throttle;
mod store;
mod turns;
mod unthrottled;

pub use bucket::BudgetRefused;
pub use clock::{MonotonicClock, ProcessClock};
pub use in_process_throttle::{InProcessThrottle, MAX_KEYS};
pub use unthrottled::Unthrottled;
