//! Keeps one connection established for as long as the client exists.

use crate::{
    backoff::backoff,
    connection::{Pooled, Pools, SharedConnection},
    redis_unavailable::RedisUnavailable,
    remedy::remedy_of_connecting,
};
use deadpool_redis::PoolError;
use std::{error::Error, sync::Arc};
use tokio::{
    sync::watch,
    task::{AbortHandle, spawn},
    time::sleep,
};

/// The state of the connection to Redis.
#[derive(Clone)]
pub(crate) enum ConnectionState {
    /// The first attempt since the connection was lost is in progress.
    Connecting,
    /// Connections are numbered, so that a late fault report about an old one does not affect a
    /// newer one.
    Up {
        number: u64,
        connection: SharedConnection,
    },
    /// The last attempt failed. The next one follows automatically.
    Down(Arc<PoolError>),
}

/// A fault that a command found in its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There was no response in time. The connection may still work: a PING decides whether to keep
    /// it.
    Slow,
    /// The connection is closed, or leads to a server that must not be used, such as a demoted
    /// primary.
    Lost,
}

/// The first fault of the connection with this number.
#[derive(Clone, Copy, Debug, Default)]
struct FaultReport {
    number: u64,
    fault: Option<Fault>,
}

/// The task that maintains the connection. Dropping this ends the task.
pub(crate) struct Reconnector {
    states: watch::Receiver<ConnectionState>,
    faults: watch::Sender<FaultReport>,
    task: AbortHandle,
}

impl Reconnector {
    /// Starts connecting on the current runtime, which must outlive this value.
    pub(crate) fn start(pools: Pools) -> Self {
        let (sender, states) = watch::channel(ConnectionState::Connecting);
        let (faults, received) = watch::channel(FaultReport::default());
        let task = spawn(maintain(pools, sender, received)).abort_handle();
        Self { states, faults, task }
    }

    /// Returns the state once the current connection attempt has succeeded or failed.
    pub(crate) async fn settled(&self) -> ConnectionState {
        let mut states = self.states.clone();
        let settled = states
            .wait_for(|state| !matches!(state, ConnectionState::Connecting))
            .await;
        settled
            .expect("the task ends only when the reconnector is dropped")
            .clone()
    }

    /// Returns the states of the connection, beginning with the current one.
    pub(crate) fn states(&self) -> watch::Receiver<ConnectionState> {
        self.states.clone()
    }

    pub(crate) fn report_fault(&self, number: u64, fault: Fault) {
        self.faults.send_if_modified(|last| {
            let first = number > last.number || (number == last.number && last.fault.is_none());
            if first {
                *last = FaultReport {
                    number,
                    fault: Some(fault),
                };
            }
            first
        });
    }
}

impl Drop for Reconnector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects, publishes the state of the connection, and connects again after each fault.
async fn maintain(
    pools: Pools,
    states: watch::Sender<ConnectionState>,
    mut faults: watch::Receiver<FaultReport>,
) {
    for number in 1.. {
        let pooled = connect(&pools, &states).await;
        states.send_replace(ConnectionState::Up {
            number,
            connection: pooled.share(),
        });
        let Ok(report) = faults.wait_for(|it| it.number >= number).await.map(|it| *it) else {
            return;
        };
        states.send_replace(ConnectionState::Connecting);
        match report.fault {
            Some(Fault::Lost) => pooled.discard(),
            Some(Fault::Slow) | None => drop(pooled),
        }
    }
}

async fn connect(pools: &Pools, states: &watch::Sender<ConnectionState>) -> Pooled {
    let mut waits = backoff();
    let mut logged = None;
    loop {
        let error = match pools.get().await {
            Ok(pooled) => {
                if logged.is_some() {
                    tracing::info!("connected to Redis again");
                }
                return pooled;
            }
            Err(error) => Arc::new(error),
        };
        // Once in an outage, and again if the remedy is another one.
        let remedy = remedy_of_connecting(&error);
        if logged.replace(remedy) != Some(remedy) {
            let error = RedisUnavailable::NotConnected(Arc::clone(&error));
            tracing::warn!(error = &error as &dyn Error, "cannot connect to Redis; retrying");
        }
        states.send_replace(ConnectionState::Down(error));
        sleep(waits.next().expect("the back-off never ends")).await;
    }
}
