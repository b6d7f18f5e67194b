use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    audit::{
        Actor, AuditContext, AuditEvent, AuditFilter, AuditNumber, AuditRecord, AuditRow, Backlog, ChainEnd,
        ChainEnds, ReadRow,
    },
    changes::{AcceptAuditLog, TrimAuditLog},
    ports::{AuditEvents, AuditLog, PortError},
};

#[async_trait]
impl AuditEvents for MemoryStorage {
    async fn record_all(&self, events: Vec<AuditEvent>, context: AuditContext) -> Result<(), PortError> {
        let mut tables = self.transaction()?;
        for event in &events {
            tables.log.append(event, &context);
        }
        Ok(())
    }
}

#[async_trait]
impl AuditLog for MemoryStorage {
    async fn seal(&self) {}

    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError> {
        let tables = self.transaction()?;
        let newest_first = tables.log.rows().iter().rev();
        newest_first
            .map(|sealed| &sealed.row)
            .filter(|row| before.is_none_or(|before| row.number < before))
            .map(read)
            .filter(|record| record.as_ref().map_or(true, |record| matches(&filter, record)))
            .take(as_usize(limit))
            .collect()
    }

    async fn backlog(&self) -> Result<Backlog, PortError> {
        self.transaction().map(|_| Backlog::default())
    }

    async fn ends(&self) -> Result<ChainEnds, PortError> {
        Ok(self.transaction()?.log.ends())
    }

    async fn rows(&self, after: AuditNumber, limit: u32) -> Result<Vec<ReadRow>, PortError> {
        let tables = self.transaction()?;
        let rows = tables.log.rows().iter();
        let later = rows.filter(|sealed| sealed.row.number > after);
        Ok(later.take(as_usize(limit)).cloned().map(Ok).collect())
    }

    async fn trim(&self, command: TrimAuditLog, context: AuditContext) -> Result<u64, PortError> {
        let mut tables = self.transaction()?;
        let Some(change) = command.decide(&tables.log.trim_facts(command.limit)) else {
            return Ok(0);
        };
        tables.log.trim(&change, &context);
        Ok(change.count)
    }

    async fn accept(&self, command: AcceptAuditLog, context: AuditContext) -> Result<ChainEnd, PortError> {
        let mut tables = self.transaction()?;
        let event = command.decide(tables.log.ends().head);
        tables.log.append(&event, &context);
        Ok(tables.log.ends().head)
    }
}

fn read(row: &AuditRow) -> Result<AuditRecord, PortError> {
    AuditRecord::try_from(row.clone()).map_err(|broken| PortError::Corrupt(Box::new(broken)))
}

fn matches(filter: &AuditFilter, record: &AuditRecord) -> bool {
    let event = &record.event;
    filter.user.is_none_or(|user| event.user == Some(user))
        && filter
            .actor
            .is_none_or(|actor| record.actor == Actor::User(actor))
        && filter.action.is_none_or(|action| event.action == action)
        && filter.from.is_none_or(|from| record.at >= from)
        && filter.until.is_none_or(|until| record.at < until)
}

fn as_usize(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
