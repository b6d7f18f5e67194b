use thiserror::Error;

/// The maximum memory of a hash: 256 MiB.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// The maximum work of a hash, memory times passes: 1 GiB, more than half a second on one core.
const MAX_WORK_KIB: u64 = 1024 * 1024;
const MAX_PARALLELISM: u32 = 16;
/// The minimum memory of a lane.
const MIN_LANE_KIB: u32 = 8;

/// The cost of a hash (RFC 9106, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Params {
    /// Memory in KiB: at least 8 for each lane, at most 256 MiB.
    pub memory_kib: u32,
    /// Passes over the memory: at least 1. Memory times passes is at most 1 GiB.
    pub iterations: u32,
    /// Lanes, 1 to 16. One thread computes the hash regardless of their number.
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

/// The error for a cost that is out of bounds, whether configured or stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CostRefused {
    #[error("argon2 requires 1 to {MAX_PARALLELISM} lanes")]
    Parallelism,
    #[error("argon2 requires at least 8 KiB of memory per lane, and at most {MAX_MEMORY_KIB} KiB")]
    Memory,
    #[error("argon2 requires at least 1 pass, and memory times passes of at most {MAX_WORK_KIB} KiB")]
    Iterations,
}

impl Argon2Params {
    /// Checks that all parameters are within bounds.
    ///
    /// # Errors
    /// Returns [`CostRefused`] for the first parameter that is out of bounds.
    pub fn check(self) -> Result<(), CostRefused> {
        if !(1..=MAX_PARALLELISM).contains(&self.parallelism) {
            return Err(CostRefused::Parallelism);
        }
        if !(MIN_LANE_KIB * self.parallelism..=MAX_MEMORY_KIB).contains(&self.memory_kib) {
            return Err(CostRefused::Memory);
        }
        if self.iterations == 0 || self.work_kib() > MAX_WORK_KIB {
            return Err(CostRefused::Iterations);
        }
        Ok(())
    }

    /// Returns memory times passes.
    pub(super) fn work_kib(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.iterations)
    }

    /// Returns the total work, as the KiB that argon2 passes over, of comparing a wrong password
    /// with `forms` forms, whatever the stored hash and whether or not there is one: a hash of this
    /// cost for each form, as far as the maximum permits.
    pub(super) fn work_of_forms_kib(self, forms: usize) -> u64 {
        let forms = u64::try_from(forms).unwrap_or(u64::MAX);
        self.work_kib() * (MAX_WORK_KIB / self.work_kib()).clamp(1, forms.max(1))
    }

    /// Returns how often a stored hash with `stored_kib` of work may be computed for a password
    /// with `forms` forms. A hash that is not more expensive than this cost stays within the total
    /// work of unknown logins. A more expensive one differs from them anyway and stays within the
    /// maximum.
    pub(super) fn tries(self, stored_kib: u64, forms: usize) -> usize {
        let budget = if stored_kib > self.work_kib() {
            MAX_WORK_KIB
        } else {
            self.work_of_forms_kib(forms)
        };
        let tries = budget.checked_div(stored_kib).unwrap_or(1).max(1);
        usize::try_from(tries).unwrap_or(usize::MAX)
    }

    /// Returns a cost with `work_kib` of work; `None` if that is less than argon2 can do. Uses at
    /// most this cost's memory, and as few passes as that permits.
    pub(super) fn of_work(self, work_kib: u64) -> Option<Self> {
        if work_kib < u64::from(MIN_LANE_KIB) {
            return None;
        }
        let iterations = work_kib.div_ceil(u64::from(self.memory_kib));
        let memory_kib =
            u32::try_from(work_kib / iterations).expect("the quotient is at most this cost's memory");
        Some(Self {
            memory_kib: memory_kib.max(MIN_LANE_KIB),
            iterations: u32::try_from(iterations).expect("the work is that of a few hashes"),
            parallelism: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(memory_kib: u32, iterations: u32) -> Argon2Params {
        Argon2Params {
            memory_kib,
            iterations,
            parallelism: 1,
        }
    }

    #[test]
    fn the_work_of_a_cheaper_hash_and_the_rest_add_up_to_the_full_cost() {
        for (in_force, done, missing) in [
            ((19_456, 2), (19_456, 1), Some((19_456, 1))),
            ((19_456, 2), (8_192, 2), Some((11_264, 2))),
            ((19_456, 2), (64, 1), Some((19_424, 2))),
            ((46_080, 1), (19_456, 2), Some((7_168, 1))),
            ((8, 4), (12, 1), Some((8, 3))),
            ((19_456, 2), (19_456, 2), None),
            ((19_456, 2), (19_455, 2), None),
            ((19_456, 2), (65_536, 3), None),
        ] {
            let (in_force, done) = (params(in_force.0, in_force.1), params(done.0, done.1));
            let beyond = in_force.of_work(in_force.work_kib().saturating_sub(done.work_kib()));
            assert_eq!(
                beyond,
                missing.map(|(memory, passes)| params(memory, passes)),
                "{in_force:?} {done:?}"
            );
            if let Some(beyond) = beyond {
                assert_eq!(beyond.check(), Ok(()));
                assert!(beyond.memory_kib <= in_force.memory_kib);
                let sum = done.work_kib() + beyond.work_kib();
                assert!(sum.abs_diff(in_force.work_kib()) <= 8, "{in_force:?} {done:?}");
            }
        }
    }

    /// Work is in KiB; 38,912 is that of the default cost.
    #[test]
    fn only_a_hash_more_expensive_than_the_current_cost_takes_longer_than_an_unknown_login() {
        for (in_force, stored_kib, forms, total, tries) in [
            // ASCII passwords have one form.
            ((19_456, 2), 38_912, 1, 38_912, 1),
            ((19_456, 2), 262_144, 1, 38_912, 4),
            ((19_456, 2), 1_048_576, 1, 38_912, 1),
            // A hash as expensive as the current cost, or cheaper.
            ((19_456, 2), 38_912, 2, 77_824, 2),
            ((19_456, 2), 38_912, 4, 155_648, 4),
            ((19_456, 2), 30_000, 2, 77_824, 2),
            ((19_456, 2), 1_024, 2, 77_824, 76),
            // bcrypt with the costs 12 to 14, and PBKDF2 with 600,000 iterations.
            ((19_456, 2), 262_144, 4, 155_648, 4),
            ((19_456, 2), 524_288, 4, 155_648, 2),
            ((19_456, 2), 1_048_576, 4, 155_648, 1),
            ((19_456, 2), 300_000, 4, 155_648, 3),
            // A current cost of more than a quarter of the maximum.
            ((262_144, 3), 786_432, 4, 786_432, 1),
            ((262_144, 3), 262_144, 4, 786_432, 3),
            ((262_144, 2), 524_288, 4, 1_048_576, 2),
        ] {
            let in_force = params(in_force.0, in_force.1);
            assert_eq!(in_force.work_of_forms_kib(forms), total, "{stored_kib} {forms}");
            assert_eq!(in_force.tries(stored_kib, forms), tries, "{stored_kib} {forms}");
            let worst = tries as u64 * stored_kib;
            assert!(worst <= total || stored_kib > in_force.work_kib());
            assert!(worst <= MAX_WORK_KIB);
        }
    }

    #[test]
    fn costs_are_bounded_on_both_sides() {
        for ((memory_kib, iterations, parallelism), expected) in [
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
            assert_eq!(params.check(), expected, "{params:?}");
        }
    }
}
