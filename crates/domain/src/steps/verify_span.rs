use crate::{
    audit::{Broken, ChainEnds, MacRule, SpanVerifier},
    ports::{AuditLog, AuditSealer, PortError},
};

/// The number of rows per read. They are verified without a pause, so that many would delay other
/// tasks of the runtime.
const BATCH: u32 = 500;

/// Verifies the rows of `audit_log` between the ends of `span`, before the end is signed.
///
/// # Errors
/// Returns [`Broken`] if a row is not the one that was written, is missing, or has no MAC that
/// `macs` accepts.
pub async fn verify_span<E: From<Broken> + From<PortError>>(
    audit_log: &dyn AuditLog,
    sealer: &dyn AuditSealer,
    span: ChainEnds,
    macs: MacRule,
) -> Result<(), E> {
    let mut rows = SpanVerifier::new(span, sealer, macs);
    while rows.last().number < span.head.number {
        let read = audit_log.rows(rows.last().number, BATCH).await?;
        if read.is_empty() {
            break;
        }
        for row in read {
            if rows.last().number == span.head.number {
                break;
            }
            rows.follow(&row.map_err(|broken| Broken::Changed(broken.0))?)?;
        }
    }
    rows.finish()?;
    Ok(())
}
