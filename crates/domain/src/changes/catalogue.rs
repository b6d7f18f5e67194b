//! What commands on the catalogue of roles read and decide.

use super::{ChangeError, Refusal};
use crate::{
    audit::AuditEvent,
    authority::Authority,
    caller::SessionSnapshot,
    invalidation::InvalidationScope,
    revision::Revision,
    role::{OWN_PERMISSIONS, Permissions, Role, RoleName},
    token::TokenIdentity,
};
use chrono::{DateTime, Utc};
use std::fmt;

/// A requested change to the catalogue of roles.
pub trait CatalogueCommand: fmt::Debug + Send + Sync {
    /// Returns what storage has to load and lock before [`decide`](Self::decide) is called.
    fn reads(&self) -> CatalogueReads;

    /// Decides what to change. The result depends on the command and the arguments alone.
    ///
    /// # Errors
    /// Returns a [`Refusal`] if the rules do not allow the change. In that case nothing may be
    /// written.
    fn decide(&self, facts: &CatalogueFacts, at: DateTime<Utc>) -> Result<CatalogueChange, Refusal>;
}

/// The data that a command on the catalogue reads in addition to the whole catalogue. Storage runs
/// such commands one at a time, and never at the same time as a command that compares permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueReads {
    /// The role to change.
    pub role: RoleName,
    /// Whether the role is removed. If so, no user may be given it until the transaction ends.
    pub removes: bool,
    /// The token that authorises the change. Its user and its session are locked.
    pub caller: Option<TokenIdentity>,
}

/// The data that was loaded in the transaction that makes the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueFacts {
    /// All roles.
    pub roles: Vec<Role>,
    /// The number of users and machines that have [`CatalogueReads::role`].
    pub holders: u64,
    /// The session of [`CatalogueReads::caller`] with its user and permissions, if it exists.
    pub caller: Option<SessionSnapshot>,
}

/// The data to write. Storage writes all of it or none. Every session snapshot becomes stale,
/// because snapshots do not record which roles their permissions come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueChange {
    /// A role to store, in place of one of the same name.
    pub written: Option<RoleWritten>,
    /// A role that already is as requested. Nothing is stored.
    pub unchanged: Option<RoleWritten>,
    /// A role to remove.
    pub removed: Option<RoleName>,
    /// `admin` afterwards, if it changes. Stored like [`written`](Self::written).
    pub admin: Option<Role>,
    /// The audit event to write in the same transaction; `None` if nothing changes.
    pub event: Option<AuditEvent>,
}

/// A role that was written, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleWritten {
    pub role: Role,
    /// Whether it is new.
    pub created: bool,
    /// The number of users and machines that have it.
    pub holders: u64,
}

impl CatalogueFacts {
    pub(super) fn find(&self, name: &RoleName) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == *name)
    }

    /// Validates the token of [`CatalogueReads::caller`] against the session as it is now.
    pub(super) fn authority(
        &self,
        token: Option<TokenIdentity>,
        at: DateTime<Utc>,
    ) -> Result<Authority, Refusal> {
        Ok(Authority::validate(token, self.caller.clone(), at)?)
    }

    /// Returns the revision that a change of the catalogue gives to every role that it writes. It
    /// is higher than every earlier one: the catalogue always contains the highest, because the
    /// removal of a role writes `admin`.
    pub(super) fn next_revision(&self) -> Revision {
        let highest = self.roles.iter().map(|role| role.revision).max();
        highest.map_or(Revision::FIRST, Revision::next)
    }

    /// Returns `admin` once `changed` is `now`, if it has to be written: because its permissions
    /// change, or to keep the highest revision after a removal.
    pub(super) fn admin_after(&self, changed: &RoleName, now: Option<&Role>) -> Option<Role> {
        let before = self.find(&RoleName::ADMIN)?;
        let permissions = self.admin_permissions_after(changed, now);
        let is_removal = now.is_none();
        (is_removal || permissions != before.permissions).then(|| Role {
            permissions,
            revision: self.next_revision(),
            ..before.clone()
        })
    }

    /// Returns the permissions of `admin` once `changed` is `now`: this service's own, and all that
    /// any other role has.
    fn admin_permissions_after(&self, changed: &RoleName, now: Option<&Role>) -> Permissions {
        let others = self.roles.iter().filter(|role| role.name != *changed);
        others
            .chain(now)
            .filter(|role| role.name != RoleName::ADMIN)
            .flat_map(|role| role.permissions.iter().cloned())
            .chain(OWN_PERMISSIONS)
            .collect()
    }
}

impl CatalogueChange {
    /// Returns the roles to store, each in place of one of the same name.
    pub fn stored(&self) -> impl Iterator<Item = &Role> {
        let written = self.written.as_ref().map(|written| &written.role);
        written.into_iter().chain(&self.admin)
    }

    /// Returns the role that was written, or that already was as requested.
    ///
    /// # Errors
    /// Returns [`Refusal::RoleNotFound`] if the change is not to write a role.
    pub fn into_written(self) -> Result<RoleWritten, Refusal> {
        self.written.or(self.unchanged).ok_or(Refusal::RoleNotFound)
    }
}

