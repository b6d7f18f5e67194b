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

/// Removes a role that no user and no machine has.
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
            unchanged: None,
            removed: Some(self.name.clone()),
            admin: facts.admin_after(&self.name, None),
            event: Some(AuditEvent::new(AuditAction::RoleRemoved).with("role", &self.name)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        changes::fixtures::{admin_snapshot, assert_refused_in_order, permissions, role, snapshot, token},
        fixtures::now,
        role::{OWN_PERMISSIONS, Role, built_in},
    };

    fn editor() -> RoleName {
        RoleName::parse("editor").expect("the role name is valid")
    }

    fn delete() -> DeleteRole {
        DeleteRole {
            name: editor(),
            if_revision: None,
            authorized_by: Some(token()),
        }
    }

    /// Facts with the built-in roles and `editor`, which no user has. The caller is an
    /// administrator.
    fn facts() -> CatalogueFacts {
        let mut roles: Vec<_> = built_in()
            .into_iter()
            .chain([role("editor", &["posts:write"])])
            .collect();
        roles[0].permissions.extend(permissions(&["posts:write"]));
        CatalogueFacts {
            roles,
            holders: 0,
            caller: Some(admin_snapshot()),
        }
    }

    fn refusal(command: &DeleteRole, facts: &CatalogueFacts) -> Option<Refusal> {
        command.decide(facts, now()).err()
    }

    #[test]
    fn removing_a_role_removes_its_exclusive_permissions_from_admin_at_the_next_revision() {
        let change = delete()
            .decide(&facts(), now())
            .expect("the rules allow the change");

        let expected = CatalogueChange {
            written: None,
            unchanged: None,
            removed: Some(editor()),
            admin: Some(Role {
                permissions: OWN_PERMISSIONS.into(),
                revision: Revision(4),
                ..built_in()[0].clone()
            }),
            event: Some(AuditEvent::new(AuditAction::RoleRemoved).with("role", "editor")),
        };
        assert_eq!(change, expected);
    }

    #[test]
    fn admin_keeps_permissions_of_other_roles_and_the_highest_revision() {
        let mut facts = facts();
        facts.roles.push(role("author", &["posts:write"]));
        let before = facts.roles[0].clone();
        let change = delete()
            .decide(&facts, now())
            .expect("the rules allow the change");
        let admin = Role {
            revision: Revision(4),
            ..before
        };
        assert_eq!(change.admin, Some(admin));
    }

    #[test]
    fn refusals_are_reported_in_a_fixed_order() {
        assert_refused_in_order(
            &delete(),
            &facts(),
            refusal,
            &[
                (
                    |_, facts| facts.roles.retain(|role| role.name != editor()),
                    Refusal::RoleNotFound,
                ),
                (|_, facts| facts.caller = None, Denied::Stale.into()),
                (
                    |_, facts| facts.caller = Some(snapshot(permissions(&["roles:write"]))),
                    Denied::OutOfReach.into(),
                ),
                (
                    |command, _| command.if_revision = Some(Revision(4)),
                    Refusal::RevisionMismatch,
                ),
                (|_, facts| facts.holders = 2, Refusal::RoleInUse(2)),
            ],
        );
    }

    #[test]
    fn the_revision_of_the_request_is_compared_with_the_roles() {
        for (requested, refused) in [(2, true), (3, false), (4, true)] {
            let command = DeleteRole {
                if_revision: Some(Revision(requested)),
                ..delete()
            };
            let expected = refused.then_some(Refusal::RevisionMismatch);
            assert_eq!(refusal(&command, &facts()), expected, "{requested}");
        }
    }

    #[test]
    fn the_role_is_read_with_a_lock_against_assignment() {
        let expected = CatalogueReads {
            role: editor(),
            removes: true,
            caller: Some(token()),
        };
        assert_eq!(delete().reads(), expected);
    }
}
