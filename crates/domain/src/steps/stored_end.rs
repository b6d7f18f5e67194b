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
