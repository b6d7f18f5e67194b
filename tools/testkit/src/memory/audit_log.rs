use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    audit::{
        AuditAction, AuditContext, AuditEvent, AuditFilter, AuditNumber, AuditRow, Backlog, ChainEnd,
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
    ) -> Result<Vec<ReadRow>, PortError> {
        let tables = self.transaction()?;
        let newest_first = tables.log.rows().iter().rev();
        let page = newest_first
            .filter(|sealed| before.is_none_or(|before| sealed.row.number < before))
            .filter(|sealed| matches(&filter, &sealed.row));
        Ok(page.take(as_usize(limit)).cloned().map(Ok).collect())
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

fn matches(filter: &AuditFilter, row: &AuditRow) -> bool {
    let action = filter.action.map(AuditAction::as_str);
    filter.user.is_none_or(|user| row.user_id == Some(user.0))
        && filter.actor.is_none_or(|actor| row.actor_id == Some(actor.0))
        && action.is_none_or(|action| row.action == action)
        && filter.from.is_none_or(|from| row.at >= from)
        && filter.until.is_none_or(|until| row.at < until)
}

fn as_usize(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
