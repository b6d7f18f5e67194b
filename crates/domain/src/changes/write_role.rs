use super::{CatalogueChange, CatalogueCommand, CatalogueFacts, CatalogueReads, Refusal, RoleWritten};
use crate::{
    audit::{AuditAction, AuditEvent},
    revision::{Precondition, Revision},
    role::{Description, Permission, Permissions, Role, RoleName},
    token::TokenIdentity,
};
use chrono::{DateTime, Utc};

/// The maximum number of roles in the catalogue, which is always read completely.
pub const MAX_ROLES: usize = 500;

/// Creates or replaces a role other than `admin`. The change applies immediately to every user who
/// has the role. Nothing changes if the role already is as requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteRole {
    pub name: RoleName,
    pub description: Description,
    pub permissions: Permissions,
    pub self_assignable: bool,
    /// The state in which the role must be.
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
        let role = self.role(facts.next_revision());
        facts
            .authority(self.authorized_by, at)?
            .write_role(before, &role)?;
        if !self.precondition.is_met_by(before.map(|role| role.revision)) {
            return Err(Refusal::RevisionMismatch);
        }
        if let Some(before) = before.filter(|before| self.is_as_requested(before)) {
            return Ok(unchanged(before, facts.holders));
        }
        let created = before.is_none();
        if created && facts.roles.len() >= MAX_ROLES {
            return Err(Refusal::CatalogueFull);
        }
        Ok(CatalogueChange {
            admin: facts.admin_after(&role.name, Some(&role)),
            event: Some(event(&role, created)),
            written: Some(RoleWritten {
                role,
                created,
                holders: facts.holders,
            }),
            unchanged: None,
            removed: None,
        })
    }
}

impl WriteRole {
    fn is_as_requested(&self, role: &Role) -> bool {
        self.role(role.revision) == *role
    }

    fn role(&self, revision: Revision) -> Role {
        Role {
            name: self.name.clone(),
            description: self.description.clone(),
            permissions: self.permissions.clone(),
            self_assignable: self.self_assignable,
            revision,
        }
    }
}

