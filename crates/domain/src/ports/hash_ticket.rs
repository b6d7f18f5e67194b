/// Records whether a use case was admitted to the queue in which passwords are rated and hashed.
///
/// A use case makes one ticket per execution and passes it to every job that it queues: rating a password, hashing one,
/// verifying one. The queue decides on admission at the first job: it rejects the job with
/// [`PortError::Overloaded`](super::PortError::Overloaded) or admits the ticket. It accepts later jobs of an admitted ticket
/// even while it rejects others, up to a bound of its own, because to reject them would waste the work that is done and
/// the time that the client has waited.
#[derive(Debug, Default)]
pub struct HashTicket {
    is_admitted: bool,
}

impl HashTicket {
    /// Whether an earlier job of the use case was accepted.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    /// Admits the use case. For adapters, once they have accepted a job.
    pub fn admit(&mut self) {
        self.is_admitted = true;
    }
}
