//! The invalidation bus over LISTEN and NOTIFY, for replicas that share a database and no Redis.

mod backoff;
mod listening;
mod not_listening;
mod notifier;
mod parts;
mod subscription;

use crate::{
    database::{ConnectError, PoolSettings, PostgresDatabase, Server},
    error::StorageError,
};
use async_trait::async_trait;
use domain::ports::{PortError, StorageHealth};
use listening::Listeners;
use notifier::Notifier;
use session_cache::ports::{BusSubscription, InvalidationBus};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use subscription::PostgresSubscription;

/// An invalidation bus on one channel of a database.
///
/// Messages are sent through the pool, each batch in a transaction of its own: the commit of a
/// transaction with NOTIFY excludes all others on the server, so no change may wait in it. A
/// subscription has a connection of its own, and opens only after a probe sent through the pool has
/// arrived there: behind a pooler that lends connections per transaction, LISTEN succeeds and no
/// message arrives.
///
/// Every role that may connect to the database can write to its channels.
#[derive(Clone)]
pub struct PostgresBus {
    notifier: Notifier,
    listeners: Arc<Listeners>,
    /// Distinguishes messages with equal bytes, which Postgres would deliver once if one
    /// transaction sends them.
    next_number: Arc<AtomicU64>,
}

impl PostgresBus {
    /// Creates the bus on `channel`, a name of at most 63 bytes. Subscriptions connect to
    /// `listen_url`, by default to the URL of `database`; both must lead to the same database.
    ///
    /// # Errors
    /// [`ConnectError`] if `listen_url` is wrong. Does not connect.
    pub fn open(
        database: &PostgresDatabase,
        listen_url: Option<&str>,
        channel: &str,
    ) -> Result<Self, ConnectError> {
        let server = match listen_url {
            Some(url) => Arc::new(Server::parse(url, &PoolSettings::default())?),
            None => database.server(),
        };
        let notifier = Notifier::start(database, channel);
        let listeners = Listeners::new(server, channel, notifier.clone(), database.runtime().clone());
        Ok(Self {
            notifier,
            listeners: Arc::new(listeners),
            next_number: Arc::default(),
        })
    }
}

#[async_trait]
impl InvalidationBus for PostgresBus {
    #[tracing::instrument(skip_all)]
    async fn publish(&self, message: Vec<u8>) -> Result<(), PortError> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let payloads = parts::split(number, &message)
            .ok_or_else(|| StorageError::Statement("the message is too long for the bus".into()))?;
        self.notifier.notify(payloads).await
    }

    #[tracing::instrument(skip_all)]
    async fn subscribe(&self) -> Result<Box<dyn BusSubscription>, PortError> {
        let subscription = PostgresSubscription::open(Arc::clone(&self.listeners)).await;
        let subscription = subscription.map_err(|error| PortError::Unavailable(error.into()))?;
        Ok(Box::new(subscription))
    }
}

/// Checks that messages can be sent, by an empty one that subscriptions ignore, and that the last
/// attempt to subscribe succeeded.
#[async_trait]
impl StorageHealth for PostgresBus {
    async fn check(&self) -> Result<(), PortError> {
        if let Some(error) = self.listeners.last_failure() {
            return Err(PortError::Unavailable(error.into()));
        }
        self.notifier.notify(vec![String::new()]).await
    }
}