fn unchanged(role: &Role, holders: u64) -> CatalogueChange {
    CatalogueChange {
        written: None,
        unchanged: Some(RoleWritten {
            role: role.clone(),
            created: false,
            holders,
        }),
        removed: None,
        admin: None,
        event: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::AuditDetails,
        authority::Denied,
        changes::fixtures::{admin_snapshot, assert_refused_in_order, permissions, role, snapshot, token},
        fixtures::{now, user_in},
        role::built_in,
    };

    fn write(name: &str, texts: &[&str]) -> WriteRole {
        WriteRole {
            name: RoleName::parse(name).expect("the role name is valid"),
            description: Description::parse("May edit.").expect("the description is valid"),
            permissions: permissions(texts),
            self_assignable: true,
            precondition: Precondition::None,
            authorized_by: Some(token()),
        }
    }

    /// Facts with the built-in roles and `editor`, which 12 users have. The caller is an
    /// administrator.
    fn facts() -> CatalogueFacts {
        CatalogueFacts {
            roles: built_in()
                .into_iter()
                .chain([role("editor", &["posts:write"])])
                .collect(),
            holders: 12,
            caller: Some(admin_snapshot()),
        }
    }

    /// Facts with `count` roles: the built-in roles and others.
    fn full(count: usize) -> CatalogueFacts {
        let more = (2..count).map(|number| role(&format!("role{number}"), &[]));
        CatalogueFacts {
            roles: built_in().into_iter().chain(more).collect(),
            ..facts()
        }
    }

    fn refusal(command: &WriteRole, facts: &CatalogueFacts) -> Option<Refusal> {
        command.decide(facts, now()).err()
    }

    fn event(action: AuditAction, details: &[(&str, &str)]) -> AuditEvent {
        let details: AuditDetails = details
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        AuditEvent {
            details,
            ..AuditEvent::new(action)
        }
    }

    #[test]
    fn a_new_role_has_the_next_revision_of_the_catalogue_and_admin_gets_its_permissions() {
        let facts = CatalogueFacts {
            holders: 0,
            ..facts()
        };
        let change = write("author", &["posts:write", "posts:add"])
            .decide(&facts, now())
            .expect("the rules allow the change");

        let mut all = permissions(&["posts:add", "posts:write"]);
        all.extend(crate::role::OWN_PERMISSIONS);
        let details = [
            ("role", "author"),
            ("permissions", "posts:add posts:write"),
            ("self_assignable", "true"),
        ];
        let expected = CatalogueChange {
            written: Some(RoleWritten {
                role: Role {
                    name: RoleName::parse("author").expect("the role name is valid"),
                    description: Description::parse("May edit.").expect("the description is valid"),
                    permissions: permissions(&["posts:add", "posts:write"]),
                    self_assignable: true,
                    revision: Revision(4),
                },
                created: true,
                holders: 0,
            }),
            unchanged: None,
            removed: None,
            admin: Some(Role {
                permissions: all,
                revision: Revision(4),
                ..built_in()[0].clone()
            }),
            event: Some(event(AuditAction::RoleCreated, &details)),
        };
        assert_eq!(change, expected);
    }

    #[test]
    fn a_role_that_exists_is_replaced_at_the_next_revision_of_the_catalogue() {
        let mut facts = facts();
        facts.roles[1].revision = Revision(9);
        facts.roles[0].permissions.extend(permissions(&["posts:write"]));
        let change = write("editor", &[])
            .decide(&facts, now())
            .expect("the rules allow the change");

        let written = change.written.expect("the change writes the role");
        assert_eq!((written.created, written.holders), (false, 12));
        assert_eq!(written.role.revision, Revision(10));
        assert_eq!(written.role.permissions, permissions(&[]));
        assert_eq!(
            change.admin.map(|admin| (admin.permissions, admin.revision)),
            Some((crate::role::OWN_PERMISSIONS.into(), Revision(10)))
        );
        let details = [
            ("role", "editor"),
            ("permissions", ""),
            ("self_assignable", "true"),
        ];
        assert_eq!(change.event, Some(event(AuditAction::RoleChanged, &details)));
    }

    #[test]
    fn a_role_is_written_only_if_a_part_of_it_changes() {
        let same = || WriteRole {
            description: Description::default(),
            self_assignable: false,
            ..write("editor", &["posts:write"])
        };
        let unchanged = same()
            .decide(&facts(), now())
            .expect("the rules allow the change");
        assert_eq!((unchanged.stored().count(), &unchanged.event), (0, &None));
        let expected = RoleWritten {
            role: role("editor", &["posts:write"]),
            created: false,
            holders: 12,
        };
        assert_eq!(unchanged.into_written(), Ok(expected));

        let changes: [fn(&mut WriteRole); 3] = [
            |command| command.description = Description::parse("May edit.").expect("it is valid"),
            |command| command.permissions = permissions(&["posts:read", "posts:write"]),
            |command| command.self_assignable = true,
        ];
        for change in changes {
            let mut command = same();
            change(&mut command);
            let decided = command
                .decide(&facts(), now())
                .expect("the rules allow the change");
            assert!(
                decided.written.is_some() && decided.event.is_some(),
                "{command:?}"
            );
        }
    }

    #[test]
    fn an_unchanged_role_is_refused_like_a_changed_one() {
        let same = WriteRole {
            description: Description::default(),
            self_assignable: false,
            precondition: Precondition::Missing,
            ..write("editor", &["posts:write"])
        };
        assert_eq!(refusal(&same, &facts()), Some(Refusal::RevisionMismatch));
        let facts = CatalogueFacts {
            caller: Some(snapshot(permissions(&["posts:write"]))),
            ..facts()
        };
        let denied = Denied::Forbidden(Permission::ROLES_WRITE).into();
        assert_eq!(refusal(&same, &facts), Some(denied));
    }

    #[test]
    fn admin_is_left_alone_if_its_permissions_stay_the_same() {
        let change = write("author", &["users:read"])
            .decide(&full(2), now())
            .expect("the rules allow the change");
        assert_eq!(change.admin, None);
    }

    #[test]
    fn refusals_are_reported_in_a_fixed_order() {
        assert_refused_in_order(
            &write("author", &["users:read"]),
            &full(2),
            refusal,
            &[
                (|_, facts| facts.caller = None, Denied::Stale.into()),
                (
                    |_, facts| facts.caller = Some(snapshot(permissions(&["users:read"]))),
                    Denied::Forbidden(Permission::ROLES_WRITE).into(),
                ),
                (
                    |command, _| command.precondition = Precondition::Existing,
                    Refusal::RevisionMismatch,
                ),
                (
                    |_, facts| facts.roles = full(MAX_ROLES).roles,
                    Refusal::CatalogueFull,
                ),
            ],
        );
    }

    #[test]
    fn a_role_is_written_only_within_the_rights_of_the_caller() {
        let mut caller = snapshot(permissions(&["roles:write", "users:read", "posts:write"]));
        user_in(&mut caller)
            .roles
            .insert(RoleName::parse("editor").expect("the role name is valid"));
        let facts = CatalogueFacts {
            caller: Some(caller),
            ..facts()
        };
        let closed = |texts: &[&str]| WriteRole {
            self_assignable: false,
            ..write("editor", texts)
        };
        for (command, expected) in [
            (closed(&["users:read"]), None),
            (
                closed(&["users:read", "users:write"]),
                Some(Denied::NotGrantable(Permission::USERS_WRITE)),
            ),
            (write("editor", &["users:read"]), Some(Denied::NotSelfAssignable)),
            // A role that the caller does not have.
            (write("author", &["users:read"]), Some(Denied::OutOfReach)),
        ] {
            let refused = refusal(&command, &facts);
            assert_eq!(refused, expected.map(Refusal::Denied), "{command:?}");
        }
    }

    #[test]
    fn the_precondition_is_compared_with_the_role_of_the_name() {
        for (name, precondition, refused) in [
            ("editor", Precondition::At(Revision(3)), false),
            ("editor", Precondition::At(Revision(2)), true),
            ("editor", Precondition::Existing, false),
            ("editor", Precondition::Missing, true),
            ("author", Precondition::At(Revision(3)), true),
            ("author", Precondition::At(Revision::FIRST), true),
            ("author", Precondition::Existing, true),
            ("author", Precondition::Missing, false),
            ("author", Precondition::None, false),
        ] {
            let command = WriteRole {
                precondition,
                ..write(name, &[])
            };
            let expected = refused.then_some(Refusal::RevisionMismatch);
            assert_eq!(refusal(&command, &facts()), expected, "{name} {precondition:?}");
        }
    }

    #[test]
    fn a_full_catalogue_rejects_new_roles_but_accepts_changes() {
        for (count, name, refused) in [
            (MAX_ROLES - 1, "author", false),
            (MAX_ROLES, "author", true),
            (MAX_ROLES + 1, "author", true),
            (MAX_ROLES, "role7", false),
        ] {
            let expected = refused.then_some(Refusal::CatalogueFull);
            assert_eq!(
                refusal(&write(name, &[]), &full(count)),
                expected,
                "{name} of {count}"
            );
        }
    }

    #[test]
    fn the_operator_needs_no_session() {
        let command = WriteRole {
            authorized_by: None,
            ..write("editor", &["never:seen"])
        };
        let facts = CatalogueFacts {
            caller: None,
            ..facts()
        };
        assert_eq!(refusal(&command, &facts), None);
    }

    #[test]
    fn the_role_is_read_without_a_lock_against_assignment() {
        let expected = CatalogueReads {
            role: RoleName::parse("editor").expect("the role name is valid"),
            removes: false,
            caller: Some(token()),
        };
        assert_eq!(write("editor", &[]).reads(), expected);
    }
}
