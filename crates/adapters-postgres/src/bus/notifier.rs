//! Sends notifications, those of concurrent callers together: the commit of a transaction with
//! NOTIFY excludes all others on the server.

use crate::{
    batches::{self, Batches, Bounds},
    database::{Mode, PostgresDatabase},
    error::StorageError,
    tables::notifications::{self, Notifications},
};
use domain::ports::PortError;
use std::{mem, sync::Arc, time::Duration};

/// A slow connection must not delay messages for longer than their receivers have time to
/// acknowledge them.
const BOUNDS: Bounds = Bounds {
    requests: 256,
    head_start: Duration::from_millis(100),
};

type Answer = Result<(), Arc<StorageError>>;
type Request = batches::Request<Vec<String>, Answer>;

/// Accepts notifications for one channel. Clones share the task that sends them.
#[derive(Clone)]
pub struct Notifier(Arc<Batches<Vec<String>, Answer>>);

impl Notifier {
    /// Serves requests on the database's runtime until all clones are dropped.
    pub fn start(database: &PostgresDatabase, channel: &str) -> Self {
        let (serving, channel) = (database.clone(), channel.to_owned());
        let serve = move |batch| serve(serving.clone(), channel.clone(), batch);
        Self(Arc::new(Batches::start(database, BOUNDS, serve)))
    }

    /// Sends all `payloads` in one transaction, in this order. They may be sent twice. They may be
    /// sent even if the future is dropped.
    pub async fn notify(&self, payloads: Vec<String>) -> Result<(), PortError> {
        let answer = self.0.ask(payloads).await?;
        answer.map_err(StorageError::to_port_error)
    }
}

async fn serve(database: PostgresDatabase, channel: String, mut batch: Vec<Request>) {
    let payloads = batch.iter_mut().flat_map(|it| mem::take(&mut it.question));
    let input = Notifications {
        channel,
        payloads: payloads.collect(),
    };
    // Read mode, because the statement can be repeated: a bus may repeat messages.
    let sent = database.run(Mode::Read, input, |conn, input| {
        Box::pin(notifications::send(conn, input))
    });
    let sent = sent.await.map_err(Arc::new);
    for request in batch {
        request.reply(sent.clone());
    }
}
