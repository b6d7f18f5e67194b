//! The contract of [`StorageHealth`](domain::ports::StorageHealth).

use crate::Storage;
use std::time::Duration;

contract! {
    /// Defines a named test for each case of the contract of
    /// [`StorageHealth`](domain::ports::StorageHealth).
    ///
    /// `$fresh` is an async function that returns a [`Storage`](crate::Storage) and a guard that
    /// keeps it alive for the test.
    storage_health_contract = storage_cases for storage_health(Storage):
        a_check_of_available_storage_returns_within_a_second,
}

async fn a_check_of_available_storage_returns_within_a_second(storage: &Storage) {
    tokio::time::timeout(Duration::from_secs(1), storage.health.check())
        .await
        .expect("the check returns within a second")
        .expect("storage is available");
}
