use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::{
        AuditAction, AuditContext, AuditEvent, AuditFilter, AuditNumber, AuditRecord, AuditRow, BrokenRow,
        ChainEnds, Seal,
    },
    ports::{AuditLog, PortError},
};
use metrics::{counter, describe_counter};
use std::sync::Arc;

const OMITTED: &str = "authapi_audit_failures_omitted_total";
const TRIMMED: &str = "authapi_audit_events_trimmed_total";

/// An audit trail of which it is counted what it does not keep, or no longer.
pub struct MeteredAuditLog(Arc<dyn AuditLog>);

impl MeteredAuditLog {
    pub fn new(trail: Arc<dyn AuditLog>) -> Self {
        describe_counter!(
            OMITTED,
            "Failed attempts of which the audit trail keeps the number alone."
        );
        describe_counter!(TRIMMED, "Events that were too old to be kept in the audit trail.");
        counter!(OMITTED).absolute(0);
        counter!(TRIMMED).absolute(0);
        Self(trail)
    }
}

#[async_trait]
impl AuditLog for MeteredAuditLog {
    async fn note(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let omitted = omitted(&event);
        self.0.note(event, context).await?;
        counter!(OMITTED).increment(omitted);
        Ok(())
    }

    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError> {
        self.0.page(filter, before, limit).await
    }

    async fn ends(&self) -> Result<ChainEnds, PortError> {
        self.0.ends().await
    }

    async fn rows(
        &self,
        after: AuditNumber,
        limit: u32,
    ) -> Result<Vec<Result<(AuditRow, Seal), BrokenRow>>, PortError> {
        self.0.rows(after, limit).await
    }

    async fn trim(&self, before: DateTime<Utc>, limit: u32, context: AuditContext) -> Result<u64, PortError> {
        let trimmed = self.0.trim(before, limit, context).await?;
        counter!(TRIMMED).increment(trimmed);
        Ok(trimmed)
    }
}

/// How many failures `event` stands for.
fn omitted(event: &AuditEvent) -> u64 {
    let count = event.details.get("count").and_then(|count| count.parse().ok());
    match event.action {
        AuditAction::FailuresOmitted => count.unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use testkit::{MemoryStorage, fixtures};

    #[tokio::test]
    async fn what_is_not_kept_is_counted() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let trail = MeteredAuditLog::new(MemoryStorage::default().storage().audit);
        for (action, count) in [
            (AuditAction::FailuresOmitted, 17),
            (AuditAction::LoginFailed, 4),
            (AuditAction::FailuresOmitted, 3),
        ] {
            let event = AuditEvent::new(action).with("count", count);
            let noted = trail.note(event, fixtures::context(fixtures::at(0))).await;
            noted.expect("storage answers");
        }
        let context = fixtures::context(fixtures::at(10));
        let trimmed = trail.trim(fixtures::at(5), 2, context).await;
        assert_eq!(trimmed.expect("storage answers"), 2);

        let shown = recorder.handle().render();
        for line in [
            "authapi_audit_failures_omitted_total 20",
            "authapi_audit_events_trimmed_total 2",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
        }
    }
}
