//! The contract of [`DatabaseClock`].

use chrono::{DateTime, Utc};
use domain::ports::DatabaseClock;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

contract! {
    /// One named test for each case of the contract of the database's clock. `$fresh` is an async
    /// function that returns one as an `Arc<dyn DatabaseClock>`, and a guard that keeps the
    /// database alive for the test.
    database_clock_contract = storage_cases for database_clock(Arc<dyn DatabaseClock>):
        the_clock_is_read_during_the_call,
}

async fn now(clock: &Arc<dyn DatabaseClock>) -> DateTime<Utc> {
    clock.now().await.expect("the database answers")
}

/// Compares durations only: the clocks of the database and of the test may differ.
async fn the_clock_is_read_during_the_call(clock: &Arc<dyn DatabaseClock>) {
    let began = Instant::now();
    let first = now(clock).await;
    let between = Instant::now();
    sleep(Duration::from_millis(50)).await;
    let slept = between.elapsed();
    let second = now(clock).await;
    let passed = (second - first).to_std().expect("time passes");
    assert!(passed >= slept, "{passed:?} after {slept:?}");
    assert!(passed <= began.elapsed(), "{passed:?} in {:?}", began.elapsed());
}
