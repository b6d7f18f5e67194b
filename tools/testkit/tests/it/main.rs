//! Tests that the fakes fulfil the contract.

mod escalation;
mod fakes;
mod memory;

use testkit::{MemoryStorage, Storage};

/// Number of sequences of calls that are tried.
const ESCALATIONS: u32 = 512;

async fn fresh() -> (Storage, ()) {
    std::future::ready((MemoryStorage::default().storage(), ())).await
}
