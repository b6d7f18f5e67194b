use crate::{
    coherence::SessionCoherence,
    metrics,
    ports::{BusEvent, BusSubscription},
    protocol::{DecodeError, Message, PublicationId, ReplicaId},
};
use std::sync::Arc;

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
        loop {
            match subscription.next().await {
                BusEvent::Message(bytes) => self.receive(&bytes).await,
                // The protocol is correct without this. It shortens the time for which stale
                // snapshots are served after a publisher died between sending its message and
                // completing the revocation.
                BusEvent::Reconnected => self.0.invalidate_all(),
            }
        }
    }

    async fn receive(&self, bytes: &[u8]) {
        match Message::decode(bytes) {
            // This process invalidated its own cache before it published.
            Ok(Message::Invalidate { publication, .. }) if publication.publisher == self.0.id => {}
            Ok(Message::Invalidate { publication, scopes }) => {
                self.0.invalidate(&scopes);
                metrics::invalidation_received();
                let by = self.0.id;
                self.0.send(&Message::Acknowledge { publication, by }).await;
            }
            Ok(Message::Acknowledge { publication, by }) => self.deliver(publication, by),
            Ok(Message::Probe { by, number }) if by == self.0.id => {
                self.0.probe_received.send_replace(number);
            }
            Ok(Message::Probe { .. }) | Err(DecodeError::Malformed) => {}
            Err(DecodeError::Unknown) => self.0.invalidate_all(),
        }
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
