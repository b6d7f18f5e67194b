use async_trait::async_trait;
use domain::ports::PortError;

/// Carries messages between processes that share a database.
///
/// The bus is best effort: it may lose, delay, duplicate and reorder messages. The protocol relies
/// on it for latency only, never for correctness.
#[async_trait]
pub trait InvalidationBus: Send + Sync {
    /// Sends `message` to every open subscription, in this process and in others. Success means
    /// only that the bus accepted the message. Any bytes up to 64 KiB MUST be accepted.
    ///
    /// # Errors
    /// Returns [`PortError::Unavailable`] if the bus cannot be reached.
    async fn publish(&self, message: Vec<u8>) -> Result<(), PortError>;

    /// Opens a subscription. Every message published after this returns MUST reach it while the bus
    /// is healthy.
    ///
    /// # Errors
    /// Returns [`PortError::Unavailable`] if the bus cannot be reached.
    async fn subscribe(&self) -> Result<Box<dyn BusSubscription>, PortError>;
}

/// An event on a [`BusSubscription`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// A message, byte for byte as published.
    Message(Vec<u8>),
    /// The connection was lost and is restored. Any number of messages may have been missed in
    /// between.
    Reconnected,
}

/// An open subscription to the bus. It MUST reconnect automatically, with back-off, until it is
/// dropped.
#[async_trait]
pub trait BusSubscription: Send {
    /// Waits for the next event. Dropping the future MUST NOT lose an event.
    async fn next(&mut self) -> BusEvent;
}
