use crate::{usage::as_f64, wrk::PASSWORD};
use adapters_crypto::Argon2Params;
use anyhow::{Result, anyhow};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Returns the number of argon2id hashes per second on all cores, with the service's parameters.
///
/// Each thread reuses its memory, as in the service. Benchmark libraries measure one thread, but
/// these threads compete for caches and memory, so this is a plain loop.
pub fn hashes_per_second(span: Duration) -> Result<f64> {
    let cores = thread::available_parallelism()?.get();
    let started = Instant::now();
    let counts = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|_| scope.spawn(move || hash_until(started + span)))
            .collect();
        let counts = threads
            .into_iter()
            .map(|thread| thread.join().expect("hashing does not panic"));
        counts.sum::<Result<u64>>()
    })?;
    Ok(as_f64(counts) / started.elapsed().as_secs_f64())
}

fn hash_until(end: Instant) -> Result<u64> {
    let Argon2Params {
        memory_kib,
        iterations,
        parallelism,
    } = Argon2Params::default();
    let wrong = |error| anyhow!("argon2: {error}");
    let params = Params::new(memory_kib, iterations, parallelism, Some(32)).map_err(wrong)?;
    let mut blocks = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (mut hash, mut count) = ([0; 32], 0);
    while Instant::now() < end {
        argon2
            .hash_password_into_with_memory(PASSWORD.as_bytes(), &[7; 16], &mut hash, &mut blocks[..])
            .map_err(wrong)?;
        count += 1;
    }
    Ok(count)
}
