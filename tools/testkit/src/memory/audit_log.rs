use super::MemoryStorage;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::{
        Actor, AuditAction, AuditContext, AuditEvent, AuditFilter, AuditNumber, AuditRecord, AuditRow,
        BrokenRow, ChainEnds, Seal,
    },
    ports::{AuditLog, PortError},
};

#[async_trait]
impl AuditLog for MemoryStorage {
    async fn note(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        self.transaction()?.note(&event, &context);
        Ok(())
    }

    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError> {
        let state = self.transaction()?;
        let newest_first = state.trail.rows().iter().rev();
        newest_first
            .filter(|(row, _)| before.is_none_or(|before| row.number < before))
            .map(|(row, _)| read(row))
            .filter(|record| record.as_ref().map_or(true, |record| holds_for(&filter, record)))
            .take(as_usize(limit))
            .collect()
    }

    async fn ends(&self) -> Result<ChainEnds, PortError> {
        Ok(self.transaction()?.trail.ends())
    }

    async fn rows(
        &self,
        after: AuditNumber,
        limit: u32,
    ) -> Result<Vec<Result<(AuditRow, Seal), BrokenRow>>, PortError> {
        let state = self.transaction()?;
        let later = state.trail.rows().iter().filter(|(row, _)| row.number > after);
        Ok(later.take(as_usize(limit)).cloned().map(Ok).collect())
    }

    async fn trim(&self, before: DateTime<Utc>, limit: u32, context: AuditContext) -> Result<u64, PortError> {
        let mut state = self.transaction()?;
        let Some((count, through)) = state.trail.trim(before, as_usize(limit)) else {
            return Ok(0);
        };
        let event = AuditEvent::new(AuditAction::AuditLogTrimmed)
            .with("count", count)
            .with("through", through);
        state.note(&event, &context);
        Ok(count.try_into().unwrap_or(u64::MAX))
    }
}

fn read(row: &AuditRow) -> Result<AuditRecord, PortError> {
    AuditRecord::try_from(row.clone()).map_err(|broken| PortError::Corrupt(Box::new(broken)))
}

fn holds_for(filter: &AuditFilter, record: &AuditRecord) -> bool {
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
