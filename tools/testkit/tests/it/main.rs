//! The fakes keep the contract.

mod escalation;
mod fakes;
mod memory;

use testkit::{MemoryStorage, Storage};

/// How many sequences are played.
const ESCALATIONS: u32 = 512;

async fn fresh() -> (Storage, ()) {
    std::future::ready((MemoryStorage::default().storage(), ())).await
}
