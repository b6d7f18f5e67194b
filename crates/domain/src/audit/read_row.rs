//! Rows as they are read: a row that another program or a newer version wrote may be unreadable,
//! and then only its number is known.

use super::{AuditNumber, AuditRecord, BrokenRow, SealedRow};

/// The result of reading a row.
pub type ReadRow = Result<SealedRow, BrokenRow>;

/// Returns the number of `row`, even if the row cannot be read.
#[must_use]
pub fn row_number(row: &ReadRow) -> AuditNumber {
    match row {
        Ok(sealed) => sealed.row.number,
        Err(broken) => broken.0,
    }
}

/// Returns the event that `row` stores.
///
/// # Errors
/// Returns [`BrokenRow`] if the row, or the event in it, cannot be read.
pub fn read_event(row: ReadRow) -> Result<AuditRecord, BrokenRow> {
    row.and_then(|sealed| AuditRecord::try_from(sealed.row))
}

/// Returns the events of `rows` that precede the first unreadable one, so that a reader who
/// continues after the last of them comes to the unreadable one.
///
/// # Errors
/// Returns [`BrokenRow`] if the first row is unreadable: the reader, who now knows its number, can
/// continue after it.
pub fn readable_start(rows: impl IntoIterator<Item = ReadRow>) -> Result<Vec<AuditRecord>, BrokenRow> {
    let mut events = Vec::new();
    for row in rows {
        match read_event(row) {
            Ok(event) => events.push(event),
            Err(broken) if events.is_empty() => return Err(broken),
            Err(_) => break,
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fixtures::StoredRow::{self, Broken, Event, Forged};

    fn start(rows: &[StoredRow]) -> Result<Vec<i64>, i64> {
        let events = readable_start(rows.iter().map(|row| row.read())).map_err(|broken| broken.0.0)?;
        Ok(events.iter().map(|event| event.number.0).collect())
    }

    #[test]
    fn events_end_before_an_unreadable_one_which_is_reported_when_it_is_the_first() {
        assert_eq!(start(&[]), Ok(vec![]));
        for (unreadable, later) in [
            (Forged(4), Event(3)),
            (Broken(4), Event(3)),
            (Broken(4), Forged(3)),
        ] {
            assert_eq!(start(&[Event(6), Event(5), unreadable, later]), Ok(vec![6, 5]));
            assert_eq!(start(&[unreadable, later]), Err(4));
        }
        assert_eq!(start(&[Event(6), Event(5)]), Ok(vec![6, 5]));
    }

    #[test]
    fn the_number_of_a_row_is_known_even_if_the_row_is_unreadable() {
        for row in [Event(4), Forged(4), Broken(4)] {
            assert_eq!(row_number(&row.read()), AuditNumber(4));
        }
    }
}
