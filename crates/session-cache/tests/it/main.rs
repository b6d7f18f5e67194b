//! Replicas that answer from memory, over fakes and a clock that the tests advance.

mod processes;
mod revocations;
mod snapshots;
mod storage;

use session_cache::ports::MonotonicClock;
use session_cache::{BootClock, ProcessBus};
use std::sync::Arc;
use testkit::contract::invalidation_bus::FreshBus;

fn process_bus() -> FreshBus {
    let bus = Arc::new(ProcessBus::default());
    FreshBus {
        bus: bus.clone(),
        other: bus,
    }
}

fn boot_clock() -> Arc<dyn MonotonicClock> {
    Arc::new(BootClock)
}

testkit::invalidation_bus_contract!(process_bus);
testkit::monotonic_clock_contract!(boot_clock);
