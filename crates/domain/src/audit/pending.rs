//! Events that were committed and have no number yet. A sealer numbers and seals them.

use super::{
    AuditAction, AuditContext, AuditEvent, AuditMac, AuditNumber, AuditRow, Authenticity, ChainEnd, SealedRow,
};
use crate::ports::AuditSealer;
use chrono::{DateTime, SecondsFormat, Utc};

/// The prefix of the bytes that the MAC of a pending event covers.
const FORM: &[u8] = b"authapi audit pending 1";

/// An event as it waits to be sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEvent {
    /// Its number is [`AuditNumber::NONE`].
    pub row: AuditRow,
    /// The MAC of the row; `None` if the stored one cannot be read.
    pub mac: Option<AuditMac>,
}

impl PendingEvent {
    /// Creates the pending form of `event`.
    #[must_use]
    pub fn new(event: &AuditEvent, context: &AuditContext, sealer: &dyn AuditSealer) -> Self {
        Self::of(AuditRow::new(AuditNumber::NONE, event, context), sealer)
    }

    /// Returns the form in which the event of the sealed `row` was pending.
    #[must_use]
    pub fn of(row: AuditRow, sealer: &dyn AuditSealer) -> Self {
        let number = AuditNumber::NONE;
        let row = AuditRow { number, ..row };
        let mac = Some(sealer.mac(&authenticated_bytes(&row)));
        Self { row, mac }
    }

    /// Returns whether a program with the audit key wrote the event as it is.
    #[must_use]
    pub fn is_authentic(&self, sealer: &dyn AuditSealer) -> bool {
        let bytes = authenticated_bytes(&self.row);
        let check = self.mac.map(|mac| sealer.check(&bytes, &mac));
        check == Some(Authenticity::Valid)
    }
}

fn authenticated_bytes(row: &AuditRow) -> Vec<u8> {
    [FORM, &row.sealed_bytes()].concat()
}

/// The events that wait to be sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub count: u64,
    /// The time of the oldest one.
    pub oldest: Option<DateTime<Utc>>,
}

