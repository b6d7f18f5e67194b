use async_trait::async_trait;
use domain::{
    audit::{
        AuditAction, AuditContext, AuditEvent, AuditFilter, AuditNumber, Backlog, ChainEnd, ChainEnds,
        ReadRow,
    },
    changes::{AcceptAuditLog, TrimAuditLog},
    ports::{AuditEvents, AuditLog, PortError},
};
use metrics::{counter, describe_counter};
use std::sync::Arc;

const OMITTED: &str = "authapi_audit_failures_omitted_total";
const TRIMMED: &str = "authapi_audit_events_trimmed_total";

/// A port of audit events that counts the failed attempts that are not recorded individually.
pub struct MeteredAuditEvents(Arc<dyn AuditEvents>);

/// An audit log that counts trimmed events.
pub struct MeteredAuditLog(Arc<dyn AuditLog>);

impl MeteredAuditEvents {
    /// Wraps `events`.
    pub fn new(events: Arc<dyn AuditEvents>) -> Self {
        describe_counter!(
            OMITTED,
            "Failed attempts that were only counted in the audit log."
        );
        counter!(OMITTED).absolute(0);
        Self(events)
    }
}

impl MeteredAuditLog {
    /// Wraps `audit_log`.
    pub fn new(audit_log: Arc<dyn AuditLog>) -> Self {
        describe_counter!(
            TRIMMED,
            "Events removed from the audit log because they were older than the retention."
        );
        counter!(TRIMMED).absolute(0);
        Self(audit_log)
    }
}

#[async_trait]
impl AuditEvents for MeteredAuditEvents {
    async fn record_all(&self, events: Vec<AuditEvent>, context: AuditContext) -> Result<(), PortError> {
        let omitted = events.iter().map(omitted).sum();
        self.0.record_all(events, context).await?;
        counter!(OMITTED).increment(omitted);
        Ok(())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl AuditLog for MeteredAuditLog {
    async fn seal(&self) {
        self.0.seal().await;
    }

    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<ReadRow>, PortError> {
        self.0.page(filter, before, limit).await
    }

    async fn backlog(&self) -> Result<Backlog, PortError> {
        self.0.backlog().await
    }

    async fn ends(&self) -> Result<ChainEnds, PortError> {
        self.0.ends().await
    }

    async fn rows(&self, after: AuditNumber, limit: u32) -> Result<Vec<ReadRow>, PortError> {
        self.0.rows(after, limit).await
    }

    async fn trim(&self, command: TrimAuditLog, context: AuditContext) -> Result<u64, PortError> {
        let trimmed = self.0.trim(command, context).await?;
        counter!(TRIMMED).increment(trimmed);
        Ok(trimmed)
    }

    async fn accept(&self, command: AcceptAuditLog, context: AuditContext) -> Result<ChainEnd, PortError> {
        self.0.accept(command, context).await
    }
}

/// Returns the number of failed attempts that `event` summarises.
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
    async fn omitted_failures_and_trimmed_events_are_counted() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let storage = MemoryStorage::default().storage();
        let events = MeteredAuditEvents::new(storage.audit_events);
        let audit_log = MeteredAuditLog::new(storage.audit_log);
        for (action, count) in [
            (AuditAction::FailuresOmitted, 17),
            (AuditAction::LoginFailed, 4),
            (AuditAction::FailuresOmitted, 3),
        ] {
            let event = AuditEvent::new(action).with("count", count);
            let written = events.record(event, fixtures::context(fixtures::at(0))).await;
            written.expect("the storage succeeds");
        }
        let context = fixtures::context(fixtures::at(10));
        let command = TrimAuditLog {
            before: fixtures::at(5),
            limit: 2,
        };
        let trimmed = audit_log.trim(command, context).await;
        assert_eq!(trimmed.expect("the storage succeeds"), 2);

        let shown = recorder.handle().render();
        for line in [
            "authapi_audit_failures_omitted_total 20",
            "authapi_audit_events_trimmed_total 2",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
        }
    }
}
