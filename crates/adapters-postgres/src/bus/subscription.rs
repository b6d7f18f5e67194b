use super::{
    backoff::backoff,
    listening::{Listeners, Listening},
    not_listening::NotListening,
    parts::Joiner,
};
use async_trait::async_trait;
use session_cache::ports::{BusEvent, BusSubscription};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    task::AbortHandle,
    time::{sleep, timeout},
};

/// Maximum number of undelivered messages. Beyond it the oldest are dropped, which is reported as a
/// gap.
const WAITING_MESSAGES: usize = 1024;
/// How long a connection may be silent before it is checked. A broken connection is otherwise
/// indistinguishable from an idle one.
const SILENCE: Duration = Duration::from_secs(1);

/// A subscription whose task listens and reconnects. Dropping this ends the task.
pub struct PostgresSubscription {
    events: broadcast::Receiver<BusEvent>,
    task: AbortHandle,
}

impl PostgresSubscription {
    /// Returns once a connection has received a probe.
    pub async fn open(listeners: Arc<Listeners>) -> Result<Self, Arc<NotListening>> {
        let listening = listeners.listen().await?;
        let (sender, events) = broadcast::channel(WAITING_MESSAGES);
        let runtime = listeners.runtime().clone();
        let task = runtime.spawn(listen(listeners, listening, sender)).abort_handle();
        Ok(Self { events, task })
    }
}

#[async_trait]
impl BusSubscription for PostgresSubscription {
    async fn next(&mut self) -> BusEvent {
        match self.events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_) | RecvError::Closed) => BusEvent::Reconnected,
        }
    }
}

impl Drop for PostgresSubscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listeners: Arc<Listeners>, mut listening: Listening, events: broadcast::Sender<BusEvent>) {
    loop {
        forward(&mut listening, &events).await;
        // Close the connection before another one is opened.
        drop(listening);
        tracing::warn!("lost the connection to the invalidation bus; reconnecting");
        listening = reconnect(&listeners).await;
        tracing::info!("reconnected to the invalidation bus");
        // This fails only if the receiver was dropped, which also ends this task.
        let _ = events.send(BusEvent::Reconnected);
    }
}

/// Forwards messages until the connection is lost.
async fn forward(listening: &mut Listening, events: &broadcast::Sender<BusEvent>) {
    let mut joiner = Joiner::default();
    loop {
        match timeout(SILENCE, listening.next()).await {
            Ok(Some(payload)) => {
                if let Some(message) = joiner.add(&payload) {
                    let _ = events.send(BusEvent::Message(message));
                }
            }
            Err(_) if listening.is_alive().await => {}
            Ok(None) | Err(_) => return,
        }
    }
}

async fn reconnect(listeners: &Listeners) -> Listening {
    let mut waits = backoff();
    let mut logged = false;
    loop {
        match listeners.listen().await {
            Ok(listening) => return listening,
            Err(error) if !logged => {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "cannot subscribe to the invalidation bus; retrying"
                );
                logged = true;
            }
            Err(_) => {}
        }
        sleep(waits.next().expect("the back-off never ends")).await;
    }
}
