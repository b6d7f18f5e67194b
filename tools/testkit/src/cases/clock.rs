//! The contract of [`Clock`].

use domain::ports::Clock;

/// # Panics
/// When the clock breaks the contract.
pub fn the_time_is_in_whole_microseconds(clock: &dyn Clock) {
    for _ in 0..1000 {
        let now = clock.now();
        assert_eq!(now.timestamp_subsec_nanos() % 1000, 0, "{now:?}");
    }
}
