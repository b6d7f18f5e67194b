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

/// How many messages wait for somebody who is slow to ask. The oldest make room, and the loss is told as a gap.
const WAITING_MESSAGES: usize = 1024;
/// How long silence lasts before the other side is asked whether it is there: a connection that the network forgot is as
/// silent as one on which nothing happens.
const SILENCE: Duration = Duration::from_secs(1);

/// A subscription whose task listens and reconnects. The task ends with this.
pub(crate) struct RedisSubscription {
    events: broadcast::Receiver<BusEvent>,
    task: AbortHandle,
}

impl RedisSubscription {
    /// Returns when Redis has confirmed the subscription.
    pub(crate) async fn open(listeners: Arc<Listeners>, channel: Arc<str>) -> Result<Self, RedisUnavailable> {
        let ear = listeners.listen(&channel).await?;
        let (sender, events) = broadcast::channel(WAITING_MESSAGES);
        let task = spawn(listen(listeners, channel, ear, sender)).abort_handle();
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
    mut ear: Subscription,
    events: broadcast::Sender<BusEvent>,
) {
    loop {
        pass_on(&mut ear, &events).await;
        tracing::warn!("the connection that listens to the bus was lost");
        ear = reconnect(&listeners, &channel).await;
        tracing::info!("the bus is heard again");
        // Nobody listens when this fails, and then the task is about to end.
        let _ = events.send(BusEvent::Reconnected);
    }
}

/// Passes messages on until the connection is lost.
async fn pass_on(ear: &mut Subscription, events: &broadcast::Sender<BusEvent>) {
    loop {
        match timeout(SILENCE, ear.messages.next()).await {
            Ok(Some(message)) => {
                let _ = events.send(BusEvent::Message(message.get_payload_bytes().to_vec()));
            }
            Err(_) if ear.is_alive().await => {}
            Ok(None) | Err(_) => return,
        }
    }
}

async fn reconnect(listeners: &Listeners, channel: &str) -> Subscription {
    let mut waits = backoff();
    loop {
        match listeners.listen(channel).await {
            Ok(ear) => return ear,
            Err(away) => tracing::debug!(error = &away as &dyn std::error::Error, "the bus is away"),
        }
        sleep(waits.next().expect("waits never end")).await;
    }
}
