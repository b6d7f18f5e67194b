//! What one process remembers: session views that it may answer from memory while it holds a lease, the other half of
//! that (telling the others what was revoked), and the bus of a process that is alone.
//!
//! The protocol is [`domain::leases`]; here are its memory, its tasks and its waiting. Nothing holds a lock while it waits.

mod boot_clock;
mod cached_session_snapshots;
mod lease_keeper;
mod leased_revocations;
mod listener;
mod measure;
mod process_bus;
mod session_cache;
mod shared;

pub use boot_clock::BootClock;
pub use cached_session_snapshots::CachedSessionSnapshots;
pub use lease_keeper::LeaseKeeper;
pub use leased_revocations::LeasedRevocations;
pub use listener::Listener;
pub use process_bus::ProcessBus;
pub use session_cache::KeptLimits;
pub use shared::Leasing;
