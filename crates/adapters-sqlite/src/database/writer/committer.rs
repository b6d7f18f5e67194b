use super::{
    Commit, Limits,
    connection::WritingConnection,
    operation::Operation,
    queue::{Queue, Queued},
};
use crate::error::StorageError;
use diesel::{SqliteConnection, connection::SimpleConnection};
use std::{error::Error as StdError, sync::Arc, time::Instant};

/// Commits operations: those that queue while others run or are committed share a transaction.
pub struct Committer {
    queue: Arc<Queue>,
    connection: WritingConnection,
    limits: Limits,
}

/// An operation of a group, and whether it succeeded.
type Member = (Queued, Result<(), StorageError>);

impl Committer {
    /// Creates a committer of the operations in `queue`.
    pub fn new(queue: Arc<Queue>, connection: WritingConnection, limits: Limits) -> Self {
        Self {
            queue,
            connection,
            limits,
        }
    }

    /// Executes operations until the queue is closed and empty.
    pub fn run(mut self) {
        while let Some(first) = self.queue.next() {
            match first.commit {
                Commit::Alone => self.alone(first),
                Commit::InGroup => self.group(first),
            }
        }
    }

    /// Executes `one` in a transaction of its own, and answers it.
    fn alone(&mut self, mut one: Queued) {
        let operation = &mut one.operation;
        let done = self
            .connection
            .transaction(one.commit, one.deadline, |conn| operation.run(conn));
        one.operation.answer(done);
    }

    /// Executes `first`, and those that are queued by then, in one transaction, and answers them
    /// after its end. If it fails, each gets a transaction of its own: even an error of one of them
    /// may be due to changes of another that are undone.
    fn group(&mut self, mut first: Queued) {
        let mut others = Vec::new();
        let (queue, limits) = (&*self.queue, self.limits);
        let committed = self.connection.transaction(first.commit, first.deadline, |conn| {
            let began = Instant::now();
            // It needs no savepoint: if it fails, there is nothing else to keep.
            first.operation.run(conn)?;
            while others.len() + 1 < limits.operations && began.elapsed() < limits.time {
                let Some(other) = queue.next_in_group() else {
                    break;
                };
                join(conn, other, &mut others)?;
            }
            Ok(())
        });
        match committed {
            Ok(()) => {
                first.operation.answer(Ok(()));
                for (other, done) in others {
                    other.operation.answer(done);
                }
            }
            Err(error) if others.is_empty() => first.operation.answer(Err(error)),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn StdError,
                    operations = others.len() + 1,
                    "a group of changes was not committed; each is tried alone"
                );
                self.again(first);
                for (other, _) in others {
                    self.again(other);
                }
            }
        }
    }

    /// Executes `one`, whose changes were undone, alone. Refuses it if it is late: those before it
    /// in the group have been executed again meanwhile.
    fn again(&mut self, one: Queued) {
        if one.is_late() {
            one.operation.answer(Err(StorageError::Busy));
        } else {
            self.alone(one);
        }
    }
}

impl Drop for Committer {
    /// Fails what waits if the thread panics.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

/// Executes `other` in the transaction of `group`, and adds it to the group. Undoes its changes
/// alone if it fails. Fails if the transaction has ended.
fn join(conn: &mut SqliteConnection, mut other: Queued, group: &mut Vec<Member>) -> Result<(), StorageError> {
    let executed = in_savepoint(conn, &mut *other.operation);
    match executed {
        Ok(done) => {
            group.push((other, done));
            Ok(())
        }
        Err(lost) => {
            group.push((other, Ok(())));
            Err(lost)
        }
    }
}

/// Returns what `operation` returns. Fails if there is no savepoint to release or to return to,
/// because the transaction has ended: SQLite rolls it back if the disk is full, for example.
fn in_savepoint(
    conn: &mut SqliteConnection,
    operation: &mut dyn Operation,
) -> Result<Result<(), StorageError>, StorageError> {
    conn.batch_execute("SAVEPOINT operation")?;
    let done = operation.run(conn);
    let ended = conn.batch_execute(match done {
        Ok(()) => "RELEASE operation",
        Err(_) => "ROLLBACK TO operation; RELEASE operation",
    });
    match (ended, done) {
        (Ok(()), done) => Ok(done),
        (Err(_no_savepoint), Err(cause)) => Err(cause),
        (Err(error), Ok(())) => Err(error.into()),
    }
}
