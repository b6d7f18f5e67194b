use crate::{
    audit::{AuditFilter, AuditNumber, AuditRecord, BrokenRow, readable_start},
    authority::{AuditRead, Capability},
    ports::{AuditLog, PortError},
};
use std::sync::Arc;
use thiserror::Error;

/// Reads the audit log, for callers with the permission to do so.
pub struct ReadAudit {
    pub(crate) audit_log: Arc<dyn AuditLog>,
}

/// A page of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// Newest first.
    pub events: Vec<AuditRecord>,
    /// The event before which the next page begins; `None` on the last page.
    pub next: Option<AuditNumber>,
}

/// Why a page was not returned.
#[derive(Debug, Error)]
pub enum ReadAuditError {
    /// The first event of the page cannot be read. A reader that knows its number can continue
    /// before it.
    #[error(transparent)]
    Unreadable(#[from] BrokenRow),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl ReadAudit {
    /// Returns at most `limit` events that match `filter`, newest first, starting before `before`.
    /// A page ends before an event that cannot be read, which the next call reports.
    ///
    /// # Errors
    /// Returns a [`ReadAuditError`].
    pub async fn execute(
        &self,
        _by: Capability<'_, AuditRead>,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<AuditPage, ReadAuditError> {
        self.audit_log.seal().await;
        // The row after the page shows that there is another page.
        let rows = self
            .audit_log
            .page(filter, before, limit.saturating_add(1))
            .await?;
        let found = rows.len();
        let page = rows
            .into_iter()
            .take(usize::try_from(limit).unwrap_or(usize::MAX));
        let events = readable_start(page)?;
        let last = events.last().map(|event| event.number);
        Ok(AuditPage {
            next: last.filter(|_| events.len() < found),
            events,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::fixtures::StoredRow::{self, Broken, Event, Forged},
        ports::MockAuditLog,
    };

    /// A log with three readable events and two that are not, newest first.
    const LOG: [StoredRow; 5] = [Event(5), Forged(4), Broken(3), Event(2), Event(1)];

    /// Returns the numbers of the events before `before` and the position of the next page, or the
    /// number of the event that cannot be read.
    async fn read(before: Option<i64>, limit: u32) -> Result<(Vec<i64>, Option<i64>), i64> {
        let mut log = MockAuditLog::new();
        log.expect_seal().once().return_const(());
        log.expect_page().once().returning(|_, before, limit| {
            let earlier = LOG
                .iter()
                .filter(|row| before.is_none_or(|before| row.number() < before.0));
            let limit = usize::try_from(limit).expect("the limit is small");
            Ok(earlier.take(limit).map(|row| row.read()).collect())
        });
        let read_audit = ReadAudit {
            audit_log: Arc::new(log),
        };
        let by = Capability::of_operator();
        let page = read_audit.execute(by, AuditFilter::default(), before.map(AuditNumber), limit);
        match page.await {
            Ok(AuditPage { events, next }) => {
                let numbers = events.iter().map(|event| event.number.0).collect();
                Ok((numbers, next.map(|number| number.0)))
            }
            Err(ReadAuditError::Unreadable(broken)) => Err(broken.0.0),
            Err(ReadAuditError::Port(error)) => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn a_page_ends_before_an_unreadable_event_which_the_next_page_reports() {
        for limit in [1, 2, 9] {
            assert_eq!(read(None, limit).await, Ok((vec![5], Some(5))), "{limit}");
            assert_eq!(read(Some(5), limit).await, Err(4), "{limit}");
            assert_eq!(read(Some(4), limit).await, Err(3), "{limit}");
        }
    }

    #[tokio::test]
    async fn the_last_page_has_no_next() {
        for (before, limit, numbers, next) in [
            (3, 1, &[2][..], Some(2)),
            (2, 1, &[1], None),
            (3, 2, &[2, 1], None),
            (3, u32::MAX, &[2, 1], None),
            (1, 1, &[], None),
        ] {
            let expected = Ok((numbers.to_vec(), next));
            assert_eq!(read(Some(before), limit).await, expected, "{before}");
        }
    }
}
