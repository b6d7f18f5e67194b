//! Replicas that answer from memory, over fakes and by a clock that the tests move.

mod processes;
mod revocations;
mod views;

use adapters_memory::ProcessBus;
use std::sync::Arc;
use testkit::contract::invalidation_bus::FreshBus;

fn process_bus() -> FreshBus {
    let bus = Arc::new(ProcessBus::default());
    FreshBus {
        bus: bus.clone(),
        other: bus,
    }
}

testkit::invalidation_bus_contract!(process_bus);
