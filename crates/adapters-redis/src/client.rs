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
use tokio::time::timeout;

/// Redis, for every adapter of this crate; clones are handles on the same connection. It connects by itself, again and
/// again with back-off, for as long as a handle is held.
#[derive(Clone)]
pub struct RedisClient {
    keeper: Arc<Reconnector>,
    listeners: Arc<Listeners>,
    command_bound: Duration,
}

impl RedisClient {
    /// How long a command may take unless somebody says otherwise: an attempt to log in that waits for it must still be
    /// answered soon.
    pub const COMMAND_BOUND: Duration = Duration::from_millis(250);

    /// A client of the Redis at `url`. It returns at once and connects in the background: Redis may come later.
    /// No command takes longer than `command_bound`, the wait for a connection included.
    ///
    /// # Errors
    /// When the nodes of `url` do not fit each other.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time. The connection lives on that runtime, which must outlive the client.
    pub fn open(url: &RedisUrl, command_bound: Duration) -> Result<Self, RedisError> {
        // TLS needs to be told of a provider when other crates of the binary bring along others. An earlier choice stays.
        let _ = default_provider().install_default();
        let listeners = Arc::new(Listeners::of(&url.0)?);
        let keeper = Arc::new(Reconnector::start(Pools::of(&url.0, command_bound)?));
        Ok(Self {
            keeper,
            listeners,
            command_bound,
        })
    }

    /// Sends `command` and waits for its answer.
    ///
    /// On behalf of a request it takes a third of what the request has left at most: several commands, each just fast
    /// enough, must leave time for the database.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisUnavailable> {
        let share = RequestScope::current().map_or(self.command_bound, |request| request.time_left() / 3);
        let wait = Wait::begin(share.min(self.command_bound)).ok_or(RedisUnavailable::NoTimeLeft)?;
        let mut used = None;
        let answer = timeout(wait.limit(), async {
            let (number, mut connection) = match self.keeper.settled().await {
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
        if let (Some(number), Err(away)) = (used, &answer)
            && let Some(fault) = away.fault()
        {
            self.keeper.complain(number, fault);
        }
        answer
    }

    pub(crate) fn listeners(&self) -> &Arc<Listeners> {
        &self.listeners
    }
}
