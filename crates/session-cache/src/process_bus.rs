use crate::ports::{BusEvent, BusSubscription, InvalidationBus};
use async_trait::async_trait;
use domain::ports::PortError;
use tokio::sync::broadcast::{self, error::RecvError};

/// How many messages wait for one subscription. When there are more the oldest are lost, and that is told as a gap.
const WAITING_MESSAGES: usize = 1024;

/// The bus of a process that is alone: what it says, it alone hears. Clones are handles on the same bus.
#[derive(Clone)]
pub struct ProcessBus(broadcast::Sender<Vec<u8>>);

struct ProcessSubscription {
    messages: broadcast::Receiver<Vec<u8>>,
    /// The bus never ends while somebody listens.
    _bus: ProcessBus,
}

impl Default for ProcessBus {
    fn default() -> Self {
        Self(broadcast::channel(WAITING_MESSAGES).0)
    }
}

#[async_trait]
impl InvalidationBus for ProcessBus {
    async fn publish(&self, message: Vec<u8>) -> Result<(), PortError> {
        // An error says that nobody listens.
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
