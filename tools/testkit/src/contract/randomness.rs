//! The contract of [`Randomness`]. The cases check that bytes differ; a test cannot show that they
//! are unpredictable.

use crate::fixtures::at;
use domain::ports::Randomness;
use std::collections::BTreeSet;
use uuid::Variant;

contract! {
    /// Defines a named test for each case of the contract of sources of randomness. `$fresh` is a
    /// function that returns one.
    randomness_contract = sync_cases for randomness(dyn Randomness + 'static):
        no_two_calls_return_equal_bytes,
        ids_of_one_instant_are_unique,
        ids_are_uuids_of_version_7_with_their_instant,
}

fn no_two_calls_return_equal_bytes(randomness: &(dyn Randomness + 'static)) {
    let drawn: BTreeSet<_> = (0..10_000).map(|_| randomness.bytes()).collect();
    assert_eq!(drawn.len(), 10_000);
}

fn ids_of_one_instant_are_unique(randomness: &(dyn Randomness + 'static)) {
    let drawn: BTreeSet<_> = (0..10_000).map(|_| randomness.uuid(at(0))).collect();
    assert_eq!(drawn.len(), 10_000);
}

fn ids_are_uuids_of_version_7_with_their_instant(randomness: &(dyn Randomness + 'static)) {
    for second in [0, 1, 1_000_000_000] {
        for id in [
            randomness.user_id(at(second)).0,
            randomness.session_id(at(second)).0,
        ] {
            assert_eq!((id.get_version_num(), id.get_variant()), (7, Variant::RFC4122));
            let millis = u128::try_from(at(second).timestamp_millis()).expect("the instant is after 1970");
            assert_eq!(id.as_u128() >> 80, millis, "{id}");
        }
    }
}
