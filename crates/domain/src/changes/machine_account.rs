use super::{MachineFacts, MachineReads, Refusal, account::require_revision};
use crate::{
    machine::{Machine, MachineId},
    revision::Revision,
    token::TokenIdentity,
};
use chrono::{DateTime, Utc};

/// A machine to administer, and the authority to do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineAccount {
    pub machine: MachineId,
    /// Change the machine only at this revision.
    pub if_revision: Option<Revision>,
    /// The caller's token, validated again in the transaction; `None` for the operator.
    pub authorized_by: Option<TokenIdentity>,
}

impl MachineAccount {
    pub(super) fn reads(self) -> MachineReads {
        MachineReads {
            machine: self.machine,
            created: None,
            caller: self.authorized_by,
        }
    }

    /// Returns the machine, if the caller may administer it and it is at the requested revision.
    pub(super) fn admit(self, facts: &MachineFacts, at: DateTime<Utc>) -> Result<&Machine, Refusal> {
        let machine = facts.machine()?;
        facts
            .authority(self.authorized_by, at)?
            .administer_machine(&machine.roles, &facts.roles)?;
        require_revision(self.if_revision, machine.revision)?;
        Ok(machine)
    }
}
