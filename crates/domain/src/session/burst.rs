//! Bursts: rotations in close succession, such as those of browser tabs that share a refresh token.

use super::Generation;
use chrono::Duration;

/// The latest rotations of a session: the one that began the burst, and those after it within one
/// grace window. Until the burst is as old as the window, each token that it replaced returns the
/// session's current one.
///
/// Every generation from `from` up to the current one was replaced when the burst began or later.
/// So a burst never covers a token that was replaced longer ago than the window, not even if
/// replicas of an earlier version, which do not store bursts, rotate the session as well. If
/// rotations go on for longer than the window, the first one after it begins the next burst, and
/// the tokens that the previous one replaced are no longer covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// The generation that the first of the rotations replaced.
    pub from: Generation,
    /// The time since that rotation. It is negative if the clock that measures it was set back.
    pub age: Duration,
}

impl Burst {
    /// Returns the burst of a rotation that replaces `generation`, where `last` is the session's
    /// burst before the rotation, with its age at the rotation.
    #[must_use]
    pub fn of_rotation(last: Option<Self>, generation: Generation, grace: Duration) -> Self {
        last.filter(|burst| burst.goes_on(grace)).unwrap_or(Self {
            from: generation,
            age: Duration::zero(),
        })
    }

    /// Returns whether a rotation now belongs to this burst. If the clock was set back, it does
    /// not: the burst would cover what the rotation replaces for longer than the window.
    fn goes_on(&self, grace: Duration) -> bool {
        Duration::zero() <= self.age && self.age < grace
    }

    /// Returns whether `generation`, which is before the session's current one, was replaced by
    /// this burst, less than `grace` ago.
    pub(super) fn covers(&self, generation: Generation, grace: Duration) -> bool {
        self.from <= generation && is_within(self.age, grace)
    }

    /// Returns this burst for a request that had arrived `waited` earlier.
    pub(super) fn before(self, waited: Duration) -> Self {
        Self {
            age: self.age - waited,
            ..self
        }
    }
}

/// Returns whether what happened `age` ago is less than `grace` away. A clock that was set back, a
/// rotation by a replica of an earlier version whose clock is ahead, or a request that arrived
/// before it moves it to the future.
pub(super) fn is_within(age: Duration, grace: Duration) -> bool {
    age.abs() < grace
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::seconds(10);
    const TICK: Duration = Duration::microseconds(1);

    /// A burst of generation 3 and those after it.
    fn aged(age: Duration) -> Burst {
        Burst {
            from: Generation(3),
            age,
        }
    }

    #[test]
    fn the_first_rotation_begins_a_burst() {
        for grace in [Duration::zero(), WINDOW] {
            let began = Burst {
                from: Generation(0),
                age: Duration::zero(),
            };
            assert_eq!(Burst::of_rotation(None, Generation(0), grace), began);
        }
    }

    #[test]
    fn a_rotation_belongs_to_the_burst_that_began_within_the_window_before_it() {
        for (age, grace, belongs) in [
            (Duration::zero(), WINDOW, true),
            (WINDOW - TICK, WINDOW, true),
            (WINDOW, WINDOW, false),
            (Duration::days(1), WINDOW, false),
            // The clock was set back.
            (-TICK, WINDOW, false),
            (-Duration::days(1), WINDOW, false),
            // The window is disabled.
            (Duration::zero(), Duration::zero(), false),
            (-TICK, Duration::zero(), false),
        ] {
            let expected = if belongs {
                aged(age)
            } else {
                Burst {
                    from: Generation(7),
                    age: Duration::zero(),
                }
            };
            let burst = Burst::of_rotation(Some(aged(age)), Generation(7), grace);
            assert_eq!(burst, expected, "{age} within {grace}");
        }
    }

    #[test]
    fn a_burst_covers_what_it_replaced_until_it_is_as_old_as_the_window() {
        for (generation, age, grace, covered) in [
            (3, Duration::zero(), WINDOW, true),
            (4, Duration::zero(), WINDOW, true),
            (2, Duration::zero(), WINDOW, false),
            (0, Duration::zero(), WINDOW, false),
            (3, WINDOW - TICK, WINDOW, true),
            (3, WINDOW, WINDOW, false),
            (4, WINDOW, WINDOW, false),
            // The request arrived before the burst began, or the clock was set back.
            (3, TICK - WINDOW, WINDOW, true),
            (3, -WINDOW, WINDOW, false),
            // The window is disabled.
            (3, Duration::zero(), Duration::zero(), false),
        ] {
            let covers = aged(age).covers(Generation(generation), grace);
            assert_eq!(covers, covered, "generation {generation}, {age} within {grace}");
        }
    }
}
