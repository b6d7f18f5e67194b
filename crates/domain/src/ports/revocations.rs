use crate::invalidation::InvalidationScope;
use async_trait::async_trait;

/// Publishes what a committed change has revoked, before the change is reported to the client.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Publishes that the session snapshots in `scopes` are stale, and waits until every replica has invalidated them. The
    /// caller MUST have committed the change. When this returns, no replica MUST answer a request that starts later with a
    /// snapshot from before the change. It MUST NOT fail: faults delay it, for a bounded time.
    async fn publish(&self, scopes: Vec<InvalidationScope>);
}

/// For services that read storage for each request: no snapshot is cached, so none has to be invalidated.
#[derive(Clone, Copy, Debug)]
pub struct NothingCached;

#[async_trait]
impl Revocations for NothingCached {
    async fn publish(&self, _: Vec<InvalidationScope>) {}
}
