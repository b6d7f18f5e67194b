//! The contract of [`MonotonicClock`].

use session_cache::ports::MonotonicClock;
use std::{sync::Arc, time::Duration};

contract! {
    /// Defines a named test for each case of the contract of monotonic clocks. `$fresh` is a
    /// function that returns one.
    monotonic_clock_contract = async_cases for monotonic_clock(Arc<dyn MonotonicClock>):
        time_never_decreases,
        a_sleep_does_not_end_early,
        a_sleep_until_a_past_time_returns_immediately,
}

async fn time_never_decreases(clock: &Arc<dyn MonotonicClock>) {
    let mut last = clock.now();
    for _ in 0..10_000 {
        let now = clock.now();
        assert!(now >= last, "{now:?} after {last:?}");
        last = now;
        clock.sleep_until(now).await;
    }
}

async fn a_sleep_does_not_end_early(clock: &Arc<dyn MonotonicClock>) {
    for milliseconds in [0, 1, 20] {
        let at = clock.now() + Duration::from_millis(milliseconds);
        clock.sleep_until(at).await;
        assert!(clock.now() >= at);
    }
}

async fn a_sleep_until_a_past_time_returns_immediately(clock: &Arc<dyn MonotonicClock>) {
    let waiting = clock.sleep_until(clock.now());
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("the sleep returns immediately");
}
