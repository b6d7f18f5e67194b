use crate::{
    audit::{AuditNumber, Broken, ChainEnd, ChainEnds},
    ports::{AuditLog, PortError},
};

/// Returns the stored position of event `number`, which is not after the head of `ends`; `None` if
/// retention has removed it, even while this step reads.
///
/// # Errors
/// Returns [`Broken`] if the event is missing or unreadable.
pub async fn stored_end<E: From<Broken> + From<PortError>>(
    audit_log: &dyn AuditLog,
    number: AuditNumber,
    ends: ChainEnds,
) -> Result<Option<ChainEnd>, E> {
    if let Some(end) = [ends.base, ends.head]
        .into_iter()
        .find(|end| end.number == number)
    {
        return Ok(Some(end));
    }
    if number < ends.base.number {
        return Ok(None);
    }
    let rows = audit_log.rows(AuditNumber(number.0 - 1), 1).await?;
    match rows.into_iter().next() {
        Some(Ok(row)) if row.row.number == number => Ok(Some(row.end())),
        Some(Err(broken)) if broken.0 == number => Err(Broken::Changed(number).into()),
        _ if audit_log.ends().await?.base.number >= number => Ok(None),
        _ => Err(Broken::Missing(number).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Seal, fixtures::ToySeals},
        ports::{AuditSealer, MockAuditLog},
        use_cases::ResumeAuditLogError,
    };

    fn end(number: i64) -> ChainEnd {
        ChainEnd {
            number: AuditNumber(number),
            seal: ToySeals(1).seal(&Seal::NONE, &number.to_be_bytes()),
        }
    }

    /// Reads event 5, which no row has, of a log whose base is `base` after the read.
    async fn read(base: i64) -> Result<Option<ChainEnd>, Broken> {
        let ends = |base| ChainEnds {
            base: end(base),
            head: end(9),
        };
        let mut audit_log = MockAuditLog::new();
        audit_log.expect_rows().returning(|_, _| Ok(Vec::new()));
        audit_log.expect_ends().returning(move || Ok(ends(base)));
        match stored_end(&audit_log, AuditNumber(5), ends(0)).await {
            Ok(found) => Ok(found),
            Err(ResumeAuditLogError::Broken(broken)) => Err(broken),
            Err(ResumeAuditLogError::Port(error)) => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn an_event_that_retention_removes_during_the_read_is_not_missing() {
        assert_eq!(read(5).await, Ok(None));
        assert_eq!(read(7).await, Ok(None));
        assert_eq!(read(4).await, Err(Broken::Missing(AuditNumber(5))));
    }
}
