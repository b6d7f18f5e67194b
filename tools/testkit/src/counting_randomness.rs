use domain::ports::Randomness;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that differ at each call and are the same in each run. Anybody can predict them: for tests
/// only.
#[derive(Default)]
pub struct CountingRandomness(AtomicU64);

impl Randomness for CountingRandomness {
    fn bytes(&self) -> [u8; 32] {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut bytes = [0xa5; 32];
        // Ids take their randomness from the first ten bytes, and only the last eight of those are
        // wholly theirs.
        for (to, from) in bytes.iter_mut().skip(2).zip(count) {
            *to = from;
        }
        bytes
    }
}
