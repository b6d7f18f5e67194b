use crate::{SqliteStorage, changes::EventWriter};
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditEvent},
    ports::{AuditEvents, PortError},
};

#[async_trait]
impl AuditEvents for SqliteStorage {
    async fn record_all(&self, events: Vec<AuditEvent>, context: AuditContext) -> Result<(), PortError> {
        let writer = EventWriter::new(context, &self.sealer);
        self.database.write(move |conn| writer.write(conn, &events)).await
    }
}
