use async_trait::async_trait;
use domain::ports::PortError;
use session_cache::ports::{BusEvent, BusSubscription, InvalidationBus};
use tokio::sync::broadcast::{self, error::RecvError};

/// Maximum number of events queued for one subscription. When it is exceeded, the oldest events are
/// dropped and the subscription returns [`BusEvent::Reconnected`].
const MAX_QUEUED_EVENTS: usize = 1024;

/// A bus within this process. Clones share the bus.
#[derive(Clone)]
pub struct MemoryBus(broadcast::Sender<BusEvent>);

struct MemorySubscription {
    events: broadcast::Receiver<BusEvent>,
    /// Keeps the bus open while there are subscriptions.
    _bus: MemoryBus,
}

impl MemoryBus {
    /// Sends [`BusEvent::Reconnected`] to every open subscription.
    pub fn tear(&self) {
        // Sending fails only if there is no subscription.
        let _ = self.0.send(BusEvent::Reconnected);
    }
}

impl Default for MemoryBus {
    fn default() -> Self {
        Self(broadcast::channel(MAX_QUEUED_EVENTS).0)
    }
}

#[async_trait]
impl InvalidationBus for MemoryBus {
    async fn publish(&self, message: Vec<u8>) -> Result<(), PortError> {
        // Sending fails only if there is no subscription.
        let _ = self.0.send(BusEvent::Message(message));
        Ok(())
    }

    async fn subscribe(&self) -> Result<Box<dyn BusSubscription>, PortError> {
        Ok(Box::new(MemorySubscription {
            events: self.0.subscribe(),
            _bus: self.clone(),
        }))
    }
}

#[async_trait]
impl BusSubscription for MemorySubscription {
    async fn next(&mut self) -> BusEvent {
        match self.events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_) | RecvError::Closed) => BusEvent::Reconnected,
        }
    }
}
