use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;

/// The first delay between two connection attempts, before jitter, which at most doubles it.
const SHORTEST: Duration = Duration::from_millis(25);
/// The maximum delay before jitter: the bus must be in use again within two seconds of the server's
/// return.
const LONGEST: Duration = Duration::from_millis(200);

/// Returns the endless sequence of delays between connection attempts. Each is twice its
/// predecessor, with jitter, so that replicas that lost the server together do not reconnect
/// together.
pub fn backoff() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(SHORTEST)
        .with_max_delay(LONGEST)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_maximum_and_never_end() {
        let waits: Vec<_> = backoff().take(1000).collect();
        assert_eq!(waits.len(), 1000);
        assert!(waits[0] <= 2 * SHORTEST, "{waits:?}");
        assert!(waits.iter().all(|it| *it <= 2 * LONGEST));
        assert!(waits.iter().skip(10).all(|it| *it >= LONGEST));
    }
}
