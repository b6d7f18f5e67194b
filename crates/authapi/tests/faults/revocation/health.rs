//! The cost of invalidation when no fault is present.

use super::{
    tally::{of_hundred, shown},
    world::{REPLICAS, World},
};
use std::time::{Duration, Instant};

/// The number of logouts compared.
const LOGOUTS: usize = 200;
/// The allowance for a busy machine of two cores; an idle one needs about a millisecond.
const AT_MOST: Duration = Duration::from_millis(30);

/// Measures a logout of a session that every replica has cached, where sessions are cached.
async fn log_out(world: &World, round: usize) -> Duration {
    let replica = world.replica(round % REPLICAS).client();
    let pair = replica.session("alice").await;
    for index in (0..REPLICAS).chain(0..REPLICAS) {
        let seen = world.replica(index).client().me(&pair.access).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
    }
    let asked = Instant::now();
    let answer = replica.log_out(&pair.access).await;
    let took = asked.elapsed();
    assert_eq!(answer.status, 204, "{}", answer.body);
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn without_faults_a_logout_takes_hardly_longer_than_without_a_bus() {
    let worlds = [
        ("Redis", World::start().await),
        ("NOTIFY", World::start_on_postgres_alone().await),
        ("no bus", World::start_without_a_bus().await),
    ];
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for (_, world) in &worlds {
        assert_eq!(world.replica(0).client().register("alice").await.status, 201);
        log_out(world, 0).await;
    }
    for round in 0..LOGOUTS {
        for ((_, world), times) in worlds.iter().zip(&mut times) {
            times.push(log_out(world, round).await);
        }
    }
    let times = times.map(|mut times| {
        times.sort_unstable();
        [50, 99].map(|part| of_hundred(&times, part))
    });
    for ((bus, _), [median, slow]) in worlds.iter().zip(times) {
        println!("a logout with {bus}: p50 {}, p99 {}", shown(median), shown(slow));
    }
    let [with_redis, with_notify, [without, _]] = times;
    for [with, _] in [with_redis, with_notify] {
        assert!(with <= without + AT_MOST, "{times:?}");
    }
}
