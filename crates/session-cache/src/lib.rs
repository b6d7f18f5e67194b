//! What one process remembers: session views that it may answer from memory while it holds a lease, the other half of
//! that (telling the others what was revoked), and the bus of a process that is alone.
//!
//! The protocol is [`protocol`]; here are its memory, its tasks and its waiting. Nothing holds a lock while it waits.

mod boot_clock;
mod cache;
mod cached_session_snapshots;
mod coherence;
mod invalidation_listener;
mod lease_keeper;
mod leased_revocations;
mod metrics;
pub mod ports;
mod process_bus;
pub mod protocol;

pub use boot_clock::BootClock;
pub use cache::KeptLimits;
pub use cached_session_snapshots::CachedSessionSnapshots;
pub use coherence::Leasing;
pub use invalidation_listener::Listener;
pub use lease_keeper::LeaseKeeper;
pub use leased_revocations::LeasedRevocations;
pub use process_bus::ProcessBus;
