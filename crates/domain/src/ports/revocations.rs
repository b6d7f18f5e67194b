use crate::invalidation::InvalidationScope;
use async_trait::async_trait;

/// Publishes the invalidation scope of a committed change, before the change is reported to the
/// client.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Publishes that the session snapshots in `scopes` are stale, and waits until every replica
    /// has dropped them. The caller MUST have committed the change. After this returns, no replica
    /// MUST answer a request that starts later from a snapshot older than the change. It MUST NOT
    /// fail: faults delay it, for a bounded time.
    async fn publish(&self, scopes: Vec<InvalidationScope>);
}

/// Publishes nothing, for services that read storage on every request: no snapshot is cached, so
/// none is invalidated.
#[derive(Clone, Copy, Debug)]
pub struct NothingCached;

#[async_trait]
impl Revocations for NothingCached {
    async fn publish(&self, _: Vec<InvalidationScope>) {}
}
