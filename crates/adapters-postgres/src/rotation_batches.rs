//! Rotates the sessions that several callers refresh at the same time in one statement.

use crate::{
    batches::{self, Batches, Bounds},
    database::{Mode, PostgresDatabase},
    error::StorageError,
    tables::{
        batched_rotation::{self, Outcome},
        rotation,
    },
};
use diesel_async::AsyncPgConnection;
use domain::{ports::Rotated, session::Rotation};
use metrics::{Counter, counter, describe_counter};
use std::sync::Arc;
use tokio::time::Instant;

const BATCHED: &str = "authapi_batched_rotations_total";

/// `None` if a batch left the session as it was.
type Answer = Result<Option<Rotated>, Arc<StorageError>>;
type Request = batches::Request<Asked, Answer>;

/// Accepts rotations.
pub struct RotationBatches(Batches<Asked, Answer>);

/// A rotation that MUST NOT begin after its caller has given up.
#[derive(Clone, Copy)]
struct Asked {
    rotation: Rotation,
    deadline: Instant,
}

/// Counts the rotations of batches.
#[derive(Clone)]
struct Counters {
    rotated: Counter,
    left: Counter,
}

impl RotationBatches {
    /// Serves rotations on the database's runtime until this is dropped.
    pub fn start(database: &PostgresDatabase) -> Self {
        describe_counter!(BATCHED, "Rotations of sessions that shared a statement.");
        let counters = Counters {
            rotated: counter!(BATCHED, "outcome" => "rotated"),
            left: counter!(BATCHED, "outcome" => "left"),
        };
        let serving = database.clone();
        let serve = move |batch| serve(serving.clone(), counters.clone(), batch);
        Self(Batches::start(database, Bounds::STANDARD, serve))
    }

    /// Rotates a session, possibly together with others. Does not begin after `deadline`. May take
    /// long; dropping the future is safe. Returns `None` if this call did not change the session:
    /// the caller MUST then use [`rotation::rotate`], which decides on it.
    ///
    /// After an error the session may have been rotated, as after an error of a single statement.
    pub async fn rotate(&self, rotation: Rotation, deadline: Instant) -> Answer {
        self.0.ask(Asked { rotation, deadline }).await?
    }
}

/// Executes a batch. No rotation is repeated after an error: if the connection was lost, the server
/// may have committed them all.
async fn serve(database: PostgresDatabase, counters: Counters, batch: Vec<Request>) {
    let asked: Vec<Asked> = batch.iter().map(|request| request.question).collect();
    let outcomes = database.run(Mode::Statement, asked, |conn, asked| {
        Box::pin(rotate(conn, asked))
    });
    match outcomes.await {
        Ok(outcomes) => {
            if batch.len() > 1 {
                counters.count(&outcomes);
            }
            for (request, outcome) in batch.into_iter().zip(outcomes) {
                request.reply(outcome.transpose().map_err(Arc::new));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for request in batch {
                request.reply(Err(Arc::clone(&error)));
            }
        }
    }
}

/// Executes those of `asked` whose callers still wait; returns what became of each.
async fn rotate(conn: &mut AsyncPgConnection, asked: &[Asked]) -> Result<Vec<Option<Outcome>>, StorageError> {
    let now = Instant::now();
    let waits = |it: &&Asked| it.deadline > now;
    let waiting: Vec<Rotation> = asked.iter().filter(waits).map(|it| it.rotation).collect();
    let outcomes = match &waiting[..] {
        [] => Vec::new(),
        // The statement for one rotation also decides on a session that it does not change.
        [only] => vec![Some(Ok(rotation::rotate(conn, only).await?))],
        several => batched_rotation::rotate_several(conn, several).await?,
    };
    let mut outcomes = outcomes.into_iter();
    let outcome = |it: &Asked| waits(&it).then(|| outcomes.next()).flatten().flatten();
    Ok(asked.iter().map(outcome).collect())
}

impl Counters {
    fn count(&self, outcomes: &[Option<Outcome>]) {
        let rotated = outcomes.iter().flatten().count() as u64;
        self.rotated.increment(rotated);
        self.left.increment(outcomes.len() as u64 - rotated);
    }
}
