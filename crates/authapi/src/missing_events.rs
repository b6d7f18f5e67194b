//! Reports audit events that this process has written and that another program has removed before
//! they were sealed.

use crate::background::own_context;
use adapters_postgres::{PostgresStorage, WrittenEvent};
use domain::{
    audit,
    ports::{AuditEvents, Clock, PortError},
};
use metrics::{counter, describe_counter};
use std::{error::Error, sync::Arc};

const MISSING: &str = "authapi_audit_events_missing_total";

/// Looks for the events of this process.
#[derive(Clone)]
pub struct MissingEvents {
    storage: Arc<PostgresStorage>,
    clock: Arc<dyn Clock>,
}

impl MissingEvents {
    /// Creates the search and describes its metric.
    pub fn new(storage: Arc<PostgresStorage>, clock: Arc<dyn Clock>) -> Self {
        describe_counter!(
            MISSING,
            "Audit events of this process that were removed before they were sealed."
        );
        counter!(MISSING).absolute(0);
        Self { storage, clock }
    }

    /// Looks once, and reports the events that are missing in the log of the service and in the
    /// audit log. If this fails, the next call looks for them again.
    pub async fn report(&self) {
        if let Err(error) = self.try_report().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "the audit events of this process cannot be looked for; retrying"
            );
        }
    }

    async fn try_report(&self) -> Result<(), PortError> {
        let missing = self.storage.find_missing(self.clock.now()).await?;
        let Some(first) = missing.iter().map(|event: &WrittenEvent| event.at).min() else {
            return Ok(());
        };
        tracing::error!(
            count = missing.len(),
            first_at = %first,
            "audit events were removed before they were sealed; find out which program writes to audit_pending"
        );
        let event = audit::report_missing(missing.len(), first);
        self.storage.record(event, own_context(&*self.clock)).await?;
        self.storage.forget_missing(&missing);
        counter!(MISSING).increment(missing.len() as u64);
        Ok(())
    }
}
