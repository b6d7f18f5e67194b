use crate::{
    backoff::backoff,
    listeners::{Listeners, Subscription},
    redis_unavailable::RedisUnavailable,
};
use async_trait::async_trait;
use futures_util::StreamExt;
use session_cache::ports::{BusEvent, BusSubscription};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    task::{AbortHandle, spawn},
    time::{sleep, timeout},
};

/// Maximum number of undelivered messages. Beyond it the oldest are dropped, which is reported as a
/// gap.
const WAITING_MESSAGES: usize = 1024;
/// How long a subscription may be silent before the server is pinged. A broken connection is
/// otherwise indistinguishable from an idle one.
const SILENCE: Duration = Duration::from_secs(1);

/// A subscription whose task listens and reconnects. Dropping this ends the task.
pub(crate) struct RedisSubscription {
    events: broadcast::Receiver<BusEvent>,
    task: AbortHandle,
}

impl RedisSubscription {
    /// Returns once Redis has confirmed the subscription.
    pub(crate) async fn open(listeners: Arc<Listeners>, channel: Arc<str>) -> Result<Self, RedisUnavailable> {
        let subscription = listeners.listen(&channel).await?;
        let (sender, events) = broadcast::channel(WAITING_MESSAGES);
        let task = spawn(listen(listeners, channel, subscription, sender)).abort_handle();
        Ok(Self { events, task })
    }
}

#[async_trait]
impl BusSubscription for RedisSubscription {
    async fn next(&mut self) -> BusEvent {
        match self.events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_) | RecvError::Closed) => BusEvent::Reconnected,
        }
    }
}

impl Drop for RedisSubscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(
    listeners: Arc<Listeners>,
    channel: Arc<str>,
    mut subscription: Subscription,
    events: broadcast::Sender<BusEvent>,
) {
    loop {
        forward(&mut subscription, &events).await;
        tracing::warn!("lost the connection to the invalidation bus; reconnecting");
        subscription = reconnect(&listeners, &channel).await;
        tracing::info!("reconnected to the invalidation bus");
        // This fails only if the receiver was dropped, which also ends this task.
        let _ = events.send(BusEvent::Reconnected);
    }
}

/// Forwards messages until the connection is lost.
async fn forward(subscription: &mut Subscription, events: &broadcast::Sender<BusEvent>) {
    loop {
        match timeout(SILENCE, subscription.messages.next()).await {
            Ok(Some(message)) => {
                let _ = events.send(BusEvent::Message(message.get_payload_bytes().to_vec()));
            }
            Err(_) if subscription.is_alive().await => {}
            Ok(None) | Err(_) => return,
        }
    }
}

async fn reconnect(listeners: &Listeners, channel: &str) -> Subscription {
    let mut waits = backoff();
    let mut logged = false;
    loop {
        match listeners.listen(channel).await {
            Ok(subscription) => return subscription,
            Err(error) if !logged => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot subscribe to the invalidation bus; retrying"
                );
                logged = true;
            }
            Err(_) => {}
        }
        sleep(waits.next().expect("the back-off never ends")).await;
    }
}
