use aws_lc_rs::rand;
use domain::ports::Randomness;

/// The operating system's random generator, through AWS-LC.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandomness;

impl Randomness for OsRandomness {
    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).expect("a system without entropy cannot run this service");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn random_values_differ_and_every_byte_varies() {
        let draws: HashSet<[u8; 32]> = (0..1000).map(|_| OsRandomness.bytes()).collect();
        assert_eq!(draws.len(), 1000);
        for position in 0..32 {
            let seen: HashSet<u8> = draws.iter().map(|draw| draw[position]).collect();
            // 1000 draws of 256 values leave about 251 of them seen; 128 is forty standard
            // deviations away.
            assert!(
                seen.len() > 128,
                "byte {position} takes only {} values",
                seen.len()
            );
        }
    }
}
