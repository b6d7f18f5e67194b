use crate::{changes::EventWriter, database::PostgresDatabase};
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditEvent},
    ports::{AuditEvents, AuditSealer, PortError},
};
use std::sync::Arc;

/// Audit events in Postgres, as they are written.
pub struct PostgresAuditEvents {
    database: PostgresDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl PostgresAuditEvents {
    #[must_use]
    pub fn new(database: PostgresDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }
}

#[async_trait]
impl AuditEvents for PostgresAuditEvents {
    async fn record(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let input = ([event], EventWriter::new(context, &self.sealer));
        self.database
            .write(input, |conn, (event, events)| Box::pin(events.write(conn, event)))
            .await
    }
}
