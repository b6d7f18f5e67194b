use crate::{
    connection::Pools,
    listeners::Listeners,
    reconnector::{ConnectionState, Reconnector},
    redis_unavailable::RedisUnavailable,
    redis_url::RedisUrl,
};
use deadpool_redis::redis::{Cmd, FromRedisValue, RedisError};
use request_scope::{RequestScope, Wait};
use rustls::crypto::aws_lc_rs::default_provider;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// The Redis client shared by all adapters of this crate. Clones share one connection, which
/// reconnects with back-off for as long as a clone exists.
#[derive(Clone)]
pub struct RedisClient {
    reconnector: Arc<Reconnector>,
    listeners: Arc<Listeners>,
    command_bound: Duration,
}

impl RedisClient {
    /// The default time limit of a command, short enough that a login which waits for it is still
    /// answered quickly.
    pub const COMMAND_BOUND: Duration = Duration::from_millis(250);

    /// Creates a client of the Redis at `url` and returns at once. The connection is established in
    /// the background, so Redis need not be available yet. No command takes longer than
    /// `command_bound`, including the wait for a connection.
    ///
    /// # Errors
    /// Returns an error if the nodes of `url` are inconsistent.
    ///
    /// # Panics
    /// Panics outside a tokio runtime with I/O and time. The connection lives on that runtime,
    /// which must outlive the client.
    pub fn open(url: &RedisUrl, command_bound: Duration) -> Result<Self, RedisError> {
        // TLS needs an explicit provider if other crates of the binary bring more than one. An
        // installed provider is not replaced.
        let _ = default_provider().install_default();
        let listeners = Arc::new(Listeners::of(&url.0)?);
        let reconnector = Arc::new(Reconnector::start(Pools::of(&url.0, command_bound)?));
        Ok(Self {
            reconnector,
            listeners,
            command_bound,
        })
    }

    /// Sends `command` and waits for its response.
    ///
    /// Within a request, a command takes at most a third of the remaining wait budget, so that
    /// several slow commands leave time for the database.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisUnavailable> {
        let share = RequestScope::current().map_or(self.command_bound, |request| request.time_left() / 3);
        let wait = Wait::begin(share.min(self.command_bound)).ok_or(RedisUnavailable::NoTimeLeft)?;
        let mut used = None;
        let answer = timeout(wait.limit(), async {
            let (number, mut connection) = match self.reconnector.settled().await {
                ConnectionState::Up { number, connection } => (number, connection),
                ConnectionState::Down(error) => return Err(RedisUnavailable::NotConnected(error)),
                ConnectionState::Connecting => return Err(RedisUnavailable::TooSlow),
            };
            used = Some(number);
            command
                .query_async(&mut connection)
                .await
                .map_err(RedisUnavailable::Refused)
        });
        let answer = answer.await.unwrap_or_else(|_late| {
            let had_its_time = wait.limit() >= self.command_bound;
            Err(if had_its_time {
                RedisUnavailable::TooSlow
            } else {
                RedisUnavailable::NoTimeLeft
            })
        });
        if let (Some(number), Err(error)) = (used, &answer)
            && let Some(fault) = error.fault()
        {
            self.reconnector.report_fault(number, fault);
        }
        answer
    }

    /// Returns the states of the connection, beginning with the current one.
    pub(crate) fn states(&self) -> watch::Receiver<ConnectionState> {
        self.reconnector.states()
    }

    pub(crate) fn listeners(&self) -> &Arc<Listeners> {
        &self.listeners
    }
}
