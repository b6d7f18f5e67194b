use super::{
    MachineAccount, MachineChange, MachineCommand, MachineDecision, MachineFacts, MachineReads, Refusal,
    machines::event_about,
};
use crate::{audit::AuditAction, invalidation::InvalidationScope};
use chrono::{DateTime, Utc};

/// Removes a machine with its secrets, and invalidates all of its access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteMachine {
    pub account: MachineAccount,
}

impl MachineCommand for DeleteMachine {
    fn reads(&self) -> MachineReads {
        self.account.reads()
    }

    fn decide(&self, facts: &MachineFacts, at: DateTime<Utc>) -> Result<MachineDecision, Refusal> {
        let machine = self.account.admit(facts, at)?;
        let event = event_about(AuditAction::MachineDeleted, machine.id).with("name", &machine.name);
        Ok(MachineDecision {
            change: MachineChange::Delete(machine.clone()),
            event: Some(event),
            invalidates: self.already_done(),
        })
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::Machine(self.account.machine))
    }
}