/// Returns the event which reports that `count` committed events are neither pending nor sealed.
/// The first was written at `first`.
#[must_use]
pub fn report_missing(count: usize, first: DateTime<Utc>) -> AuditEvent {
    AuditEvent::new(AuditAction::PendingEventMissing)
        .with("count", count)
        .with("first_at", first.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Events that were numbered and sealed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBatch {
    pub rows: Vec<SealedRow>,
    /// The end of the chain after these rows.
    pub head: ChainEnd,
    /// The events without a valid MAC of their pending form.
    pub forged: Vec<AuditNumber>,
}

/// Numbers and seals `pending` after `head`, in the given order. An event that was forged or edited
/// while it was pending is sealed as it is, after an event that reports its number with `context`:
/// a reader of the log must know that it is forged before it reads it.
#[must_use]
pub fn seal_pending(
    head: ChainEnd,
    pending: Vec<PendingEvent>,
    sealer: &dyn AuditSealer,
    context: &AuditContext,
) -> SealedBatch {
    let mut batch = SealedBatch {
        rows: Vec::with_capacity(pending.len()),
        head,
        forged: Vec::new(),
    };
    for event in pending {
        if !event.is_authentic(sealer) {
            batch.report_next(sealer, context);
        }
        batch.push(event.row, sealer);
    }
    batch
}

impl SealedBatch {
    /// Seals `row` as the next event.
    fn push(&mut self, row: AuditRow, sealer: &dyn AuditSealer) {
        let number = self.head.next();
        let next = SealedRow::after(self.head, AuditRow { number, ..row }, sealer);
        self.head = next.end();
        self.rows.push(next);
    }

    /// Seals an event that reports the one after it as forged.
    fn report_next(&mut self, sealer: &dyn AuditSealer, context: &AuditContext) {
        let report = ChainEnd {
            number: self.head.next(),
            ..self.head
        };
        let forged = report.next();
        let event = AuditEvent::new(AuditAction::PendingEventForged).with("number", forged);
        self.push(AuditRow::new(AuditNumber::NONE, &event, context), sealer);
        self.forged.push(forged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Actor, Origin, fixtures::ToySeals},
        fixtures::now,
    };

    fn context() -> AuditContext {
        AuditContext::new(now(), Actor::Operator, Origin::default())
    }

    fn pending(count: i64, key: u8) -> PendingEvent {
        let event = AuditEvent::new(AuditAction::FailuresOmitted).with("count", count);
        PendingEvent::new(&event, &context(), &ToySeals(key))
    }

    fn seal(pending: Vec<PendingEvent>) -> SealedBatch {
        let head = ChainEnd {
            number: AuditNumber(4),
            ..ChainEnd::START
        };
        seal_pending(head, pending, &ToySeals(1), &context())
    }

    #[test]
    fn pending_events_are_numbered_in_their_order_without_gaps() {
        let batch = seal((0..3).map(|count| pending(count, 1)).collect());

        let numbers: Vec<i64> = batch.rows.iter().map(|sealed| sealed.row.number.0).collect();
        assert_eq!(numbers, [5, 6, 7]);
        for (sealed, count) in batch.rows.iter().zip(0..) {
            let expected = AuditRow {
                number: sealed.row.number,
                ..pending(count, 1).row
            };
            assert_eq!(sealed.row, expected);
        }
        assert_eq!(batch.rows.last().map(SealedRow::end), Some(batch.head));
        assert_eq!(batch.forged, []);
    }

    #[test]
    fn nothing_pending_leaves_the_head_where_it_is() {
        let batch = seal(Vec::new());
        assert_eq!((batch.rows.len(), batch.head.number), (0, AuditNumber(4)));
    }

    #[test]
    fn a_forged_or_edited_event_is_reported_and_sealed() {
        let mut edited = pending(1, 1);
        edited.row.details = "{}".to_owned();
        let mut moved = pending(2, 1);
        moved.row.at += chrono::Duration::seconds(1);
        let unreadable = PendingEvent {
            mac: None,
            ..pending(3, 1)
        };
        let exchanged = PendingEvent {
            mac: pending(5, 1).mac,
            ..pending(4, 1)
        };
        for forged in [pending(0, 2), edited, moved, unreadable, exchanged] {
            let batch = seal(vec![pending(7, 1), forged.clone(), pending(8, 1)]);

            assert_eq!(batch.forged, [AuditNumber(7)], "{forged:?}");
            let actions: Vec<&str> = batch.rows.iter().map(|sealed| &*sealed.row.action).collect();
            let expected = [
                "failures_omitted",
                "pending_event_forged",
                "failures_omitted",
                "failures_omitted",
            ];
            assert_eq!(actions, expected);
            assert_eq!(batch.rows[1].row.details, r#"{"number":"7"}"#);
            assert_eq!(batch.rows[2].row.details, forged.row.details);
            assert_eq!(batch.rows[2].row.number, AuditNumber(7));
        }
    }

    #[test]
    fn a_sealed_event_shows_in_which_form_it_was_pending() {
        let event = pending(1, 1);
        let sealed = SealedRow::after(ChainEnd::START, event.row.clone(), &ToySeals(1));
        assert_eq!(PendingEvent::of(sealed.row, &ToySeals(1)), event);
    }

    #[test]
    fn missing_events_are_reported_with_their_number_and_the_time_of_the_first() {
        let report = report_missing(3, now());
        assert_eq!(report.action, AuditAction::PendingEventMissing);
        assert_eq!(report.details["count"], "3");
        assert_eq!(
            DateTime::parse_from_rfc3339(&report.details["first_at"]),
            Ok(now().into())
        );
    }

    /// The MAC of a sealed event must not serve as that of a pending one, or the other way round.
    #[test]
    fn a_mac_has_one_purpose() {
        let event = pending(1, 1);
        let sealed = SealedRow::after(ChainEnd::START, event.row.clone(), &ToySeals(1));
        let reused = PendingEvent {
            mac: sealed.mac,
            ..event
        };
        assert!(!reused.is_authentic(&ToySeals(1)));
    }
}
