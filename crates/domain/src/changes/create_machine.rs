use super::{
    MachineChange, MachineCommand, MachineDecision, MachineFacts, MachineReads, Refusal,
    machines::event_about,
};
use crate::{
    audit::AuditAction,
    invalidation::InvalidationScope,
    machine::{Audience, MAX_MACHINES, Machine, MachineId, MachineName, MachineSecret},
    revision::Revision,
    role::{RoleNames, joined},
    token::TokenIdentity,
    user::{Epoch, UserStatus},
};
use chrono::{DateTime, Utc};

/// Creates an active machine with at most one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateMachine {
    pub machine: MachineId,
    pub name: MachineName,
    pub audience: Option<Audience>,
    pub roles: RoleNames,
    pub secret: Option<MachineSecret>,
    /// The caller's token, validated again in the transaction; `None` for the operator.
    pub authorized_by: Option<TokenIdentity>,
}

impl MachineCommand for CreateMachine {
    fn reads(&self) -> MachineReads {
        MachineReads {
            machine: self.machine,
            created: Some(self.name.clone()),
            caller: self.authorized_by,
        }
    }

    fn decide(&self, facts: &MachineFacts, at: DateTime<Utc>) -> Result<MachineDecision, Refusal> {
        let authority = facts.authority(self.authorized_by, at)?;
        facts.require_known(&self.roles)?;
        authority.assign_to_machine(&RoleNames::new(), &self.roles, &facts.roles)?;
        if facts.name_taken || facts.machine.is_some() {
            return Err(Refusal::MachineNameTaken);
        }
        if facts.machines >= MAX_MACHINES {
            return Err(Refusal::TooManyMachines);
        }
        let event = event_about(AuditAction::MachineCreated, self.machine)
            .with("name", &self.name)
            .with("roles", joined(&self.roles));
        Ok(MachineDecision {
            change: MachineChange::Insert(self.created(at)),
            event: Some(event),
            invalidates: None,
        })
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        None
    }
}

impl CreateMachine {
    fn created(&self, at: DateTime<Utc>) -> Machine {
        Machine {
            id: self.machine,
            name: self.name.clone(),
            audience: self.audience.clone(),
            roles: self.roles.clone(),
            status: UserStatus::Active,
            epoch: Epoch::FIRST,
            revision: Revision::FIRST,
            created_at: at,
            updated_at: at,
            secrets: self.secret.iter().cloned().collect(),
        }
    }
}
