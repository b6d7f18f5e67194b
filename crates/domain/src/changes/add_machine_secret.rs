use super::{
    MachineAccount, MachineCommand, MachineDecision, MachineFacts, MachineReads, Refusal,
    machines::event_about,
};
use crate::{
    audit::AuditAction,
    invalidation::InvalidationScope,
    machine::{MAX_SECRETS, Machine, MachineSecret},
    session::Liveness,
};
use chrono::{DateTime, Utc};

/// Adds a secret to a machine and removes those that have expired. Existing access tokens stay
/// valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddMachineSecret {
    pub account: MachineAccount,
    pub secret: MachineSecret,
}

impl MachineCommand for AddMachineSecret {
    fn reads(&self) -> MachineReads {
        self.account.reads()
    }

    fn decide(&self, facts: &MachineFacts, at: DateTime<Utc>) -> Result<MachineDecision, Refusal> {
        let before = self.account.admit(facts, at)?;
        let is_live = |secret: &&MachineSecret| secret.lifetime().at(at) == Liveness::Live;
        let mut secrets: Vec<_> = before.secrets.iter().filter(is_live).cloned().collect();
        if secrets.len() >= MAX_SECRETS {
            return Err(Refusal::TooManySecrets);
        }
        secrets.push(self.secret.clone());
        let event = event_about(AuditAction::MachineSecretAdded, before.id).with("secret", self.secret.id);
        let after = Machine {
            secrets,
            ..before.clone()
        };
        Ok(MachineDecision::update(after, event, at))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        None
    }
}
