//! Work on a connection, and the transaction around it.

use crate::error::StorageError;
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, TransactionManager};
use std::pin::Pin;

/// Work on a connection. The input is borrowed, so that the work can be repeated.
pub type Work<I, R> = for<'c> fn(&'c mut AsyncPgConnection, &'c I) -> WorkFuture<'c, R>;
/// The result of [`Work`], while it runs.
pub type WorkFuture<'c, R> = Pin<Box<dyn Future<Output = Result<R, StorageError>> + Send + 'c>>;

/// How work runs, and when its effects are committed.
pub enum Mode<R> {
    /// Work that changes nothing, so it can be repeated after any error.
    Read,
    /// Work that is a single statement.
    Statement,
    /// Work in a transaction, which is committed if its result meets this predicate.
    Transaction(fn(&R) -> bool),
}

impl<R> Mode<R> {
    /// Does `work` on `conn`.
    pub async fn apply<I>(
        &self,
        conn: &mut AsyncPgConnection,
        input: &I,
        work: Work<I, R>,
    ) -> Result<R, StorageError> {
        match self {
            Self::Read => work(conn, input).await.map_err(StorageError::before_changes),
            Self::Statement => work(conn, input).await,
            Self::Transaction(commits) => transaction(conn, input, work, *commits).await,
        }
    }
}

async fn transaction<I, R>(
    conn: &mut AsyncPgConnection,
    input: &I,
    work: Work<I, R>,
    commits: fn(&R) -> bool,
) -> Result<R, StorageError> {
    AnsiTransactionManager::begin_transaction(&mut *conn)
        .await
        .map_err(|error| StorageError::from(error).before_changes())?;
    match work(&mut *conn, input).await {
        Ok(done) if commits(&done) => {
            AnsiTransactionManager::commit_transaction(&mut *conn).await?;
            Ok(done)
        }
        answer => {
            // If the rollback also fails, the pool closes the connection, which rolls back as well.
            let _ = AnsiTransactionManager::rollback_transaction(&mut *conn).await;
            answer
        }
    }
}
