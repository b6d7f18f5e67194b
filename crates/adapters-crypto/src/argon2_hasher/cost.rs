use thiserror::Error;

/// The most memory that one hash may take: 256 MiB.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// The most work that one hash may be, memory times passes: 1 GiB, a good half second of a core.
const MAX_WORK_KIB: u64 = 1024 * 1024;
const MAX_PARALLELISM: u32 = 16;

/// What a hash costs (RFC 9106, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Params {
    /// Memory in KiB: at least 8 for each lane, at most 256 MiB.
    pub memory_kib: u32,
    /// Passes over the memory: at least 1; memory times passes is at most 1 GiB.
    pub iterations: u32,
    /// Lanes, 1 to 16. A hash is computed by one thread however many there are.
    pub parallelism: u32,
}

impl Default for Argon2Params {
    /// 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
        }
    }
}

/// A cost that no hash may have, whether configured or stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CostRefused {
    #[error("argon2 takes 1 to {MAX_PARALLELISM} lanes")]
    Parallelism,
    #[error("argon2 takes at least 8 KiB of memory for each lane, and at most {MAX_MEMORY_KIB} KiB")]
    Memory,
    #[error("argon2 takes at least 1 pass, and memory times passes is at most {MAX_WORK_KIB} KiB")]
    Iterations,
}

impl Argon2Params {
    /// # Errors
    /// The first bound that is broken.
    pub fn check(self) -> Result<(), CostRefused> {
        if !(1..=MAX_PARALLELISM).contains(&self.parallelism) {
            return Err(CostRefused::Parallelism);
        }
        if !(8 * self.parallelism..=MAX_MEMORY_KIB).contains(&self.memory_kib) {
            return Err(CostRefused::Memory);
        }
        let work = u64::from(self.memory_kib) * u64::from(self.iterations);
        if self.iterations == 0 || work > MAX_WORK_KIB {
            return Err(CostRefused::Iterations);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_bounded_on_both_sides() {
        for ((memory_kib, iterations, parallelism), verdict) in [
            ((19_456, 2, 1), Ok(())),
            ((8, 1, 1), Ok(())),
            ((7, 1, 1), Err(CostRefused::Memory)),
            ((31, 1, 4), Err(CostRefused::Memory)),
            ((32, 1, 4), Ok(())),
            ((262_144, 4, 1), Ok(())),
            ((262_145, 1, 1), Err(CostRefused::Memory)),
            ((262_144, 5, 1), Err(CostRefused::Iterations)),
            ((8, 0, 1), Err(CostRefused::Iterations)),
            ((8, u32::MAX, 1), Err(CostRefused::Iterations)),
            ((19_456, 2, 0), Err(CostRefused::Parallelism)),
            ((19_456, 2, 17), Err(CostRefused::Parallelism)),
            ((u32::MAX, u32::MAX, u32::MAX), Err(CostRefused::Parallelism)),
        ] {
            let params = Argon2Params {
                memory_kib,
                iterations,
                parallelism,
            };
            assert_eq!(params.check(), verdict, "{params:?}");
        }
    }
}
