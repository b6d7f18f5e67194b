/// Reports whether this process serves session snapshots from its cache.
pub trait SessionMemory: Send + Sync {
    /// Returns whether the process holds a lease now. Without a lease it MUST read the database for
    /// each request.
    fn holds_lease(&self) -> bool;
}
