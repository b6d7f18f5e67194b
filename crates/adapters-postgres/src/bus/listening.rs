//! Connections that receive the notifications of a channel.

use super::{not_listening::NotListening, notifier::Notifier};
use crate::database::Server;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, UnboundedReceiver},
    task::AbortHandle,
    time::timeout,
};
use tokio_postgres::Client;

/// The time limit for opening a connection that listens, before the probe.
const OPEN_BOUND: Duration = Duration::from_secs(1);
/// The time limit for the arrival of a probe that has been sent.
const DELIVERY_BOUND: Duration = Duration::from_secs(1);
/// The time limit of a check whether a connection still works.
const PING_BOUND: Duration = Duration::from_secs(1);

/// Opens connections that listen to one channel.
pub struct Listeners {
    server: Arc<Server>,
    channel: String,
    notifier: Notifier,
    runtime: Handle,
    last_failure: Mutex<Option<Arc<NotListening>>>,
}

/// A connection that listens. Dropping this closes it.
pub struct Listening {
    client: Client,
    payloads: UnboundedReceiver<String>,
    driver: AbortHandle,
}

impl Listeners {
    pub fn new(server: Arc<Server>, channel: &str, notifier: Notifier, runtime: Handle) -> Self {
        Self {
            server,
            channel: channel.to_owned(),
            notifier,
            runtime,
            last_failure: Mutex::default(),
        }
    }

    /// Returns a connection that has received a probe.
    pub async fn listen(&self) -> Result<Listening, Arc<NotListening>> {
        let tested = self.open_and_test().await.map_err(Arc::new);
        *self.failure() = tested.as_ref().err().cloned();
        tested
    }

    /// Returns why the last attempt to listen failed; `None` if it succeeded or there was none.
    pub fn last_failure(&self) -> Option<Arc<NotListening>> {
        self.failure().clone()
    }

    /// Returns the runtime for the tasks of connections and subscriptions.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    async fn open_and_test(&self) -> Result<Listening, NotListening> {
        let opened = timeout(OPEN_BOUND, self.open()).await;
        let (mut listening, probe) = opened.unwrap_or(Err(NotListening::TooSlow))?;
        let sent = self.notifier.notify(vec![probe.clone()]).await;
        sent.map_err(NotListening::Unpublished)?;
        match timeout(DELIVERY_BOUND, listening.receives(&probe)).await {
            Ok(true) => Ok(listening),
            Ok(false) | Err(_) => Err(NotListening::Undelivered),
        }
    }

    /// Returns a connection that listens, and the text of its probe.
    async fn open(&self) -> Result<(Listening, String), NotListening> {
        let (sender, payloads) = mpsc::unbounded_channel();
        let (client, driver) = self
            .server
            .receive(sender)
            .await
            .map_err(NotListening::Unopened)?;
        let listening = Listening {
            client,
            payloads,
            driver: self.runtime.spawn(driver).abort_handle(),
        };
        let probe = listening.start(&self.channel).await?;
        Ok((listening, probe))
    }

    fn failure(&self) -> MutexGuard<'_, Option<Arc<NotListening>>> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listening {
    /// Waits for a notification. Returns `None` when the connection is lost.
    pub async fn next(&mut self) -> Option<String> {
        self.payloads.recv().await
    }

    /// Returns whether the server still responds on this connection.
    pub async fn is_alive(&self) -> bool {
        matches!(
            timeout(PING_BOUND, self.client.batch_execute("SELECT 1")).await,
            Ok(Ok(()))
        )
    }

    /// Listens, and returns the text of a probe that no other open connection of the server sends.
    async fn start(&self, channel: &str) -> Result<String, NotListening> {
        let listen = format!("LISTEN \"{}\"", channel.replace('"', "\"\""));
        let listening = self.client.batch_execute(&listen).await;
        listening.map_err(NotListening::Refused)?;
        let pid = self.client.query_one_scalar("SELECT pg_backend_pid()", &[]);
        let pid: i32 = pid.await.map_err(NotListening::Refused)?;
        Ok(format!("probe/{pid}"))
    }

    /// Waits until `probe` arrives. Discards what arrives before, which was sent before anything
    /// subscribed. Returns `false` when the connection is lost.
    async fn receives(&mut self, probe: &str) -> bool {
        while let Some(payload) = self.next().await {
            if payload == probe {
                return true;
            }
        }
        false
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
