use super::{
    MachineAccount, MachineCommand, MachineDecision, MachineFacts, MachineReads, Refusal,
    machines::event_about,
};
use crate::{audit::AuditAction, invalidation::InvalidationScope, session::SessionId};
use chrono::{DateTime, Utc};

/// Removes a secret of a machine, and invalidates the access tokens that were issued for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveMachineSecret {
    pub account: MachineAccount,
    pub secret: SessionId,
}

impl MachineCommand for RemoveMachineSecret {
    fn reads(&self) -> MachineReads {
        self.account.reads()
    }

    fn decide(&self, facts: &MachineFacts, at: DateTime<Utc>) -> Result<MachineDecision, Refusal> {
        let before = self.account.admit(facts, at)?;
        if before.secret(self.secret).is_none() {
            return Err(Refusal::SecretNotFound);
        }
        let mut after = before.clone();
        after.secrets.retain(|secret| secret.id != self.secret);
        let event = event_about(AuditAction::MachineSecretRemoved, before.id).with("secret", self.secret);
        Ok(MachineDecision {
            invalidates: self.already_done(),
            ..MachineDecision::update(after, event, at)
        })
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::Session(self.secret))
    }
}
