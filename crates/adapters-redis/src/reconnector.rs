//! Keeps one connection up for as long as the client lives.

use crate::{
    backoff::backoff,
    connection::{Pooled, Pools, SharedConnection},
};
use deadpool_redis::PoolError;
use std::sync::Arc;
use tokio::{
    sync::watch,
    task::{AbortHandle, spawn},
    time::sleep,
};

/// What stands between this process and Redis now.
#[derive(Clone)]
pub(crate) enum ConnectionState {
    /// The first attempt since the link was lost is under way.
    Connecting,
    /// The connections of one link are numbered, so that a late complaint about an old one hits no newer one.
    Up {
        number: u64,
        connection: SharedConnection,
    },
    /// The last attempt failed; the next one comes by itself.
    Down(Arc<PoolError>),
}

/// What a command found wrong with the connection that it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No answer in time, which is no proof of anything: whether the connection answers a PING decides.
    Slow,
    /// The connection is closed, or leads to a server that must not be asked, such as a primary that no longer is one.
    Lost,
}

#[derive(Clone, Copy, Debug, Default)]
struct FaultReport {
    number: u64,
    fault: Option<Fault>,
}

/// The task that keeps the link. It ends with this.
pub(crate) struct Reconnector {
    links: watch::Receiver<ConnectionState>,
    complaints: watch::Sender<FaultReport>,
    task: AbortHandle,
}

impl Reconnector {
    /// Begins to connect on the runtime that this is called on, which must outlive the keeper.
    pub(crate) fn start(pools: Pools) -> Self {
        let (sender, links) = watch::channel(ConnectionState::Connecting);
        let (complaints, received) = watch::channel(FaultReport::default());
        let task = spawn(keep(pools, sender, received)).abort_handle();
        Self {
            links,
            complaints,
            task,
        }
    }

    /// The link, once the first attempt to connect has ended one way or the other.
    pub(crate) async fn settled(&self) -> ConnectionState {
        let mut links = self.links.clone();
        let settled = links
            .wait_for(|link| !matches!(link, ConnectionState::Connecting))
            .await;
        settled.expect("the task ends after this alone").clone()
    }

    pub(crate) fn complain(&self, number: u64, fault: Fault) {
        self.complaints.send_if_modified(|last| {
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

async fn keep(
    pools: Pools,
    links: watch::Sender<ConnectionState>,
    mut complaints: watch::Receiver<FaultReport>,
) {
    for number in 1.. {
        let pooled = connect(&pools, &links).await;
        links.send_replace(ConnectionState::Up {
            number,
            connection: pooled.share(),
        });
        let Ok(complaint) = complaints.wait_for(|it| it.number >= number).await.map(|it| *it) else {
            return;
        };
        links.send_replace(ConnectionState::Connecting);
        match complaint.fault {
            Some(Fault::Lost) => pooled.discard(),
            Some(Fault::Slow) | None => drop(pooled),
        }
    }
}

async fn connect(pools: &Pools, links: &watch::Sender<ConnectionState>) -> Pooled {
    let mut waits = backoff();
    loop {
        match pools.get().await {
            Ok(pooled) => return pooled,
            Err(error) => links.send_replace(ConnectionState::Down(Arc::new(error))),
        };
        sleep(waits.next().expect("waits never end")).await;
    }
}
