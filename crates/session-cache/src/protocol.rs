//! The rules of cache coherence, as state machines that do no I/O and read no clock.
//!
//! A replica answers from memory only while it holds a *lease*, a row in the database that it
//! renews (Gray and Cheriton, *Leases*, 1989). A process that revokes commits first, then reads
//! which replicas hold leases, publishes the invalidation to them, and completes the revocation
//! when each holder has acknowledged or its lease has expired after renewals were blocked.
//! `docs/revocation.md` describes the protocol in full.
//!
//! [`Replica`] decides whether a request may be answered from memory, and [`Publication`] decides
//! when a revocation is complete. Events are method calls, and the next step is a return value.
//! Every `now` is a reading of the process's own [monotonic clock](crate::ports::MonotonicClock).
//! `tools/modelcheck` runs these types through every order of events within bounds.

mod clock_steps;
mod ids;
mod invalidations;
mod message;
mod publication;
mod replica;
mod snapshot_read;
mod terms;

pub use clock_steps::ClockSteps;
pub use ids::{LeaseId, PublicationId, ReplicaId};
pub use message::{DecodeError, Message};
pub use publication::{Publication, PublicationStep};
pub use replica::{LeaseState, LeaseStep, Replica};
pub use snapshot_read::SnapshotRead;
pub use terms::{Span, Terms};
