//! What the protocol needs from outside, beside the ports of `domain`: leases in the database, a bus, and a clock.

mod invalidation_bus;
mod monotonic_clock;
mod replica_leases;

pub use invalidation_bus::{BusEvent, BusSubscription, InvalidationBus};
pub use monotonic_clock::MonotonicClock;
pub use replica_leases::{Renewal, ReplicaLeases};
