//! The fakes keep the contract.

mod fakes;
mod memory;

use testkit::{MemoryStorage, Storage};

async fn fresh() -> (Storage, ()) {
    std::future::ready((MemoryStorage::default().storage(), ())).await
}
