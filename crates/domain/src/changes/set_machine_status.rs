use super::{
    MachineAccount, MachineCommand, MachineDecision, MachineFacts, MachineReads, Refusal,
    machines::event_about,
};
use crate::{audit::AuditAction, invalidation::InvalidationScope, machine::Machine, user::UserStatus};
use chrono::{DateTime, Utc};

/// Enables or disables a machine and invalidates all of its access tokens. Its secrets stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetMachineStatus {
    pub account: MachineAccount,
    pub status: UserStatus,
}

impl MachineCommand for SetMachineStatus {
    fn reads(&self) -> MachineReads {
        self.account.reads()
    }

    fn decide(&self, facts: &MachineFacts, at: DateTime<Utc>) -> Result<MachineDecision, Refusal> {
        let before = self.account.admit(facts, at)?;
        if before.status == self.status {
            return Ok(MachineDecision::unchanged(before));
        }
        let action = match self.status {
            UserStatus::Active => AuditAction::MachineEnabled,
            UserStatus::Disabled => AuditAction::MachineDisabled,
        };
        let after = Machine {
            status: self.status,
            epoch: before.epoch.next(),
            ..before.clone()
        };
        Ok(MachineDecision::update(after, event_about(action, before.id), at))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::Machine(self.account.machine))
    }
}
