//! Under which numbers events may be pending, so that a sealer does not look under the others
//! again.

/// The maximum number of ranges. It exceeds the number of changes that are in progress at once.
const MAX_RANGES: usize = 250;

/// A range of numbers, with both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeqRange {
    pub lowest: i64,
    pub highest: i64,
}

/// Ranges of numbers in `audit_pending`, in ascending order. The numbers between them were sealed.
///
/// A transaction may commit after another one that drew a higher number, and a third one may depend
/// on it. Looking only for numbers above all sealed ones would seal the third event first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsealed(Vec<SeqRange>);

impl Unsealed {
    /// Returns all numbers.
    pub fn all() -> Self {
        Self(vec![SeqRange {
            lowest: i64::MIN,
            highest: i64::MAX,
        }])
    }

    /// Creates the ranges with these ends.
    pub fn between(lowest: &[i64], highest: &[i64]) -> Self {
        let ends = lowest.iter().zip(highest);
        let range = |(&lowest, &highest)| SeqRange { lowest, highest };
        Self(ends.map(range).collect())
    }

    /// Returns the lower ends of the ranges.
    pub fn lowest(&self) -> Vec<i64> {
        self.0.iter().map(|range| range.lowest).collect()
    }

    /// Returns the upper ends of the ranges.
    pub fn highest(&self) -> Vec<i64> {
        self.0.iter().map(|range| range.highest).collect()
    }

    /// Returns these numbers without `sealed`, which are in ascending order. Of too many ranges,
    /// the lowest are dropped: their changes were rolled back long ago.
    pub fn without(&self, sealed: &[i64]) -> Self {
        let mut left: Vec<_> = self.0.iter().flat_map(|range| range.without(sealed)).collect();
        left.drain(..left.len().saturating_sub(MAX_RANGES));
        Self(left)
    }
}

impl SeqRange {
    fn without(self, sealed: &[i64]) -> Vec<Self> {
        let mut left = Vec::new();
        let mut lowest = Some(self.lowest);
        let inside = |seq: &&i64| (self.lowest..=self.highest).contains(*seq);
        for &seq in sealed.iter().filter(inside) {
            left.extend(lowest.and_then(|lowest| Self::up_to(lowest, seq.checked_sub(1)?)));
            lowest = seq.checked_add(1);
        }
        left.extend(lowest.and_then(|lowest| Self::up_to(lowest, self.highest)));
        left
    }

    fn up_to(lowest: i64, highest: i64) -> Option<Self> {
        (lowest <= highest).then_some(Self { lowest, highest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: i64 = i64::MAX;

    fn unsealed<const N: usize>(ranges: [(i64, i64); N]) -> Unsealed {
        let range = |(lowest, highest)| SeqRange { lowest, highest };
        Unsealed(ranges.map(range).to_vec())
    }

    #[test]
    fn numbers_that_were_not_there_are_looked_for_until_they_are_sealed() {
        let new = unsealed([(1, MAX)]);
        assert_eq!(new.without(&[]), new);
        assert_eq!(new.without(&[1, 2, 3]), unsealed([(4, MAX)]));
        let gaps = new.without(&[1, 2, 5, 9]);
        assert_eq!(gaps, unsealed([(3, 4), (6, 8), (10, MAX)]));
        assert_eq!(
            gaps.without(&[4, 7, 10]),
            unsealed([(3, 3), (6, 6), (8, 8), (11, MAX)])
        );
        assert_eq!(gaps.without(&[3, 4, 6, 7, 8]), unsealed([(10, MAX)]));
        assert_eq!(Unsealed::between(&gaps.lowest(), &gaps.highest()), gaps);
    }

    #[test]
    fn a_number_far_above_the_others_hides_none_of_them() {
        let sealed = unsealed([(5, MAX)]).without(&[MAX]);
        assert_eq!(sealed, unsealed([(5, MAX - 1)]));
        assert_eq!(sealed.without(&[5, 6]), unsealed([(7, MAX - 1)]));
        let lowest = Unsealed::all().without(&[i64::MIN]);
        assert_eq!(lowest, unsealed([(i64::MIN + 1, MAX)]));
    }

    #[test]
    fn the_newest_of_many_ranges_are_kept() {
        let even: Vec<i64> = (1..).map(|half| 2 * half).take(MAX_RANGES).collect();
        let left = unsealed([(1, MAX)]).without(&even);
        assert_eq!(left.0.len(), MAX_RANGES);
        assert_eq!(left.lowest()[0], 3, "the range of 1 is dropped");
        assert_eq!(left.highest().last(), Some(&MAX));
    }
}
