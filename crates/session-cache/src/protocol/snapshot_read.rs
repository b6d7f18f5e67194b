use domain::session::SessionId;
use std::time::Duration;

/// A read of one session snapshot from the database, identified by when it began.
///
/// [`Replica::begin_read`](super::Replica::begin_read) creates it. A cached snapshot keeps its
/// read, which decides whether the snapshot may still be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotRead {
    pub(super) session: SessionId,
    /// A reading of the monotonic clock.
    pub(super) begun_at: Duration,
    /// The replica's count of invalidations when the read began.
    pub(super) invalidations: u64,
}
