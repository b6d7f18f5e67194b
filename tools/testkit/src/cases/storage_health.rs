//! The contract of [`StorageHealth`](domain::ports::StorageHealth).

use crate::Storage;
use std::time::Duration;

/// # Panics
/// When the storage breaks the contract.
pub async fn a_storage_within_reach_answers_within_a_second(storage: &Storage) {
    tokio::time::timeout(Duration::from_secs(1), storage.health.check())
        .await
        .expect("an answer within a second")
        .expect("storage answers");
}
