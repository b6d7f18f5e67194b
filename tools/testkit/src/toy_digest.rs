//! A checksum in place of cryptography.

/// Returns 32 bytes that depend on all of `key` and `text`: four FNV-1a sums with different initial
/// values. The bytes are easy to forge.
pub(crate) fn toy_digest(key: u64, text: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (pool, to) in (0_u64..).zip(digest.chunks_exact_mut(8)) {
        let seed = [pool.to_be_bytes(), key.to_be_bytes()].concat();
        to.copy_from_slice(&fnv_1a(seed.iter().chain(text)).to_be_bytes());
    }
    digest
}

fn fnv_1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
