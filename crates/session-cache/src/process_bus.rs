use crate::ports::{BusEvent, BusSubscription, InvalidationBus};
use async_trait::async_trait;
use domain::ports::PortError;
use tokio::sync::broadcast::{self, error::RecvError};

/// Maximum number of messages queued for one subscription. Beyond it the oldest are dropped, which
/// the subscription reports as [`BusEvent::Reconnected`].
const MAX_QUEUED_MESSAGES: usize = 1024;

/// A bus within one process, for a process that owns its database. Clones share the bus.
#[derive(Clone)]
pub struct ProcessBus(broadcast::Sender<Vec<u8>>);

struct ProcessSubscription {
    messages: broadcast::Receiver<Vec<u8>>,
    /// Keeps the bus open while there are subscriptions.
    _bus: ProcessBus,
}

impl Default for ProcessBus {
    fn default() -> Self {
        Self(broadcast::channel(MAX_QUEUED_MESSAGES).0)
    }
}

#[async_trait]
impl InvalidationBus for ProcessBus {
    async fn publish(&self, message: Vec<u8>) -> Result<(), PortError> {
        // Sending fails only if there is no subscription.
        let _ = self.0.send(message);
        Ok(())
    }

    async fn subscribe(&self) -> Result<Box<dyn BusSubscription>, PortError> {
        Ok(Box::new(ProcessSubscription {
            messages: self.0.subscribe(),
            _bus: self.clone(),
        }))
    }
}

#[async_trait]
impl BusSubscription for ProcessSubscription {
    async fn next(&mut self) -> BusEvent {
        match self.messages.recv().await {
            Ok(message) => BusEvent::Message(message),
            Err(RecvError::Lagged(_) | RecvError::Closed) => BusEvent::Reconnected,
        }
    }
}
