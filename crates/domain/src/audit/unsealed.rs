//! Under which numbers events may be pending, so that a sealer does not look under the others
//! again.

/// A range of numbers, with both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SeqRange {
    lowest: i64,
    highest: i64,
}

/// Ranges of the numbers that pending events have before they are sealed, in ascending order. The
/// numbers between them were sealed.
///
/// A transaction may commit after another one that drew a higher number, and a third one may depend
/// on it. Looking only for numbers above all sealed ones would seal the third event first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unsealed(Vec<SeqRange>);

impl Unsealed {
    /// Returns all numbers.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![SeqRange {
            lowest: i64::MIN,
            highest: i64::MAX,
        }])
    }

    /// Creates the ranges with these ends.
    #[must_use]
    pub fn between(lowest: &[i64], highest: &[i64]) -> Self {
        let ends = lowest.iter().zip(highest);
        let range = |(&lowest, &highest)| SeqRange { lowest, highest };
        Self(ends.map(range).collect())
    }

    /// Returns the lower ends of the ranges.
    #[must_use]
    pub fn lowest(&self) -> Vec<i64> {
        self.0.iter().map(|range| range.lowest).collect()
    }

    /// Returns the upper ends of the ranges.
    #[must_use]
    pub fn highest(&self) -> Vec<i64> {
        self.0.iter().map(|range| range.highest).collect()
    }

    /// Returns these numbers without `sealed`, which are in ascending order.
    ///
    /// Of more than `max_ranges` ranges, those with the fewest numbers between them are merged; the
    /// highest only if `max_ranges` is less than 2. A range is never dropped: the change of one of
    /// its numbers may still be in progress, however long ago it drew the number.
    #[must_use]
    pub fn without(&self, sealed: &[i64], max_ranges: usize) -> Self {
        let left: Vec<_> = self.0.iter().flat_map(|range| range.without(sealed)).collect();
        Self(merged(left, max_ranges))
    }
}

/// Merges neighbours of `ranges` until at most `most` are left, or one.
///
/// The highest range is not merged if two may be left. It would extend down to the nearest gap
/// again and again, and sealers would look under ever more sealed numbers.
fn merged(mut ranges: Vec<SeqRange>, most: usize) -> Vec<SeqRange> {
    let unmerged = usize::from(most >= 2);
    while ranges.len() > most {
        let pairs = ranges.len().saturating_sub(1 + unmerged);
        let neighbours = ranges.windows(2).take(pairs).enumerate();
        let Some((lower, _)) = neighbours.min_by_key(|(_, pair)| distance(pair)) else {
            break;
        };
        let upper = ranges.remove(lower + 1);
        if let Some(lower) = ranges.get_mut(lower) {
            lower.highest = upper.highest;
        }
    }
    ranges
}

fn distance(pair: &[SeqRange]) -> u64 {
    match pair {
        [lower, upper] => lower.highest.abs_diff(upper.lowest),
        _ => u64::MAX,
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
    /// More ranges than the tests have.
    const MANY: usize = 100;

    fn unsealed<const N: usize>(ranges: [(i64, i64); N]) -> Unsealed {
        let range = |(lowest, highest)| SeqRange { lowest, highest };
        Unsealed(ranges.map(range).to_vec())
    }

    #[test]
    fn numbers_that_were_not_there_are_looked_for_until_they_are_sealed() {
        let new = unsealed([(1, MAX)]);
        assert_eq!(new.without(&[], MANY), new);
        assert_eq!(new.without(&[1, 2, 3], MANY), unsealed([(4, MAX)]));
        let gaps = new.without(&[1, 2, 5, 9], MANY);
        assert_eq!(gaps, unsealed([(3, 4), (6, 8), (10, MAX)]));
        assert_eq!(
            gaps.without(&[4, 7, 10], MANY),
            unsealed([(3, 3), (6, 6), (8, 8), (11, MAX)])
        );
        assert_eq!(gaps.without(&[3, 4, 6, 7, 8], MANY), unsealed([(10, MAX)]));
        assert_eq!(Unsealed::between(&gaps.lowest(), &gaps.highest()), gaps);
    }

    #[test]
    fn a_number_far_above_the_others_hides_none_of_them() {
        let sealed = unsealed([(5, MAX)]).without(&[MAX], MANY);
        assert_eq!(sealed, unsealed([(5, MAX - 1)]));
        assert_eq!(sealed.without(&[5, 6], MANY), unsealed([(7, MAX - 1)]));
        let lowest = Unsealed::all().without(&[i64::MIN], MANY);
        assert_eq!(lowest, unsealed([(i64::MIN + 1, MAX)]));
    }

    #[test]
    fn of_too_many_ranges_the_closest_are_merged_and_no_number_is_dropped() {
        let gaps = unsealed([(1, 1), (9, 9), (12, 12), (20, MAX)]);
        for (max_ranges, expected) in [
            (4, gaps.clone()),
            (3, unsealed([(1, 1), (9, 12), (20, MAX)])),
            (2, unsealed([(1, 12), (20, MAX)])),
            (1, unsealed([(1, MAX)])),
            (0, unsealed([(1, MAX)])),
        ] {
            assert_eq!(gaps.without(&[], max_ranges), expected, "{max_ranges}");
        }
        let equally_far = unsealed([(1, 1), (9, 9), (17, 17), (20, MAX)]);
        let lowest_merged = unsealed([(1, 9), (17, 17), (20, MAX)]);
        assert_eq!(equally_far.without(&[], 3), lowest_merged);
        assert_eq!(Unsealed::between(&[], &[]).without(&[1], 0), unsealed([]));
    }

    /// Every other number belongs to a change that was rolled back.
    #[test]
    fn the_highest_range_follows_the_sealed_numbers_however_many_gaps_are_left() {
        for max_ranges in [2, 3] {
            let mut ranges = unsealed([(1, 1), (100, 100), (200, MAX)]);
            for seq in (200..300).step_by(2) {
                ranges = ranges.without(&[seq], max_ranges);
                assert_eq!(ranges.lowest().last(), Some(&(seq + 1)), "{max_ranges}");
                assert_eq!(ranges.lowest().len(), max_ranges);
            }
        }
    }

    #[test]
    fn ranges_at_both_ends_of_all_numbers_can_be_merged() {
        let apart = unsealed([(i64::MIN, i64::MIN), (MAX, MAX)]);
        assert_eq!(apart.without(&[], 1), Unsealed::all());
    }
}
