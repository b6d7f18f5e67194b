use super::{CatalogueChange, CatalogueCommand, CatalogueFacts, CatalogueReads, Refusal, RoleWritten};
use crate::{
    audit::{AuditAction, AuditEvent},
    revision::{Precondition, Revision},
    role::{Description, Permission, Permissions, Role, RoleName},
    token::TokenIdentity,
};
use chrono::{DateTime, Utc};

/// The most roles of the catalogue, which is read whole.
pub const MAX_ROLES: usize = 500;

/// Creates a role other than `admin`, or replaces what one is and allows. In force at once for every user who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteRole {
    pub name: RoleName,
    pub description: Description,
    pub permissions: Permissions,
    pub self_assignable: bool,
    /// What has to exist before.
    pub precondition: Precondition,
    /// The caller's token, validated again in the transaction; `None` for the operator.
    pub authorized_by: Option<TokenIdentity>,
}

impl CatalogueCommand for WriteRole {
    fn reads(&self) -> CatalogueReads {
        CatalogueReads {
            role: self.name.clone(),
            removes: false,
            caller: self.authorized_by,
        }
    }

    fn decide(&self, facts: &CatalogueFacts, at: DateTime<Utc>) -> Result<CatalogueChange, Refusal> {
        let before = facts.find(&self.name);
        let revision = before.map(|role| role.revision);
        let role = self.role(revision);
        facts
            .authority(self.authorized_by, at)?
            .write_role(before, &role)?;
        if !self.precondition.is_met_by(revision) {
            return Err(Refusal::RevisionMismatch);
        }
        let created = before.is_none();
        if created && facts.roles.len() >= MAX_ROLES {
            return Err(Refusal::CatalogueFull);
        }
        Ok(CatalogueChange {
            admin: facts.admin_after(&role.name, Some(&role)),
            event: event(&role, created),
            written: Some(RoleWritten {
                role,
                created,
                holders: facts.holders,
            }),
            removed: None,
        })
    }
}

impl WriteRole {
    fn role(&self, before: Option<Revision>) -> Role {
        Role {
            name: self.name.clone(),
            description: self.description.clone(),
            permissions: self.permissions.clone(),
            self_assignable: self.self_assignable,
            revision: before.map_or(Revision::FIRST, Revision::next),
        }
    }
}

fn event(role: &Role, created: bool) -> AuditEvent {
    let action = if created {
        AuditAction::RoleCreated
    } else {
        AuditAction::RoleChanged
    };
    let permissions: Vec<_> = role.permissions.iter().map(Permission::as_str).collect();
    AuditEvent::new(action)
        .with("role", &role.name)
        .with("permissions", permissions.join(" "))
        .with("self_assignable", role.self_assignable)
}
