//! The ports of the coherence protocol: leases in the database, the bus between processes, and a
//! monotonic clock.
//!
//! `testkit` has a contract case for each MUST.

mod invalidation_bus;
mod monotonic_clock;
mod replica_leases;

pub use invalidation_bus::{BusEvent, BusSubscription, InvalidationBus};
pub use monotonic_clock::MonotonicClock;
pub use replica_leases::{Renewal, ReplicaLeases};
