/// Reports whether this process answers session snapshots from memory.
pub trait SessionMemory: Send + Sync {
    /// Returns whether the process holds a lease now. Without a lease it MUST read the database for each request.
    fn holds_lease(&self) -> bool;
}
