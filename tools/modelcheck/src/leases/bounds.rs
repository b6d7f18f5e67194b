/// The bounds of a search.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub replicas: u8,
    /// The index of the replica whose requests are checked.
    ///
    /// One replica at a time suffices because its cache does not affect the others. Of its reads,
    /// only one from before the revocation matters.
    pub watched: usize,
    /// The processes that revoke the session, each once.
    pub revokers: &'static [Seat],
    /// Whether the invalidation covers the session's user instead of the session.
    pub by_user: bool,
    pub ticks: u8,
    /// Maximum number of leases that each replica requests.
    pub leases: u32,
    /// Maximum number of lease requests of one replica in flight, including lost ones.
    pub requests: usize,
    /// Maximum number of times that a hypervisor pauses the watched replica for a tick, which its
    /// clock does not count.
    pub pauses: u8,
    /// Whether replicas may shut down and release their leases.
    pub leaving: bool,
}

/// Where a revoker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// In the first replica.
    Serving,
    /// In a process that serves no requests, such as the command line.
    Separate,
}
