//! Cache coherence: keeps session snapshots in memory, and guarantees that no replica serves a
//! stale one after a revocation has completed.
//!
//! [`protocol`] contains the rules as state machines without I/O. [`SessionCoherence`] is the state
//! of one process, which four parts share:
//!
//! - [`CachedSessionSnapshots`] answers requests from memory while the process holds a lease.
//! - [`LeaseRenewer`] acquires and renews the lease.
//! - [`InvalidationListener`] applies and acknowledges the invalidations of other processes.
//! - [`LeasedRevocations`] publishes this process's revocations and waits until every replica has
//!   invalidated its cache.
//!
//! [`ports`] contains what the protocol needs from outside. [`ProcessBus`] and [`BootClock`]
//! implement two of the ports; the storage adapters implement
//! [`ReplicaLeases`](ports::ReplicaLeases), and `adapters-redis` and `adapters-postgres` implement
//! buses between processes. No lock is held across an `await` point, except the one that orders
//! publications.

mod boot_clock;
mod cache;
mod cached_session_snapshots;
mod coherence;
mod invalidation_listener;
mod lease_renewer;
mod leased_revocations;
mod metrics;
pub mod ports;
mod process_bus;
pub mod protocol;
mod running_publication;

pub use boot_clock::BootClock;
pub use cache::CacheLimits;
pub use cached_session_snapshots::CachedSessionSnapshots;
pub use coherence::SessionCoherence;
pub use invalidation_listener::InvalidationListener;
pub use lease_renewer::LeaseRenewer;
pub use leased_revocations::LeasedRevocations;
pub use process_bus::ProcessBus;
