use crate::{SqliteStorage, changes::EventWriter};
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditEvent},
    ports::{AuditEvents, PortError},
};
use std::slice;

#[async_trait]
impl AuditEvents for SqliteStorage {
    async fn record(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let events = EventWriter::new(context, &self.sealer);
        self.database
            .write(move |conn| events.write(conn, slice::from_ref(&event)))
            .await
    }
}
