//! The contract of [`KeyUses`].

use domain::{key_rotation::KeyUse, ports::KeyUses};
use std::{sync::Arc, time::Duration};

contract! {
    /// One named test for each case of the contract of uses of keys. `$fresh` is an async function
    /// that returns an `Arc<dyn KeyUses>` without uses, and a guard that keeps it alive for the
    /// test.
    key_uses_contract = storage_cases for key_uses(Arc<dyn KeyUses>):
        a_use_is_extended_and_never_shortened,
        a_revoked_key_stays_revoked,
        a_key_that_was_never_used_can_be_revoked,
}

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn extend(uses: &Arc<dyn KeyUses>, names: &[&str], term: Duration) {
    uses.extend(&keys(names), term).await.expect("an answer");
}

async fn list(uses: &Arc<dyn KeyUses>) -> Vec<KeyUse> {
    uses.list().await.expect("an answer")
}

async fn a_use_is_extended_and_never_shortened(uses: &Arc<dyn KeyUses>) {
    assert_eq!(list(uses).await, []);
    extend(uses, &["two", "One"], HOUR).await;
    extend(uses, &[], HOUR).await;
    let before = list(uses).await;
    let names: Vec<_> = before.iter().map(|it| (it.key.as_str(), it.revoked)).collect();
    assert_eq!(names, [("One", false), ("two", false)]);

    extend(uses, &["One"], MINUTE).await;
    assert_eq!(list(uses).await, before);
    extend(uses, &["One"], 3 * HOUR).await;
    let after = list(uses).await;
    let longer = after[0].used_until - before[0].used_until;
    assert!(longer.num_minutes() >= 119, "{longer}");
    assert_eq!(after[1], before[1]);
}

async fn a_revoked_key_stays_revoked(uses: &Arc<dyn KeyUses>) {
    extend(uses, &["one", "two"], MINUTE).await;
    for _ in 0..2 {
        uses.revoke("one").await.expect("an answer");
        extend(uses, &["one", "two"], HOUR).await;
        let revoked: Vec<_> = list(uses).await.iter().map(|it| it.revoked).collect();
        assert_eq!(revoked, [true, false]);
    }
}

async fn a_key_that_was_never_used_can_be_revoked(uses: &Arc<dyn KeyUses>) {
    uses.revoke("one").await.expect("an answer");
    let listed = list(uses).await;
    assert_eq!((listed.len(), listed[0].revoked), (1, true));
}
