use super::{MemoryStorage, tables::Tables};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::AuditContext,
    changes::{ChangeError, MachineChange, MachineCommand, MachineDecision, MachineFacts, MachineReads},
    machine::{Machine, MachineId, MachineSecret},
    ports::{Machines, PortError},
    session::SessionId,
};
use std::sync::Arc;

#[async_trait]
impl Machines for MemoryStorage {
    async fn find(&self, id: MachineId) -> Result<Option<Machine>, PortError> {
        Ok(self.transaction()?.machines.get(&id).cloned())
    }

    async fn list(&self) -> Result<Vec<Machine>, PortError> {
        let mut machines: Vec<_> = self.transaction()?.machines.values().cloned().collect();
        machines.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(machines)
    }

    async fn execute(
        &self,
        command: Arc<dyn MachineCommand>,
        context: AuditContext,
    ) -> Result<MachineDecision, ChangeError> {
        let mut tables = self.transaction()?;
        let facts = tables.load_machine(&command.reads());
        let decision = command.decide(&facts, context.at)?;
        tables.apply_machine(&decision, &context);
        Ok(decision)
    }

    async fn dry_run(
        &self,
        command: Arc<dyn MachineCommand>,
        context: AuditContext,
    ) -> Result<MachineDecision, ChangeError> {
        let tables = self.transaction()?;
        Ok(command.decide(&tables.load_machine(&command.reads()), context.at)?)
    }

    async fn record_use(&self, secret: SessionId, at: DateTime<Utc>) -> Result<(), PortError> {
        let mut tables = self.transaction()?;
        let mut secrets = tables
            .machines
            .values_mut()
            .flat_map(|machine| &mut machine.secrets);
        if let Some(used) = secrets.find(|it| it.id == secret) {
            used.last_used_at = used.last_used_at.max(Some(at));
        }
        Ok(())
    }
}

impl Tables {
    fn load_machine(&self, reads: &MachineReads) -> MachineFacts {
        let has_name = |machine: &Machine| reads.created.as_ref() == Some(&machine.name);
        MachineFacts {
            machine: self.machines.get(&reads.machine).cloned(),
            machines: reads.created.as_ref().map_or(0, |_| self.machines.len() as u64),
            name_taken: self.machines.values().any(has_name),
            roles: self.roles.values().cloned().collect(),
            caller: reads.caller.and_then(|token| self.snapshot(token.session)),
        }
    }

    fn apply_machine(&mut self, decision: &MachineDecision, context: &AuditContext) {
        match &decision.change {
            MachineChange::Unchanged(_) => {}
            MachineChange::Insert(machine) | MachineChange::Update(machine) => {
                self.machines.insert(machine.id, machine.clone());
            }
            MachineChange::Delete(machine) => {
                self.machines.remove(&machine.id);
            }
        }
        if let Some(event) = &decision.event {
            self.log.append(event, context);
        }
    }

    /// Returns the machine that has the secret `id`, and the secret.
    pub(super) fn machine_with(&self, id: SessionId) -> Option<(&Machine, &MachineSecret)> {
        let mut machines = self.machines.values();
        machines.find_map(|machine| Some((machine, machine.secret(id)?)))
    }
}
