//! The contract of [`ReplicaLeases`].

use session_cache::{
    ports::{Renewal, ReplicaLeases},
    protocol::{LeaseId, ReplicaId, Terms},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

contract! {
    /// Defines a named test for each case of the contract of replicas' leases. `$fresh` is an async
    /// function that returns a [`FreshLeases`](crate::contract::replica_leases::FreshLeases) and a
    /// guard that keeps them alive for the test.
    replica_leases_contract = storage_cases for replica_leases(FreshLeases):
        an_acquired_lease_is_held,
        a_lease_is_not_acquired_twice,
        a_renewed_lease_lasts_and_another_expires,
        an_unknown_lease_is_not_renewed,
        an_evicted_lease_is_not_renewed_and_is_held_until_it_expires,
        releasing_a_lease_affects_no_other,
}

/// Leases that no other test uses.
#[derive(Clone)]
pub struct FreshLeases {
    /// The leases of one process.
    pub leases: Arc<dyn ReplicaLeases>,
    /// The leases of another process: the same leases over separate connections.
    pub other: Arc<dyn ReplicaLeases>,
}

fn lease(number: u32) -> LeaseId {
    LeaseId {
        replica: ReplicaId(uuid::Uuid::from_u128(7)),
        number,
    }
}

async fn acquired(fresh: &FreshLeases, lease: LeaseId) {
    fresh.leases.acquire(lease).await.expect("the lease is new");
}

async fn renewed(fresh: &FreshLeases, lease: LeaseId) -> Renewal {
    fresh.leases.renew(lease).await.expect("the leases are available")
}

/// Returns the holders as the other process sees them.
async fn holders(fresh: &FreshLeases) -> BTreeSet<LeaseId> {
    fresh
        .other
        .holders()
        .await
        .expect("the leases are available")
        .into_iter()
        .collect()
}

async fn an_acquired_lease_is_held(fresh: &FreshLeases) {
    assert_eq!(holders(fresh).await, BTreeSet::new());
    let another = LeaseId {
        replica: ReplicaId(uuid::Uuid::from_u128(8)),
        number: u32::MAX,
    };
    for lease in [lease(1), lease(2), another] {
        acquired(fresh, lease).await;
    }
    assert_eq!(
        holders(fresh).await,
        BTreeSet::from([lease(1), lease(2), another])
    );
}

async fn a_lease_is_not_acquired_twice(fresh: &FreshLeases) {
    acquired(fresh, lease(1)).await;
    fresh
        .other
        .evict(&[lease(1)])
        .await
        .expect("the leases are available");
    assert!(fresh.leases.acquire(lease(1)).await.is_err());
    assert_eq!(renewed(fresh, lease(1)).await, Renewal::Refused);
}

async fn a_renewed_lease_lasts_and_another_expires(fresh: &FreshLeases) {
    let term = Terms::STANDARD.lease.waited();
    let began = Instant::now();
    acquired(fresh, lease(1)).await;
    acquired(fresh, lease(2)).await;
    while began.elapsed() < term + term / 2 {
        sleep(term / 8).await;
        let asked = Instant::now();
        if renewed(fresh, lease(1)).await == Renewal::Refused {
            assert!(asked.elapsed() > term / 2, "a timely renewal was refused");
        }
        // A replica may answer from memory until its trusted time has passed.
        if began.elapsed() < Terms::STANDARD.lease.trusted() {
            assert!(holders(fresh).await.contains(&lease(2)));
        }
    }
    assert_eq!(holders(fresh).await, BTreeSet::from([lease(1)]));
    assert_eq!(renewed(fresh, lease(2)).await, Renewal::Refused);
    assert_eq!(holders(fresh).await, BTreeSet::from([lease(1)]));
}

async fn an_unknown_lease_is_not_renewed(fresh: &FreshLeases) {
    acquired(fresh, lease(1)).await;
    assert_eq!(renewed(fresh, lease(2)).await, Renewal::Refused);
    assert_eq!(holders(fresh).await, BTreeSet::from([lease(1)]));
}

async fn an_evicted_lease_is_not_renewed_and_is_held_until_it_expires(fresh: &FreshLeases) {
    for number in 1..=3 {
        acquired(fresh, lease(number)).await;
    }
    let evicted = [lease(1), lease(2), lease(9)];
    for _ in 0..2 {
        fresh
            .other
            .evict(&evicted)
            .await
            .expect("the leases are available");
    }
    assert_eq!(renewed(fresh, lease(1)).await, Renewal::Refused);
    assert_eq!(renewed(fresh, lease(2)).await, Renewal::Refused);
    assert_eq!(renewed(fresh, lease(3)).await, Renewal::Granted);
    let expected = BTreeSet::from([lease(1), lease(2), lease(3)]);
    assert_eq!(holders(fresh).await, expected);
    let deadline = Instant::now() + Terms::STANDARD.lease.waited() + Duration::from_secs(10);
    while holders(fresh).await.contains(&lease(1)) {
        assert!(Instant::now() < deadline, "an evicted lease does not expire");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn releasing_a_lease_affects_no_other(fresh: &FreshLeases) {
    acquired(fresh, lease(1)).await;
    acquired(fresh, lease(2)).await;
    fresh
        .leases
        .release(lease(1))
        .await
        .expect("the leases are available");
    assert_eq!(holders(fresh).await, BTreeSet::from([lease(2)]));
    assert_eq!(renewed(fresh, lease(1)).await, Renewal::Refused);
}
