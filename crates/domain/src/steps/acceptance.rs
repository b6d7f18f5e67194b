use super::stored_end;
use crate::{
    audit::{
        AuditAction, AuditFilter, AuditNumber, Broken, ChainEnd, ChainEnds, MacRule, SealedRow,
        SignedCheckpoint, SpanVerifier, reported_as_forged, row_number,
    },
    ports::{AuditCheckpoints, AuditLog, AuditSealer, CheckpointVerifier, PortError},
};
use chrono::{DateTime, Utc};

/// The ports with which an acceptance of the log is found.
pub struct AcceptancePorts<'a> {
    pub audit_log: &'a dyn AuditLog,
    pub checkpoints: &'a dyn AuditCheckpoints,
    pub sealer: &'a dyn AuditSealer,
    pub verifier: &'a dyn CheckpointVerifier,
}

impl AcceptancePorts<'_> {
    /// Returns the newest stored checkpoint if it proves that the operator has accepted the log at
    /// `since` or later: it is signed, the log contains its position, and it covers an event of the
    /// acceptance with a valid MAC. An older acceptance proves nothing, because it is also part of
    /// an older copy of the log.
    pub async fn since<E: From<Broken> + From<PortError>>(
        &self,
        since: DateTime<Utc>,
        ends: ChainEnds,
    ) -> Result<Option<SignedCheckpoint>, E> {
        let Some(stored) = self.checkpoints.newest().await? else {
            return Ok(None);
        };
        let Ok(checkpoint) = SignedCheckpoint::parse(&stored.note, self.verifier) else {
            return Ok(None);
        };
        let end = checkpoint.end();
        let Some(accepted) = self.newest::<E>(ends).await? else {
            return Ok(None);
        };
        let (number, at) = (accepted.row.number, accepted.row.at);
        if at < since || number > end.number || end.number > ends.head.number {
            return Ok(None);
        }
        let is_of_log = stored_end::<E>(self.audit_log, end.number, ends).await? == Some(end);
        Ok(is_of_log.then_some(checkpoint))
    }

    /// Returns the newest event of an acceptance, if its seal and its MAC are valid.
    async fn newest<E: From<Broken> + From<PortError>>(
        &self,
        ends: ChainEnds,
    ) -> Result<Option<SealedRow>, E> {
        let filter = AuditFilter {
            action: Some(AuditAction::AuditLogAccepted),
            ..AuditFilter::default()
        };
        let newest = self.audit_log.page(filter, None, 1).await?;
        let Some(number) = newest.first().map(row_number) else {
            return Ok(None);
        };
        let before = AuditNumber(number.0 - 1);
        let Some(base) = stored_end::<E>(self.audit_log, before, ends).await? else {
            return Ok(None);
        };
        let every_row = MacRule::RequiredAfter(ChainEnd::START.number);
        let is_valid = |row: &SealedRow| {
            let span = ChainEnds {
                base,
                head: row.end(),
            };
            SpanVerifier::new(span, self.sealer, every_row)
                .follow(row)
                .is_ok()
        };
        let rows = self.audit_log.rows(AuditNumber((before.0 - 1).max(0)), 2).await?;
        let rows: Vec<_> = rows.into_iter().filter_map(Result::ok).collect();
        let at = |number| rows.iter().find(|sealed| sealed.row.number == number);
        // The event before a forged one reports it; without that event, nothing shows which it is.
        let is_genuine = before == ChainEnd::START.number
            || at(before).is_some_and(|previous| reported_as_forged(&previous.row) != Some(number));
        Ok(at(number).filter(|row| is_genuine && is_valid(row)).cloned())
    }
}
