//! Tests for adapters of authapi's `domain`: the contract of the ports, in-memory fakes that fulfil
//! it, and fixtures. They are also for teams that embed `domain` and write adapters.
//!
//! To test an adapter, pass a macro the async function that creates it. The macro defines a named
//! test for each case:
//!
//! ```
//! use testkit::{MemoryStorage, Storage};
//!
//! async fn fresh() -> (Storage, ()) {
//!     (MemoryStorage::default().storage(), ())
//! }
//!
//! testkit::storage_contract!(fresh);
//! ```

#[macro_use]
mod macros;

#[deny(dead_code, reason = "a case that is not declared never runs")]
pub mod contract;
mod counting_randomness;
mod fakes;
mod fixed_clock;
pub mod fixtures;
mod memory;
mod memory_breached_passwords;
mod memory_bus;
mod memory_leases;
mod memory_replicas;
mod model_throttle;
mod plain_hasher;
mod plain_meter;
mod plain_tokens;
mod split_mix;
mod storage;
mod throttles;
mod tokens;
mod tokio_clock;
mod toy_digest;
mod toy_mac;
mod toy_sealer;

pub use counting_randomness::CountingRandomness;
pub use domain::ports::Storage;
pub use fakes::Fakes;
pub use fixed_clock::FixedClock;
pub use memory::MemoryStorage;
pub use memory_breached_passwords::MemoryBreachedPasswords;
pub use memory_bus::MemoryBus;
pub use memory_leases::MemoryLeases;
pub use memory_replicas::MemoryReplicas;
pub use model_throttle::ModelThrottle;
pub use plain_hasher::PlainHasher;
pub use plain_meter::PlainMeter;
pub use plain_tokens::PlainTokens;
pub use split_mix::SplitMix;
pub use storage::{CoreStorage, RecordedEvents};
pub use throttles::{ClosedThrottle, OpenThrottle};
pub use tokens::Tokens;
pub use tokio_clock::TokioClock;
pub use toy_mac::ToyMac;
pub use toy_sealer::ToySealer;
