use crate::{PostgresStorage, changes::EventWriter};
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditEvent},
    ports::{AuditEvents, PortError},
};

#[async_trait]
impl AuditEvents for PostgresStorage {
    async fn record(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let input = ([event], EventWriter::new(context, &self.sealer, &self.written));
        self.database
            .write_at_once(input, |conn, (event, events)| Box::pin(events.write(conn, event)))
            .await
    }
}
