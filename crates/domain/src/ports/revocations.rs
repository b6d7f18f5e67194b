use crate::invalidation::InvalidationScope;
use async_trait::async_trait;

/// What follows every commit that revokes something, before the revocation is answered.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Tells every replica that the subjects have changed; MUST be called after the commit. When it returns, no request
    /// that starts later MUST be answered from before the change by any replica. It MUST NOT fail: faults make it take
    /// longer, and nothing makes it take for ever.
    async fn publish(&self, subjects: Vec<InvalidationScope>);
}
