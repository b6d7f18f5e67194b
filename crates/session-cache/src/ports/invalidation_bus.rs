use async_trait::async_trait;
use domain::ports::PortError;

/// What replicas tell each other. It is quick and may fail: messages may be lost, delayed, duplicated and reordered, so
/// nothing may rest on it but speed.
#[async_trait]
pub trait InvalidationBus: Send + Sync {
    /// Sends `message` to every subscription that is open now, in this process and in others. Success MUST mean no more
    /// than that it was handed on.
    async fn publish(&self, message: Vec<u8>) -> Result<(), PortError>;

    /// Opens a subscription. When this returns, every message that is published from then on MUST reach it while the bus is
    /// in health.
    async fn subscribe(&self) -> Result<Box<dyn BusSubscription>, PortError>;
}

/// Something that a subscription sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    Message(Vec<u8>),
    /// The connection was lost and is there again: any number of messages may have been missed in between.
    Reconnected,
}

/// An open ear. It MUST reconnect by itself, with back-off, for as long as it is held.
#[async_trait]
pub trait BusSubscription: Send {
    /// The next event, however long that takes. Dropping the future MUST lose nothing.
    async fn next(&mut self) -> BusEvent;
}
