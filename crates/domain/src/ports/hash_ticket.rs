use crate::{origin::Origin, throttle::Network};
use std::any::Any;

/// Records whether a use case was admitted to the queue in which passwords are rated and hashed.
///
/// A use case creates one ticket per execution and passes it with every job that it queues: rating,
/// hashing or verifying a password. When it reserves a place, or at the first job, the queue either
/// admits the ticket or rejects it with [`PortError::Overloaded`](super::PortError::Overloaded). It
/// accepts later jobs of an admitted ticket even while it rejects others, up to a separate bound,
/// because rejecting them would waste finished work and the time the client has waited.
#[derive(Default)]
pub struct HashTicket {
    client: HashClient,
    is_admitted: bool,
    reservation: Option<Box<dyn Any + Send + Sync>>,
}

/// The client that waits for a hash. The queue is fair to the networks of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashClient {
    /// The [site](Network::site) of the client's address, if known.
    pub network: Option<Network>,
    /// Whether the client may use the share of the queue that is reserved for known places.
    pub is_known: bool,
}

impl HashClient {
    /// Returns the client of a request from `origin`.
    #[must_use]
    pub fn of(origin: &Origin, is_known: bool) -> Self {
        Self {
            network: origin.address.map(Network::site),
            is_known,
        }
    }
}

impl HashTicket {
    /// Creates the ticket of a use case that works for `client`.
    #[must_use]
    pub fn new(client: HashClient) -> Self {
        Self {
            client,
            ..Self::default()
        }
    }

    #[must_use]
    pub fn client(&self) -> HashClient {
        self.client
    }

    /// Sets whether the client is in a known place, which a use case may learn only after it has
    /// reserved a place in the queue.
    pub fn set_known(&mut self, is_known: bool) {
        self.client.is_known = is_known;
    }

    /// Returns whether an earlier job of the use case was accepted.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    /// Admits the use case. Adapters call this when they accept a job.
    pub fn admit(&mut self) {
        self.is_admitted = true;
    }

    /// Keeps `reservation`, the adapter's record of a reserved place. Dropping it frees the place.
    pub fn keep_reservation(&mut self, reservation: impl Any + Send + Sync) {
        self.reservation = Some(Box::new(reservation));
    }

    /// Returns the reservation, if there is one of this type, for the job that uses it.
    pub fn take_reservation<T: Any>(&mut self) -> Option<T> {
        let reservation: Box<dyn Any> = self.reservation.take()?;
        reservation.downcast().ok().map(|reservation| *reservation)
    }
}
