use crate::PostgresStorage;
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditEvent},
    ports::{AuditEvents, PortError},
};

#[async_trait]
impl AuditEvents for PostgresStorage {
    async fn record_all(&self, events: Vec<AuditEvent>, context: AuditContext) -> Result<(), PortError> {
        let writer = self.events(context);
        self.database
            .write_at_once((events, writer.clone()), |conn, (events, writer)| {
                Box::pin(writer.write(conn, events))
            })
            .await?;
        writer.committed();
        Ok(())
    }
}
