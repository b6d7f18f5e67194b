//! Parsers of command-line values.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use domain::audit::{AuditAction, AuditNumber, ChainEnd, Seal};

/// Parses the name of an audit action.
pub fn action(text: &str) -> Result<AuditAction, String> {
    AuditAction::from_name(text).ok_or_else(|| {
        let names = AuditAction::ALL.map(AuditAction::as_str);
        format!("expected one of {}", names.join(", "))
    })
}

/// Parses an instant (RFC 3339), or a date, which means its start in UTC.
pub fn instant(text: &str) -> Result<DateTime<Utc>, &'static str> {
    let day = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.to_utc())
        .or_else(|_| text.parse().map(day))
        .map_err(|_| "expected an instant such as 2026-01-31T12:00:00Z, or a date such as 2026-01-31")
}

/// Parses the number and seal of an event, as `audit verify` prints them.
pub fn anchor(text: &str) -> Result<ChainEnd, &'static str> {
    parse_anchor(text).ok_or("expected a number, a colon and 64 hexadecimal digits")
}

fn parse_anchor(text: &str) -> Option<ChainEnd> {
    let (number, digits) = text.split_once(':')?;
    let number = number.parse().ok().filter(|number| *number >= 0)?;
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut seal = [0; 32];
    for (byte, pair) in seal.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(ChainEnd {
        number: AuditNumber(number),
        seal: Seal(seal),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_anchor_parses() {
        let mut seal = [0xab; 32];
        seal[31] = 0x01;
        let end = ChainEnd {
            number: AuditNumber(1_000_000),
            seal: Seal(seal),
        };
        assert_eq!(anchor(&format!("{}:{}", end.number, end.seal)), Ok(end));
        for text in ["", "7", "7:", ":ab", "-1:".repeat(64).as_str(), "x:00"] {
            assert!(anchor(text).is_err(), "{text}");
        }
        for digits in ["+1".repeat(32), "é".repeat(32), "0".repeat(63)] {
            assert!(anchor(&format!("7:{digits}")).is_err(), "{digits}");
        }
    }

    #[test]
    fn a_date_parses_as_its_start() {
        let read = |text| instant(text).map(|instant| instant.to_rfc3339());
        assert_eq!(read("2026-01-31").as_deref(), Ok("2026-01-31T00:00:00+00:00"));
        assert_eq!(
            read("2026-01-31T12:00:00+02:00").as_deref(),
            Ok("2026-01-31T10:00:00+00:00")
        );
        assert!(read("2026-02-30").is_err());
    }
}
