use crate::invalidation::InvalidationScope;
use async_trait::async_trait;

/// What follows every commit that revokes something, before the revocation is answered.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Invalidates the scopes on every replica; MUST be called after the commit. When it returns, no replica MUST answer a
    /// request that starts later from a snapshot that was read before the change. It MUST NOT fail: faults make it take
    /// longer, and none makes it take for ever.
    async fn announce(&self, scopes: Vec<InvalidationScope>);
}

/// For services that read storage for each request: no snapshot is cached, so none has to be invalidated.
#[derive(Clone, Copy, Debug)]
pub struct NothingCached;

#[async_trait]
impl Revocations for NothingCached {
    async fn announce(&self, _: Vec<InvalidationScope>) {}
}