impl dyn CatalogueCommand + '_ {
    /// Returns what replicas must drop from their caches before the caller gets `result`.
    #[must_use]
    pub fn invalidated(&self, result: &Result<CatalogueChange, ChangeError>) -> Option<InvalidationScope> {
        let everything = Some(InvalidationScope::Everything);
        match result {
            Ok(_) => everything,
            Err(ChangeError::Refused(refusal)) => refusal.invalidates(everything, self.reads().caller),
            Err(ChangeError::Port(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::AuditAction,
        authority::Denied,
        changes::{
            DeleteRole, WriteRole,
            fixtures::{CALLER, role, token},
        },
        ports::PortError,
        revision::Precondition,
        role::{Description, Permission, built_in},
    };
    use proptest::prelude::*;

    fn write_role(authorized_by: Option<TokenIdentity>) -> WriteRole {
        WriteRole {
            name: RoleName::USER,
            description: Description::default(),
            permissions: Permissions::new(),
            self_assignable: false,
            precondition: Precondition::None,
            authorized_by,
        }
    }

    fn delete_role(authorized_by: Option<TokenIdentity>) -> DeleteRole {
        DeleteRole {
            name: RoleName::USER,
            if_revision: None,
            authorized_by,
        }
    }

    fn change() -> CatalogueChange {
        CatalogueChange {
            written: None,
            unchanged: None,
            removed: None,
            admin: None,
            event: Some(AuditEvent::new(AuditAction::RoleRemoved)),
        }
    }

    #[test]
    fn a_change_of_the_catalogue_invalidates_everything_and_a_refusal_what_it_shows_to_be_stale() {
        let everything = Some(InvalidationScope::Everything);
        let refused = |refusal: Refusal| Err(refusal.into());
        let results: [(Result<CatalogueChange, ChangeError>, Option<InvalidationScope>); 11] = [
            (Ok(change()), everything),
            // Another request removed the role.
            (refused(Refusal::RoleNotFound), everything),
            (
                refused(Denied::Stale.into()),
                Some(InvalidationScope::User(CALLER)),
            ),
            (refused(Denied::Forbidden(Permission::ROLES_WRITE).into()), None),
            (refused(Denied::OutOfReach.into()), None),
            (refused(Denied::NotGrantable(Permission::USERS_READ).into()), None),
            (refused(Refusal::RoleInUse(3)), None),
            (refused(Refusal::RevisionMismatch), None),
            (refused(Refusal::CatalogueFull), None),
            (Err(PortError::Overloaded.into()), None),
            (Err(PortError::Unavailable("down".into()).into()), None),
        ];
        let commands: [&dyn CatalogueCommand; 2] = [&write_role(Some(token())), &delete_role(Some(token()))];
        for command in commands {
            for (result, expected) in &results {
                assert_eq!(command.invalidated(result), *expected, "{command:?}: {result:?}");
            }
        }
    }

    #[test]
    fn a_stale_operator_invalidates_nothing() {
        let commands: [&dyn CatalogueCommand; 2] = [&write_role(None), &delete_role(None)];
        for command in commands {
            let result = Err(Denied::Stale.into());
            assert_eq!(command.invalidated(&result), None, "{command:?}");
        }
    }

    #[test]
    fn a_change_that_wrote_no_role_returns_none() {
        assert_eq!(change().into_written(), Err(Refusal::RoleNotFound));
        let written = RoleWritten {
            role: role("editor", &[]),
            created: true,
            holders: 0,
        };
        let change = CatalogueChange {
            written: Some(written.clone()),
            ..change()
        };
        assert_eq!(change.into_written(), Ok(written));
    }

    const NAMES: [&str; 4] = ["admin", "author", "editor", "user"];
    const TEXTS: [&str; 4] = ["posts:write", "posts:read", "users:read", "a:b"];

    fn some_role(name: usize, texts: &[usize]) -> Role {
        let texts: Vec<_> = texts.iter().map(|text| TEXTS[*text]).collect();
        role(NAMES[name], &texts)
    }

    proptest! {
        #[test]
        fn admin_has_this_services_permissions_and_those_of_all_other_roles(
            admin in prop::collection::vec(0..TEXTS.len(), 0..3),
            admin_has_own in any::<bool>(),
            others in prop::collection::btree_map(1..NAMES.len(), prop::collection::vec(0..TEXTS.len(), 0..3), 0..3),
            changed in 1..NAMES.len(),
            now in prop::option::of(prop::collection::vec(0..TEXTS.len(), 0..3)),
        ) {
            let mut admin = some_role(0, &admin);
            if admin_has_own {
                admin.permissions.extend(OWN_PERMISSIONS);
            }
            let before = admin.permissions.clone();
            let others: Vec<_> = others.iter().map(|(name, texts)| some_role(*name, texts)).collect();
            let facts = CatalogueFacts {
                roles: [admin].into_iter().chain(others.clone()).collect(),
                ..CatalogueFacts::default()
            };
            let changed = RoleName::parse(NAMES[changed]).expect("the role name is valid");
            let now = now.map(|texts| Role { name: changed.clone(), ..some_role(1, &texts) });

            let after = facts.admin_after(&changed, now.as_ref());
            let is_removal = now.is_none();

            let mut catalogue = others;
            catalogue.retain(|role| role.name != changed);
            catalogue.extend(now);
            let mut expected = Permissions::from(OWN_PERMISSIONS);
            for role in catalogue {
                expected.extend(role.permissions);
            }
            let is_written = is_removal || expected != before;
            prop_assert_eq!(after.as_ref().map(|admin| &admin.permissions), is_written.then_some(&expected));
            prop_assert!(after.is_none_or(|admin| admin.revision == Revision(4)));
        }
    }

    #[test]
    fn no_command_grants_admin_a_permission_that_no_other_role_has() {
        let facts = CatalogueFacts {
            roles: built_in().into(),
            ..CatalogueFacts::default()
        };
        let admin = role("admin", &["posts:write"]);
        assert_eq!(facts.admin_after(&RoleName::ADMIN, Some(&admin)), None);
    }
}
