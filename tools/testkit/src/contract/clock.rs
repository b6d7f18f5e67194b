//! The contract of [`Clock`].

use domain::ports::Clock;

contract! {
    /// Defines a named test for each case of the contract of clocks. `$fresh` is a function that
    /// returns one.
    clock_contract = sync_cases for clock(dyn Clock):
        the_time_is_in_whole_microseconds,
}

fn the_time_is_in_whole_microseconds(clock: &dyn Clock) {
    for _ in 0..1000 {
        let now = clock.now();
        assert_eq!(now.timestamp_subsec_nanos() % 1000, 0, "{now:?}");
    }
}
