//! Leased session views: how a replica may answer from memory and yet never accept what was revoked
//! (Gray and Cheriton, *Leases*, 1989).
//!
//! A replica answers from memory only while it holds a *lease*, a row in the database that it renews. Whoever revokes
//! commits first, then reads who holds leases, tells them, and answers when every holder has acknowledged or its lease,
//! its renewal refused from now on, has run out. `docs/revocation.md` tells it at length.
//!
//! This is the protocol's core: two state machines that do no I/O and read no clock, [`Replica`] and [`Announcement`].
//! Events go in, what to do next comes out. `tools/modelcheck` searches what they can come to. Every `now` here is a
//! reading of the process's own [monotonic clock](crate::ports::MonotonicClock).

mod invalidations;
mod message;
mod publication;
mod replica;
mod terms;

pub use domain::invalidation::InvalidationScope;
pub use message::{Garbled, Message};
pub use publication::{Announcement, AnnouncementId, Demand};
pub use replica::{LeaseId, Reading, Replica, ReplicaId, Standing, Step};
pub use terms::{Span, Terms};
