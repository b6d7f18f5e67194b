use crate::{
    coherence::SessionCoherence,
    metrics,
    ports::{BusEvent, BusSubscription},
    protocol::{DecodeError, Message, PublicationId, ReplicaId},
};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Maximum number of acknowledgements that are sent at once. Beyond it, no message is received
/// until one of them is sent.
const MAX_UNSENT_ACKNOWLEDGEMENTS: usize = 256;

/// Receives messages from the bus: applies and acknowledges the invalidations of other processes,
/// and delivers acknowledgements to this process's publications.
pub struct InvalidationListener(Arc<SessionCoherence>);

impl InvalidationListener {
    /// Creates the listener of one process. It receives nothing until [`run`](Self::run) is polled.
    #[must_use]
    pub fn new(coherence: Arc<SessionCoherence>) -> Self {
        Self(coherence)
    }

    /// Subscribes to the bus and listens forever, retrying until the subscription succeeds. The
    /// future may be dropped at any time.
    pub async fn run(&self) {
        let mut logged = false;
        loop {
            match self.0.bus.subscribe().await {
                Ok(mut subscription) => {
                    self.0.subscription_open.send_replace(true);
                    self.listen(&mut *subscription).await;
                }
                Err(error) => {
                    if !logged {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the subscription to the bus failed"
                        );
                        logged = true;
                    }
                    self.0.sleep(self.0.terms.renew_every).await;
                }
            }
        }
    }

    async fn listen(&self, subscription: &mut dyn BusSubscription) {
        let mut acknowledgements = JoinSet::new();
        loop {
            match subscription.next().await {
                BusEvent::Message(bytes) => self.receive(&bytes, &mut acknowledgements).await,
                // The protocol is correct without this. It shortens the time for which stale
                // snapshots are served after a publisher died between sending its message and
                // completing the revocation.
                BusEvent::Reconnected => self.0.invalidate_all(),
            }
        }
    }

    async fn receive(&self, bytes: &[u8], acknowledgements: &mut JoinSet<()>) {
        match Message::decode(bytes) {
            // This process invalidated its own cache before it published.
            Ok(Message::Invalidate { publication, .. }) if publication.publisher == self.0.id => {}
            Ok(Message::Invalidate { publication, scopes }) => {
                self.0.invalidate(&scopes);
                metrics::invalidation_received();
                self.acknowledge(publication, acknowledgements).await;
            }
            Ok(Message::Acknowledge { publication, by }) => self.deliver(publication, by),
            Ok(Message::Probe { by, number }) if by == self.0.id => {
                self.0.probe_received.send_replace(number);
            }
            Ok(Message::Probe { .. }) | Err(DecodeError::Malformed) => {}
            Err(DecodeError::Unknown) => self.0.invalidate_all(),
        }
    }

    /// Acknowledges `publication`, whose scopes this process has invalidated, in a task of its own:
    /// a slow bus must not delay later acknowledgements, whose publishers would evict this replica.
    async fn acknowledge(&self, publication: PublicationId, acknowledgements: &mut JoinSet<()>) {
        while acknowledgements.try_join_next().is_some() {}
        if acknowledgements.len() >= MAX_UNSENT_ACKNOWLEDGEMENTS {
            acknowledgements.join_next().await;
        }
        let coherence = Arc::clone(&self.0);
        acknowledgements.spawn(async move {
            let by = coherence.id;
            coherence.send(&Message::Acknowledge { publication, by }).await;
        });
    }

    /// Delivers an acknowledgement to the running publication that waits for it, if that
    /// publication belongs to this process.
    fn deliver(&self, publication: PublicationId, by: ReplicaId) {
        if publication.publisher == self.0.id
            && let Some(receiver) = self.0.acknowledgements().get(&publication.number)
        {
            // An acknowledgement beyond the channel's capacity counts as lost.
            let _ = receiver.try_send(by);
        }
    }
}
