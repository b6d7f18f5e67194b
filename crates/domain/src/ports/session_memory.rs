/// Whether this process looks sessions up in memory.
pub trait SessionMemory: Send + Sync {
    /// Whether it holds a lease now. Without one it MUST read the database for each request.
    fn holds_lease(&self) -> bool;
}
