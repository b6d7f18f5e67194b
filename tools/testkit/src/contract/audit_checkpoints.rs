//! The contract of [`AuditCheckpoints`](domain::ports::AuditCheckpoints).

use super::prelude::*;
use domain::audit::{AuditNumber, StoredCheckpoint};

contract! {
    /// Defines a named test for each case of the contract of
    /// [`AuditCheckpoints`](domain::ports::AuditCheckpoints).
    ///
    /// `$fresh` is an async function that returns a [`Storage`](crate::Storage) without
    /// checkpoints, and a guard that keeps it alive for the test.
    audit_checkpoints_contract = storage_cases for audit_checkpoints(Storage):
        stored_checkpoints_are_returned_complete_and_by_number,
        a_checkpoint_replaces_later_ones_that_cover_fewer_events,
        a_checkpoint_of_the_same_event_is_kept_as_it_is,
        one_checkpoint_replaces_all_others,
        concurrent_checkpoints_are_all_stored,
}

fn checkpoint(number: i64, second: i64) -> StoredCheckpoint {
    StoredCheckpoint {
        number: AuditNumber(number),
        at: at(second),
        note: format!("authapi/audit\n{number}\nseal\n\n\u{2014} authapi/audit signature\n"),
    }
}

async fn store(storage: &Storage, checkpoint: &StoredCheckpoint, replaces_from: DateTime<Utc>) {
    answered(|| storage.audit_checkpoints.store(checkpoint.clone(), replaces_from)).await;
}

async fn list(storage: &Storage) -> Vec<StoredCheckpoint> {
    let checkpoints = storage.audit_checkpoints.list().await;
    checkpoints.expect("storage is available")
}

async fn newest(storage: &Storage) -> Option<StoredCheckpoint> {
    let newest = storage.audit_checkpoints.newest().await;
    newest.expect("storage is available")
}

async fn stored_checkpoints_are_returned_complete_and_by_number(storage: &Storage) {
    assert_eq!(newest(storage).await, None);
    assert_eq!(list(storage).await, []);
    // The clock was set back.
    for (number, second) in [(7, 30), (3, 40), (9, 10)] {
        store(storage, &checkpoint(number, second), at(1000)).await;
    }
    assert_eq!(newest(storage).await, Some(checkpoint(9, 10)));
    let expected = [checkpoint(3, 40), checkpoint(7, 30), checkpoint(9, 10)];
    assert_eq!(list(storage).await, expected);
}

async fn a_checkpoint_replaces_later_ones_that_cover_fewer_events(storage: &Storage) {
    for (number, second) in [(1, 10), (2, 20), (3, 30), (8, 40)] {
        store(storage, &checkpoint(number, second), at(1000)).await;
    }
    store(storage, &checkpoint(5, 50), at(20)).await;
    let expected = [checkpoint(1, 10), checkpoint(5, 50), checkpoint(8, 40)];
    assert_eq!(list(storage).await, expected);
}

async fn a_checkpoint_of_the_same_event_is_kept_as_it_is(storage: &Storage) {
    store(storage, &checkpoint(4, 10), at(0)).await;
    store(storage, &checkpoint(4, 20), at(0)).await;
    assert_eq!(list(storage).await, [checkpoint(4, 10)]);
}

async fn one_checkpoint_replaces_all_others(storage: &Storage) {
    for number in [2, 6, 9] {
        store(storage, &checkpoint(number, number), at(1000)).await;
    }
    let accepted = StoredCheckpoint {
        note: "another note".to_owned(),
        ..checkpoint(6, 90)
    };
    answered(|| storage.audit_checkpoints.replace_all(accepted.clone())).await;
    assert_eq!(list(storage).await, [accepted]);
}

async fn concurrent_checkpoints_are_all_stored(storage: &Storage) {
    race((1..=20).map(|number| {
        let storage = storage.clone();
        async move { store(&storage, &checkpoint(number, number), at(1000)).await }
    }))
    .await;
    let numbers: Vec<i64> = list(storage).await.iter().map(|stored| stored.number.0).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
}
