use super::{
    CatalogueChange, CatalogueCommand, CatalogueFacts, CatalogueReads, Refusal, account::require_revision,
};
use crate::{
    audit::{AuditAction, AuditEvent},
    revision::Revision,
    role::RoleName,
    token::TokenIdentity,
};
use chrono::{DateTime, Utc};

/// Removes a role that no user has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteRole {
    pub name: RoleName,
    /// Remove the role only at this revision.
    pub if_revision: Option<Revision>,
    /// The caller's token, validated again in the transaction; `None` for the operator.
    pub authorized_by: Option<TokenIdentity>,
}

impl CatalogueCommand for DeleteRole {
    fn reads(&self) -> CatalogueReads {
        CatalogueReads {
            role: self.name.clone(),
            removes: true,
            caller: self.authorized_by,
        }
    }

    fn decide(&self, facts: &CatalogueFacts, at: DateTime<Utc>) -> Result<CatalogueChange, Refusal> {
        let role = facts.find(&self.name).ok_or(Refusal::RoleNotFound)?;
        facts.authority(self.authorized_by, at)?.remove_role(role)?;
        require_revision(self.if_revision, role.revision)?;
        if facts.holders > 0 {
            return Err(Refusal::RoleInUse(facts.holders));
        }
        Ok(CatalogueChange {
            written: None,
            removed: Some(self.name.clone()),
            admin: facts.admin_after(&self.name, None),
            event: AuditEvent::new(AuditAction::RoleRemoved).with("role", &self.name),
        })
    }
}
