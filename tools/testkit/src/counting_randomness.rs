use domain::ports::Randomness;
use std::sync::atomic::{AtomicU64, Ordering};

/// Predictable bytes that differ between calls and are the same in each run. For tests only.
#[derive(Default)]
pub struct CountingRandomness(AtomicU64);

impl Randomness for CountingRandomness {
    fn bytes(&self) -> [u8; 32] {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut bytes = [0xa5; 32];
        // An id contains only the first ten bytes, and not every bit of the first two.
        for (to, from) in bytes.iter_mut().skip(2).zip(count) {
            *to = from;
        }
        bytes
    }
}
