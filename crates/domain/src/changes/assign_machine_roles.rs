use super::{
    MachineAccount, MachineCommand, MachineDecision, MachineFacts, MachineReads, Refusal,
    machines::event_about,
};
use crate::{
    audit::AuditAction,
    invalidation::InvalidationScope,
    machine::Machine,
    role::{RoleNames, joined},
};
use chrono::{DateTime, Utc};

/// Replaces a machine's roles and invalidates all of its access tokens. Changes nothing if the
/// machine has the roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignMachineRoles {
    pub account: MachineAccount,
    pub roles: RoleNames,
}

impl MachineCommand for AssignMachineRoles {
    fn reads(&self) -> MachineReads {
        self.account.reads()
    }

    fn decide(&self, facts: &MachineFacts, at: DateTime<Utc>) -> Result<MachineDecision, Refusal> {
        let before = self.account.admit(facts, at)?;
        facts.require_known(&self.roles)?;
        facts
            .authority(self.account.authorized_by, at)?
            .assign_to_machine(&before.roles, &self.roles, &facts.roles)?;
        if before.roles == self.roles {
            return Ok(MachineDecision::unchanged(before));
        }
        let event = event_about(AuditAction::MachineRolesChanged, before.id)
            .with("before", joined(&before.roles))
            .with("after", joined(&self.roles));
        let after = Machine {
            roles: self.roles.clone(),
            epoch: before.epoch.next(),
            ..before.clone()
        };
        Ok(MachineDecision::update(after, event, at))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::Machine(self.account.machine))
    }
}
