use crate::PostgresStorage;
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditEvent},
    ports::{AuditEvents, PortError},
};

#[async_trait]
impl AuditEvents for PostgresStorage {
    async fn record(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let events = self.events(context);
        self.database
            .write_at_once(([event], events.clone()), |conn, (event, events)| {
                Box::pin(events.write(conn, event))
            })
            .await?;
        events.committed();
        Ok(())
    }
}
