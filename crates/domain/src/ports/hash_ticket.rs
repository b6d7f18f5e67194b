/// Records whether a use case was admitted to the queue in which passwords are rated and hashed.
///
/// A use case creates one ticket per execution and passes it with every job that it queues: rating,
/// hashing or verifying a password. At the first job the queue either admits the ticket or rejects
/// the job with [`PortError::Overloaded`](super::PortError::Overloaded). It accepts later jobs of
/// an admitted ticket even while it rejects others, up to a separate bound, because rejecting them
/// would waste finished work and the time the client has waited.
#[derive(Debug, Default)]
pub struct HashTicket {
    is_admitted: bool,
}

impl HashTicket {
    /// Returns whether an earlier job of the use case was accepted.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    /// Admits the use case. Adapters call this when they accept a job.
    pub fn admit(&mut self) {
        self.is_admitted = true;
    }
}
