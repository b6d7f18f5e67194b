//! The contract of [`Replicas`].

use crate::fixtures::unique_uuid;
use domain::{
    ports::Replicas,
    replica::{ReplicaSettings, RunningReplica, TokenLifetimes},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

contract! {
    /// One named test for each case of the contract of running replicas. `$fresh` is an async
    /// function that returns an `Arc<dyn Replicas>` without replicas, and a guard that keeps it
    /// alive for the test.
    replicas_contract = storage_cases for replicas(Arc<dyn Replicas>):
        a_replica_is_among_the_others_until_it_is_removed,
        storing_a_replica_again_replaces_its_settings,
        a_replica_whose_term_ran_out_is_not_returned,
}

/// Longer than any case takes.
const LONG: Duration = Duration::from_mins(10);

fn replica(issuer: &str) -> RunningReplica {
    RunningReplica {
        id: unique_uuid(),
        settings: ReplicaSettings {
            issuer: issuer.to_owned(),
            audience: "\"api\" — ½ 🦀".to_owned(),
            client_id: "authapi".to_owned(),
            signing_key: "one".to_owned(),
            accepted_keys: ["one", "two"].map(str::to_owned).into(),
            loaded_keys: [("one".to_owned(), 1_790_000_000_000)].into(),
            refresh_key: "fingerprint".to_owned(),
            accepted_refresh_keys: ["fingerprint", "older"].map(str::to_owned).into(),
            audit_key: Some("id".to_owned()),
            bus: Some("redis".to_owned()),
            lifetimes: TokenLifetimes {
                access: 1,
                refresh_idle: 2,
                refresh: i64::MAX,
                refresh_grace: 0,
                step_up: Some(60_000),
            },
        },
    }
}

async fn stored(replicas: &Arc<dyn Replicas>, replica: &RunningReplica, term: Duration) {
    replicas.store(replica, term).await.expect("an answer");
}

/// Returns the issuers of the others, and asserts that the rest of the settings is as stored.
async fn others(replicas: &Arc<dyn Replicas>, of: &RunningReplica) -> BTreeSet<String> {
    let others = replicas.others(of.id).await.expect("an answer");
    for other in &others {
        assert_eq!(*other, replica(&other.issuer).settings);
    }
    others.into_iter().map(|other| other.issuer).collect()
}

fn issuers(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn a_replica_is_among_the_others_until_it_is_removed(replicas: &Arc<dyn Replicas>) {
    let [one, two, three] = ["one", "two", "three"].map(replica);
    assert_eq!(others(replicas, &one).await, issuers(&[]));
    for replica in [&one, &two, &three] {
        stored(replicas, replica, LONG).await;
    }
    assert_eq!(others(replicas, &one).await, issuers(&["three", "two"]));
    for _ in 0..2 {
        replicas.remove(two.id).await.expect("an answer");
    }
    assert_eq!(others(replicas, &one).await, issuers(&["three"]));
    assert_eq!(others(replicas, &two).await, issuers(&["one", "three"]));
}

async fn storing_a_replica_again_replaces_its_settings(replicas: &Arc<dyn Replicas>) {
    let [one, other] = ["before", "other"].map(replica);
    stored(replicas, &one, LONG).await;
    let again = RunningReplica {
        settings: replica("after").settings,
        ..one
    };
    stored(replicas, &again, LONG).await;
    assert_eq!(others(replicas, &other).await, issuers(&["after"]));
}

async fn a_replica_whose_term_ran_out_is_not_returned(replicas: &Arc<dyn Replicas>) {
    let [one, dead] = ["one", "dead"].map(replica);
    stored(replicas, &dead, Duration::from_millis(100)).await;
    stored(replicas, &one, LONG).await;
    let deadline = Instant::now() + LONG;
    while !others(replicas, &one).await.is_empty() {
        assert!(Instant::now() < deadline, "the term does not run out");
        sleep(Duration::from_millis(20)).await;
    }
    stored(replicas, &dead, LONG).await;
    assert_eq!(others(replicas, &one).await, issuers(&["dead"]));
}
