//! The contract of [`AuditLog`](domain::ports::AuditLog) after another program, or a newer version,
//! wrote rows that the adapter or the core cannot read.

use super::prelude::*;
use async_trait::async_trait;
use domain::{
    audit::{AuditFilter, AuditNumber, ReadRow, read_event, row_number},
    changes::TrimAuditLog,
};

contract! {
    /// Defines a named test for each case of the contract of an audit log with unreadable rows.
    ///
    /// `$fresh` is an async function that returns a
    /// [`DamagedAuditLog`](crate::contract::damaged_audit_log::DamagedAuditLog) without events,
    /// sealed by a [`ToySealer`](crate::ToySealer), and a guard that keeps it alive for the test.
    damaged_audit_log_contract = storage_cases for damaged_audit_log(DamagedAuditLog):
        a_page_reports_unreadable_rows_in_their_place,
        rows_report_unreadable_ones_in_their_place,
        unreadable_rows_are_trimmed_like_others,
        a_time_out_of_range_ends_trimming_without_an_error,
}

/// Storage whose audit log another program changes.
#[derive(Clone)]
pub struct DamagedAuditLog {
    pub storage: Storage,
    pub other: Arc<dyn OtherProgram>,
}

/// Another program with access to the database.
#[async_trait]
pub trait OtherProgram: Send + Sync {
    /// Changes event `number`, which is sealed.
    async fn damage(&self, number: AuditNumber, damage: Damage);
}

/// What another program stores in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Details that are not JSON: the adapter can read the row, and the core cannot read the event.
    Details,
    /// A seal that does not have 32 bytes: the adapter cannot read the row. Storage that cannot
    /// express it makes the event unreadable in another way.
    Seal,
    /// The latest time that the column can hold, which may be out of the range of chrono.
    Time,
}

/// Records five failed logins, of which 2 and 4 are then unreadable.
async fn five_events(log: &DamagedAuditLog) {
    for second in 1..=5 {
        let event = AuditEvent::new(AuditAction::LoginFailed);
        let recorded = || {
            log.storage
                .audit_events
                .record(event.clone(), context(at(second)))
        };
        answered(recorded).await;
    }
    log.storage.audit_log.seal().await;
    log.other.damage(AuditNumber(2), Damage::Details).await;
    log.other.damage(AuditNumber(4), Damage::Seal).await;
}

/// Returns the number of each row, negative if its event cannot be read.
fn numbers(rows: Vec<ReadRow>) -> Vec<i64> {
    let number = |row: ReadRow| {
        let number = row_number(&row).0;
        if read_event(row).is_ok() { number } else { -number }
    };
    rows.into_iter().map(number).collect()
}

async fn trim(log: &DamagedAuditLog) -> u64 {
    let command = TrimAuditLog {
        before: at(999),
        limit: 10,
    };
    answered(|| log.storage.audit_log.trim(command, context(at(1000)))).await
}

async fn a_page_reports_unreadable_rows_in_their_place(log: &DamagedAuditLog) {
    five_events(log).await;
    let by_action = AuditFilter {
        action: Some(AuditAction::LoginFailed),
        ..AuditFilter::default()
    };
    let by_time = AuditFilter {
        from: Some(at(1)),
        ..AuditFilter::default()
    };
    for filter in [AuditFilter::default(), by_action, by_time] {
        for (before, limit, expected) in [
            (None, 10, &[5, -4, 3, -2, 1][..]),
            (Some(5), 1, &[-4]),
            (Some(4), 2, &[3, -2]),
        ] {
            let before = before.map(AuditNumber);
            let page = log.storage.audit_log.page(filter.clone(), before, limit).await;
            let page = numbers(page.expect("storage is available"));
            assert_eq!(page, expected, "{filter:?} before {before:?}");
        }
    }
}

async fn rows_report_unreadable_ones_in_their_place(log: &DamagedAuditLog) {
    five_events(log).await;
    for (after, limit, expected) in [(0, 10, &[1, -2, 3, -4, 5][..]), (1, 1, &[-2]), (2, 2, &[3, -4])] {
        let rows = log.storage.audit_log.rows(AuditNumber(after), limit).await;
        assert_eq!(numbers(rows.expect("storage is available")), expected, "{after}");
    }
}

async fn unreadable_rows_are_trimmed_like_others(log: &DamagedAuditLog) {
    five_events(log).await;
    assert_eq!(trim(log).await, 4, "the last event stays");
    let ends = log.storage.audit_log.ends().await;
    let base = ends.expect("storage is available").base;
    assert_eq!(base.number, AuditNumber(4));
}

async fn a_time_out_of_range_ends_trimming_without_an_error(log: &DamagedAuditLog) {
    five_events(log).await;
    log.other.damage(AuditNumber(3), Damage::Time).await;
    assert_eq!(trim(log).await, 2, "the time is later than the others");
    assert_eq!(trim(log).await, 0);
}
