use crate::audit::{AuditAction, AuditEvent, AuditNumber, ChainEnds};
use chrono::{DateTime, Utc};

/// Removes the oldest events of the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimAuditLog {
    /// Remove events from before this instant.
    pub before: DateTime<Utc>,
    /// The maximum number of events to remove.
    pub limit: u32,
}

/// The data that trimming reads. No event may be added until the transaction ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrimFacts {
    pub ends: ChainEnds,
    /// The oldest events with their times, lowest number first, at most [`TrimAuditLog::limit`].
    pub oldest: Vec<(AuditNumber, DateTime<Utc>)>,
}

/// The data to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrimChange {
    /// The first and the last event to remove.
    pub remove: (AuditNumber, AuditNumber),
    /// The number of events to remove.
    pub count: u64,
    /// Whether the last removed event becomes the base of the chain, with its stored seal. Events
    /// from before the chain began precede the base, so removing them does not move it.
    pub moves_base: bool,
    pub event: AuditEvent,
}

impl TrimAuditLog {
    /// Decides which events to remove, if any. The last event of the log stays.
    #[must_use]
    pub fn decide(&self, facts: &TrimFacts) -> Option<TrimChange> {
        let outdated: Vec<AuditNumber> = facts
            .oldest
            .iter()
            .take_while(|(number, at)| *number < facts.ends.head.number && *at < self.before)
            .map(|(number, _)| *number)
            .collect();
        let (first, last) = (*outdated.first()?, *outdated.last()?);
        let count = outdated.len() as u64;
        Some(TrimChange {
            remove: (first, last),
            count,
            moves_base: last > facts.ends.base.number,
            event: AuditEvent::new(AuditAction::AuditLogTrimmed)
                .with("count", count)
                .with("through", last),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{ChainEnd, Seal},
        fixtures::now,
    };
    use chrono::Duration;
    use proptest::prelude::*;

    fn trim() -> TrimAuditLog {
        TrimAuditLog {
            before: now(),
            limit: 100,
        }
    }

    /// Facts with events from `first` on. `seconds` has the offset of each from the instant before
    /// which events are removed.
    fn facts(base: i64, head: i64, first: i64, seconds: &[i64]) -> TrimFacts {
        let end = |number| ChainEnd {
            number: AuditNumber(number),
            seal: Seal::NONE,
        };
        TrimFacts {
            ends: ChainEnds {
                base: end(base),
                head: end(head),
            },
            oldest: (first..)
                .zip(seconds)
                .map(|(number, second)| (AuditNumber(number), now() + Duration::seconds(*second)))
                .collect(),
        }
    }

    #[test]
    fn trimming_removes_outdated_events_and_the_last_becomes_the_base() {
        let change = trim().decide(&facts(4, 9, 5, &[-3, -2, -1, 0]));

        let expected = TrimChange {
            remove: (AuditNumber(5), AuditNumber(7)),
            count: 3,
            moves_base: true,
            event: AuditEvent::new(AuditAction::AuditLogTrimmed)
                .with("count", 3)
                .with("through", 7),
        };
        assert_eq!(change, Some(expected));
    }

    #[test]
    fn trimming_ends_before_the_first_event_to_keep() {
        for (base, head, seconds, last) in [
            (0, 9, &[][..], None),
            (0, 9, &[0, -1], None),
            (0, 9, &[-1], Some(1)),
            // The clock was set back: events that follow a kept event are kept too.
            (0, 9, &[-2, 1, -1], Some(1)),
            (0, 3, &[-3, -2, -1], Some(2)),
            (0, 1, &[-1], None),
        ] {
            let change = trim().decide(&facts(base, head, 1, seconds));
            let removed = change.map(|change| change.remove.1.0);
            assert_eq!(removed, last, "head {head}: {seconds:?}");
        }
    }

    #[test]
    fn removing_events_older_than_the_chain_keeps_its_base() {
        for (base, moves_base) in [(3, false), (2, false), (1, true), (0, true)] {
            let change = trim()
                .decide(&facts(base, 9, 1, &[-2, -1, 0]))
                .expect("events are removed");
            assert_eq!(change.remove, (AuditNumber(1), AuditNumber(2)));
            assert_eq!(change.moves_base, moves_base, "base {base}");
        }
    }

    proptest! {
        #[test]
        fn trimming_removes_a_prefix_of_the_events_and_never_the_head(
            base in 0i64..8,
            first in 1i64..4,
            seconds in prop::collection::vec(-2i64..=1, 0..8),
            behind in 0i64..3,
        ) {
            let last_read = first + i64::try_from(seconds.len()).expect("the length fits in an i64") - 1;
            let facts = facts(base, last_read + behind, first, &seconds);
            let prefix: Vec<_> = facts
                .oldest
                .iter()
                .take_while(|(number, at)| *at < now() && *number != facts.ends.head.number)
                .map(|(number, _)| *number)
                .collect();
            match trim().decide(&facts) {
                None => prop_assert!(prefix.is_empty()),
                Some(change) => {
                    let (from, to) = change.remove;
                    prop_assert_eq!(Some(&from), prefix.first());
                    prop_assert_eq!(Some(&to), prefix.last());
                    prop_assert_eq!(change.count, prefix.len() as u64);
                    prop_assert!(change.count <= facts.oldest.len() as u64);
                    prop_assert!(to < facts.ends.head.number);
                    prop_assert_eq!(change.moves_base, to > facts.ends.base.number);
                }
            }
        }
    }
}
