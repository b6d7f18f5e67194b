use async_trait::async_trait;
use domain::ports::PortError;
use session_cache::ports::{BusEvent, BusSubscription, InvalidationBus};
use tokio::sync::broadcast::{self, error::RecvError};

/// How many messages wait for one subscription. When there are more the oldest are lost, and that is told as a gap.
const WAITING_MESSAGES: usize = 1024;

/// A bus within this process; clones are handles on the same one.
#[derive(Clone)]
pub struct MemoryBus(broadcast::Sender<BusEvent>);

struct MemorySubscription {
    events: broadcast::Receiver<BusEvent>,
    /// The bus never ends while somebody listens.
    _bus: MemoryBus,
}

impl MemoryBus {
    /// Tells every open subscription that it may have missed something.
    pub fn tear(&self) {
        // An error says that nobody listens.
        let _ = self.0.send(BusEvent::Reconnected);
    }
}

impl Default for MemoryBus {
    fn default() -> Self {
        Self(broadcast::channel(WAITING_MESSAGES).0)
    }
}

#[async_trait]
impl InvalidationBus for MemoryBus {
    async fn publish(&self, message: Vec<u8>) -> Result<(), PortError> {
        // An error says that nobody listens.
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
