use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;

/// The first delay between two connection attempts, before jitter, which at most doubles it.
const SHORTEST: Duration = Duration::from_millis(25);
/// The maximum delay before jitter: Redis must be in use again within two seconds of its return.
const LONGEST: Duration = Duration::from_millis(400);

/// Returns the endless sequence of delays between connection attempts. Each is twice its
/// predecessor, with jitter, so that replicas that lost Redis together do not reconnect together.
pub(crate) fn backoff() -> impl Iterator<Item = Duration> {
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
        assert!(
            waits
                .first()
                .is_some_and(|it| (SHORTEST..=2 * SHORTEST).contains(it)),
            "{waits:?}"
        );
        assert!(waits.iter().all(|it| *it <= 2 * LONGEST));
        assert!(waits.iter().skip(10).all(|it| *it >= LONGEST));
    }

    #[test]
    fn two_clients_that_start_together_diverge() {
        let steps = || backoff().take(20).collect::<Vec<_>>();
        assert_ne!(steps(), steps());
    }
}
