use crate::{
    audit::{AuditNumber, AuditRecord, BrokenRow, readable_start, row_number},
    authority::{AuditRead, Capability},
    ports::{AuditLog, PortError},
};
use std::sync::Arc;
use thiserror::Error;

/// Reads the audit log from a position on, so that a reader who keeps the number of the last event
/// gets every later one exactly once.
pub struct FollowAudit {
    pub(crate) audit_log: Arc<dyn AuditLog>,
}

/// The events after a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedEvents {
    /// Lowest number first, without gaps.
    pub events: Vec<AuditRecord>,
    /// The position after these events.
    pub next: AuditNumber,
}

/// Why the events after a position were not returned.
#[derive(Debug, Error)]
pub enum FollowAuditError {
    /// Events after the position are no longer in the log, usually because retention removed them.
    #[error("the events {} to {} are no longer in the audit log", after.0.saturating_add(1), oldest.0.saturating_sub(1))]
    EventsRemoved {
        after: AuditNumber,
        /// The first event after the position that is in the log.
        oldest: AuditNumber,
    },
    /// The log ends before the position, as it does after a backup was restored. The numbers after
    /// its end will be given to other events than before.
    #[error("the audit log ends with event {newest}, before event {after}")]
    LogEndsBefore { after: AuditNumber, newest: AuditNumber },
    /// The next event cannot be read. A reader that knows its number can continue after it.
    #[error(transparent)]
    Unreadable(#[from] BrokenRow),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl FollowAudit {
    /// Returns at most `limit` events after `after`, lowest number first. Fewer mean that the log
    /// ends there, or has a gap, which the next call reports. After 0, events begin with the oldest
    /// one in the log.
    ///
    /// # Errors
    /// Returns a [`FollowAuditError`].
    pub async fn execute(
        &self,
        _by: Capability<'_, AuditRead>,
        after: AuditNumber,
        limit: u32,
    ) -> Result<FollowedEvents, FollowAuditError> {
        self.audit_log.seal().await;
        let rows = self.audit_log.rows(after, limit).await?;
        match rows.first() {
            None => self.check_end(after).await?,
            Some(first) => check_start(after, row_number(first))?,
        }
        let mut previous = None;
        let before_gap = rows.into_iter().take_while(|row| {
            let number = row_number(row).0;
            let before = previous.replace(number);
            before.is_none_or(|before| number - 1 == before)
        });
        let events = readable_start(before_gap)?;
        let next = events.last().map_or(after, |event| event.number);
        Ok(FollowedEvents { events, next })
    }

    /// Returns the number of the newest event, even if that event cannot be read; 0 without events.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the port fails.
    pub async fn newest(&self, _by: Capability<'_, AuditRead>) -> Result<AuditNumber, PortError> {
        self.audit_log.seal().await;
        Ok(self.audit_log.ends().await?.head.number)
    }

    /// Checks that the log, which has no event after `after`, does not end before it.
    async fn check_end(&self, after: AuditNumber) -> Result<(), FollowAuditError> {
        let newest = self.audit_log.ends().await?.head.number;
        if newest < after {
            return Err(FollowAuditError::LogEndsBefore { after, newest });
        }
        Ok(())
    }
}

/// Checks that `oldest`, the first event after `after`, follows it.
fn check_start(after: AuditNumber, oldest: AuditNumber) -> Result<(), FollowAuditError> {
    if after != AuditNumber::NONE && oldest.0 - 1 != after.0 {
        return Err(FollowAuditError::EventsRemoved { after, oldest });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{ChainEnd, ChainEnds, Seal, fixtures::StoredRow},
        ports::MockAuditLog,
    };

    fn use_case(stored: &'static [StoredRow]) -> FollowAudit {
        let mut log = MockAuditLog::new();
        log.expect_seal().once().return_const(());
        log.expect_rows().returning(move |after, limit| {
            let later = stored.iter().filter(|row| row.number() > after.0);
            let limit = usize::try_from(limit).expect("the limit is small");
            Ok(later.take(limit).map(|row| row.read()).collect())
        });
        log.expect_ends().returning(move || {
            let head = stored.last().map_or(0, |row| row.number());
            let end = |number| ChainEnd {
                number: AuditNumber(number),
                seal: Seal::NONE,
            };
            Ok(ChainEnds {
                base: end(0),
                head: end(head),
            })
        });
        FollowAudit {
            audit_log: Arc::new(log),
        }
    }

    /// Returns the numbers of the events after `after` and the next position, or the error.
    async fn follow(stored: &'static [StoredRow], after: i64, limit: u32) -> Result<(Vec<i64>, i64), String> {
        let followed = use_case(stored)
            .execute(Capability::of_operator(), AuditNumber(after), limit)
            .await
            .map_err(|error| error.to_string())?;
        let numbers = followed.events.iter().map(|event| event.number.0).collect();
        Ok((numbers, followed.next.0))
    }

    #[tokio::test]
    async fn events_after_a_position_are_returned_once_and_in_order() {
        const LOG: &[StoredRow] = &[StoredRow::Event(1), StoredRow::Event(2), StoredRow::Event(3)];
        for (after, limit, numbers, next) in [
            (0, 2, &[1, 2][..], 2),
            (2, 2, &[3], 3),
            (3, 2, &[], 3),
            (1, 9, &[2, 3], 3),
        ] {
            let expected = Ok((numbers.to_vec(), next));
            assert_eq!(follow(LOG, after, limit).await, expected, "{after}");
        }
        assert_eq!(follow(&[], 0, 9).await, Ok((vec![], 0)));
    }

    #[tokio::test]
    async fn a_gap_is_reported_unless_the_reader_begins_with_the_oldest_event() {
        const LOG: &[StoredRow] = &[StoredRow::Event(5), StoredRow::Event(6), StoredRow::Event(8)];
        assert_eq!(follow(LOG, 0, 9).await, Ok((vec![5, 6], 6)));
        assert_eq!(follow(LOG, 4, 1).await, Ok((vec![5], 5)));
        for (after, reported) in [
            (1, "the events 2 to 4 are no longer in the audit log"),
            (3, "the events 4 to 4 are no longer in the audit log"),
            (6, "the events 7 to 7 are no longer in the audit log"),
        ] {
            assert_eq!(follow(LOG, after, 9).await, Err(reported.to_owned()));
        }
    }

    /// A backup was restored: other events will get the numbers that the reader has seen.
    #[tokio::test]
    async fn a_log_that_ends_before_the_position_is_reported() {
        const LOG: &[StoredRow] = &[StoredRow::Event(1), StoredRow::Event(2)];
        for after in [3, 900, i64::MAX] {
            let reported = format!("the audit log ends with event 2, before event {after}");
            assert_eq!(follow(LOG, after, 9).await, Err(reported));
        }
    }

    #[tokio::test]
    async fn an_unreadable_event_stops_the_reader_only_when_it_is_the_next() {
        const LOG: &[StoredRow] = &[StoredRow::Event(1), StoredRow::Broken(2), StoredRow::Event(3)];
        assert_eq!(follow(LOG, 0, 9).await, Ok((vec![1], 1)));
        let unreadable = Err("event 2 of the audit log cannot be read".to_owned());
        assert_eq!(follow(LOG, 1, 9).await, unreadable);
        assert_eq!(follow(LOG, 2, 9).await, Ok((vec![3], 3)));
    }

    /// Another program added event 4 with an action that this service does not know.
    #[tokio::test]
    async fn the_number_of_an_unreadable_event_is_reported() {
        const LOGS: [(&[StoredRow], i64); 3] = [
            (&[StoredRow::Event(3), StoredRow::Forged(4)], 3),
            (&[StoredRow::Event(3), StoredRow::Broken(4)], 3),
            (&[StoredRow::Forged(4), StoredRow::Event(5)], 0),
        ];
        for (stored, after) in LOGS {
            let refused = use_case(stored)
                .execute(Capability::of_operator(), AuditNumber(after), 9)
                .await;
            assert!(
                matches!(
                    refused,
                    Err(FollowAuditError::Unreadable(BrokenRow(AuditNumber(4))))
                ),
                "{refused:?}"
            );
        }
        let [.., (forged_first, _)] = LOGS;
        assert_eq!(follow(forged_first, 4, 9).await, Ok((vec![5], 5)));
    }

    #[tokio::test]
    async fn the_number_of_the_newest_event_is_known_even_if_the_event_cannot_be_read() {
        const LOGS: [(&[StoredRow], i64); 2] = [(&[], 0), (&[StoredRow::Event(3), StoredRow::Broken(4)], 4)];
        for (stored, number) in LOGS {
            let newest = use_case(stored).newest(Capability::of_operator()).await;
            let newest = newest.expect("the port does not fail");
            assert_eq!(newest, AuditNumber(number));
        }
    }
}
