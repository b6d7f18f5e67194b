//! Authorisation rules. Use cases require a [`Capability`] before they begin; storage checks an
//! [`Authority`] again inside the transaction of the change, because a permission can be lost in
//! between.
//!
//! A change also requires that the caller's password was checked recently, which
//! [step-up](crate::step_up) is about, so that a stolen access token does not suffice. Changes of
//! one's own account verify the password in the request itself instead.
//!
//! A privilege is a permission, or a role that is not self-assignable: other services read role
//! names from tokens, so such a role is a privilege even without permissions. No caller can grant a
//! privilege they lack, or change a user or role that has one. No sequence of calls therefore leads
//! to more privileges, not even through other users' accounts.

mod requester;
mod right;

pub use requester::{Capability, Requester};
pub use right::{
    AuditRead, MachinesWrite, Right, RolesAssign, RolesWrite, SessionsList, SessionsRevoke, UsersRead,
    UsersWrite,
};

use crate::{
    caller::{Caller, SessionSnapshot},
    role::{Permission, Permissions, Role, RoleName, RoleNames},
    token::TokenIdentity,
    user::User,
};
use chrono::{DateTime, Duration, Utc};
use std::sync::Arc;
use thiserror::Error;

/// Why a change is not authorised.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    /// The caller's roles, password or status changed, or the session ended, during the request.
    #[error("the caller's token is outdated")]
    Stale,
    #[error("this requires the permission {}", .0.as_str())]
    Forbidden(Permission),
    /// The caller's password was last checked longer than `max_age` ago. A token from a new check
    /// of the password suffices.
    #[error("this requires a check of the password within the last {} seconds", max_age.num_seconds())]
    StepUpRequired { max_age: Duration },
    /// The target user or role has a permission or role that the caller lacks.
    #[error("the user or role has a permission or role that the caller lacks")]
    OutOfReach,
    #[error("the caller may not assign the role {0}")]
    NotAssignable(RoleName),
    #[error("the caller may not grant the permission {}", .0.as_str())]
    NotGrantable(Permission),
    /// The caller is not an admin, and the change would let users take a role or permissions.
    #[error("only an admin may make a role or more of its permissions self-assignable")]
    NotSelfAssignable,
}

impl Denied {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stale => "token_outdated",
            Self::Forbidden(_) => "forbidden",
            Self::StepUpRequired { .. } => "insufficient_user_authentication",
            Self::OutOfReach => "out_of_reach",
            Self::NotAssignable(_) => "role_not_assignable",
            Self::NotGrantable(_) => "permission_not_grantable",
            Self::NotSelfAssignable => "self_assignable_not_grantable",
        }
    }
}

/// The user to change, with their privileges, as read in the transaction that changes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub user: User,
    /// The permissions of all of the user's roles.
    pub permissions: Permissions,
    /// The user's roles that are not self-assignable.
    pub privileged_roles: RoleNames,
}

/// The requester, as read in the transaction that makes the change.
#[derive(Clone, Debug)]
pub enum Authority {
    Operator,
    Caller(Caller),
}

impl Target {
    /// Creates the target for `user`. `catalogue` contains the roles of the user. Other roles are
    /// ignored.
    #[must_use]
    pub fn new<'a>(user: User, catalogue: impl IntoIterator<Item = &'a Role>) -> Self {
        let (mut permissions, mut privileged_roles) = (Permissions::new(), RoleNames::new());
        for role in catalogue
            .into_iter()
            .filter(|role| user.roles.contains(&role.name))
        {
            permissions.extend(role.permissions.iter().cloned());
            if !role.self_assignable {
                privileged_roles.insert(role.name.clone());
            }
        }
        Self {
            user,
            permissions,
            privileged_roles,
        }
    }
}

impl Authority {
    /// Returns the authority of the holder of `token` at `now`, or of the operator if there is no
    /// token. `snapshot` is the snapshot of the token's session, if the session exists.
    ///
    /// # Errors
    /// Returns [`Denied::Stale`] if the session no longer validates the token.
    pub fn validate(
        token: Option<TokenIdentity>,
        snapshot: Option<SessionSnapshot>,
        now: DateTime<Utc>,
    ) -> Result<Self, Denied> {
        let Some(token) = token else {
            return Ok(Self::Operator);
        };
        snapshot
            .and_then(|snapshot| Arc::new(snapshot).validate(token, now).ok())
            .map(Self::Caller)
            .ok_or(Denied::Stale)
    }

    /// Checks that the roles of `target` may be replaced with `requested`. `catalogue` contains the
    /// roles named in `requested`.
    ///
    /// Users may drop their own roles and take self-assignable ones. Callers with `roles:assign`
    /// may assign roles of which they have every permission, if they have the role itself or the
    /// permission to assign it.
    ///
    /// # Errors
    /// Returns [`Denied`] if the authority does not cover the change.
    pub fn assign(&self, target: &Target, requested: &RoleNames, catalogue: &[Role]) -> Result<(), Denied> {
        let Self::Caller(caller) = self else {
            return Ok(());
        };
        let assigner = caller.may(&Permission::ROLES_ASSIGN);
        if !caller.is(target.user.id) {
            require(caller, &Permission::ROLES_ASSIGN)?;
            within_reach(caller, target)?;
        }
        let may_give = |name: &RoleName| {
            catalogue
                .iter()
                .any(|role| role.name == *name && (role.self_assignable || assigner && reaches(caller, role)))
        };
        match requested
            .difference(&target.user.roles)
            .find(|name| !may_give(name))
        {
            Some(name) => Err(Denied::NotAssignable(name.clone())),
            None => Ok(()),
        }
    }

    /// Checks that `target` may be disabled, enabled or deleted, or have their password reset.
    /// Callers may always change their own account.
    ///
    /// # Errors
    /// Returns [`Denied`] if the authority does not cover the change.
    pub fn administer(&self, target: &Target) -> Result<(), Denied> {
        self.change(target, &Permission::USERS_WRITE)
    }

    /// Checks that the sessions of `target` may be ended.
    ///
    /// # Errors
    /// Returns [`Denied`] if the authority does not cover the change.
    pub fn revoke(&self, target: &Target) -> Result<(), Denied> {
        self.change(target, &Permission::SESSIONS_REVOKE)
    }

    /// Checks that `after` may replace `before` in the catalogue. Only an admin creates a role,
    /// because its first holder would gain a privilege that no user has.
    ///
    /// # Errors
    /// Returns [`Denied`] if the authority does not cover the change.
    pub fn write_role(&self, before: Option<&Role>, after: &Role) -> Result<(), Denied> {
        let Self::Caller(caller) = self else {
            return Ok(());
        };
        require(caller, &Permission::ROLES_WRITE)?;
        if is_admin(caller) {
            return Ok(());
        }
        let before = before
            .filter(|before| has(caller, before))
            .ok_or(Denied::OutOfReach)?;
        if let Some(permission) = after.permissions.iter().find(|it| !caller.may(it)) {
            return Err(Denied::NotGrantable(permission.clone()));
        }
        let narrows = before.self_assignable && after.permissions.is_subset(&before.permissions);
        if after.self_assignable && !narrows {
            return Err(Denied::NotSelfAssignable);
        }
        Ok(())
    }

    /// Checks that `role` may be removed from the catalogue.
    ///
    /// # Errors
    /// Returns [`Denied`] if the authority does not cover the change.
    pub fn remove_role(&self, role: &Role) -> Result<(), Denied> {
        let Self::Caller(caller) = self else {
            return Ok(());
        };
        require(caller, &Permission::ROLES_WRITE)?;
        if is_admin(caller) || has(caller, role) {
            Ok(())
        } else {
            Err(Denied::OutOfReach)
        }
    }

    /// Checks that a machine with `roles` may be changed or removed. `catalogue` contains all
    /// roles. A machine has the privileges of its roles, so the caller must reach each of them.
    ///
    /// # Errors
    /// Returns [`Denied`] if the authority does not cover the change.
    pub fn administer_machine(&self, roles: &RoleNames, catalogue: &[Role]) -> Result<(), Denied> {
        let Self::Caller(caller) = self else {
            return Ok(());
        };
        require(caller, &Permission::MACHINES_WRITE)?;
        let mut held = catalogue.iter().filter(|role| roles.contains(&role.name));
        if held.all(|role| may_hold_through_machine(caller, role)) {
            Ok(())
        } else {
            Err(Denied::OutOfReach)
        }
    }

    /// Checks that the roles of a machine may be replaced with `requested`. `current` is empty for
    /// a machine that is created, and `catalogue` contains all roles. The caller must reach each
    /// privilege of the machine before and after, because its secrets can be used by the caller.
    ///
    /// # Errors
    /// Returns [`Denied`] if the authority does not cover the change.
    pub fn assign_to_machine(
        &self,
        current: &RoleNames,
        requested: &RoleNames,
        catalogue: &[Role],
    ) -> Result<(), Denied> {
        self.administer_machine(current, catalogue)?;
        let Self::Caller(caller) = self else {
            return Ok(());
        };
        let mut given = catalogue.iter().filter(|role| requested.contains(&role.name));
        match given.find(|role| !may_hold_through_machine(caller, role)) {
            Some(role) => Err(Denied::NotAssignable(role.name.clone())),
            None => Ok(()),
        }
    }

    fn change(&self, target: &Target, permission: &Permission) -> Result<(), Denied> {
        match self {
            Self::Caller(caller) if !caller.is(target.user.id) => {
                require(caller, permission)?;
                within_reach(caller, target)
            }
            Self::Caller(_) | Self::Operator => Ok(()),
        }
    }
}

fn require(caller: &Caller, permission: &Permission) -> Result<(), Denied> {
    if caller.may(permission) {
        Ok(())
    } else {
        Err(Denied::Forbidden(permission.clone()))
    }
}

/// Checks that `caller` reaches every permission and role of `target`. Admins are within reach of
/// admins only, even for a caller who has every permission: only admins may grant permissions that
/// no user has yet.
fn within_reach(caller: &Caller, target: &Target) -> Result<(), Denied> {
    let is_reached = target.permissions.is_subset(caller.permissions())
        && target
            .privileged_roles
            .iter()
            .all(|role| reaches_role(caller, role));
    if is_reached || is_admin(caller) {
        Ok(())
    } else {
        Err(Denied::OutOfReach)
    }
}

/// Returns whether the caller may assign `role` and change users who have it.
fn reaches(caller: &Caller, role: &Role) -> bool {
    let is_reached = || role.permissions.is_subset(caller.permissions()) && reaches_role(caller, &role.name);
    is_admin(caller) || is_reached()
}

/// Returns whether the caller reaches every privilege of `role`. A self-assignable role is not one
/// itself, but its permissions are.
fn may_hold_through_machine(caller: &Caller, role: &Role) -> bool {
    let is_reached = || role.self_assignable || reaches_role(caller, &role.name);
    is_admin(caller) || role.permissions.is_subset(caller.permissions()) && is_reached()
}

/// Returns whether the caller has the role, or a permission to assign it. No permission covers
/// `admin`.
fn reaches_role(caller: &Caller, role: &RoleName) -> bool {
    let is_granted = || Permission::to_assign(role).is_some_and(|granted| caller.may(&granted));
    caller.principal().roles().contains(role) || *role != RoleName::ADMIN && is_granted()
}

/// Returns whether the caller has `role`.
fn has(caller: &Caller, role: &Role) -> bool {
    caller.principal().roles().contains(&role.name)
}

fn is_admin(caller: &Caller) -> bool {
    caller.principal().roles().contains(&RoleName::ADMIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{EPOCH, SESSION, USER, caller_with, now, roles, snapshot_with, user, user_in},
        revision::Revision,
        role::{Description, OWN_PERMISSIONS, built_in},
        step_up::StepUp,
        user::{Epoch, UserId},
    };
    use uuid::Uuid;

    fn permissions(texts: &[&str]) -> Permissions {
        let parse = |text: &&str| Permission::parse(text).expect("the permission is valid");
        texts.iter().map(parse).collect()
    }

    /// A user with the role `user` and these permissions.
    fn with(texts: &[&str]) -> Authority {
        Authority::Caller(caller_with(permissions(texts)))
    }

    fn admin() -> Authority {
        let mut snapshot = snapshot_with(OWN_PERMISSIONS.into());
        user_in(&mut snapshot).roles.insert(RoleName::ADMIN);
        validated(snapshot)
    }

    /// Another user with these roles, which are self-assignable except `admin`, and permissions.
    fn another(names: &[&str], texts: &[&str]) -> Target {
        let open = names.iter().map(|name| role(name, &[], *name != "admin"));
        let open: Vec<_> = open.collect();
        let user = User {
            id: UserId(Uuid::from_u128(77)),
            roles: roles(names),
            ..user()
        };
        Target {
            permissions: permissions(texts),
            ..Target::new(user, &open)
        }
    }

    /// Another user with the role `name`, which is not self-assignable.
    fn holder(name: &str, texts: &[&str]) -> Target {
        Target {
            privileged_roles: roles(&[name]),
            ..another(&[name], texts)
        }
    }

    fn own_account(names: &[&str]) -> Target {
        let user = User {
            roles: roles(names),
            ..user()
        };
        Target::new(user, [])
    }

    /// A user with the roles `user` and `name`, and these permissions.
    fn having(name: &str, texts: &[&str]) -> Authority {
        let mut snapshot = snapshot_with(permissions(texts));
        user_in(&mut snapshot).roles.extend(roles(&[name]));
        validated(snapshot)
    }

    fn validated(snapshot: SessionSnapshot) -> Authority {
        let identity = TokenIdentity {
            principal: USER.into(),
            session: SESSION,
            epoch: EPOCH,
        };
        Authority::validate(Some(identity), Some(snapshot), now()).expect("the session validates the token")
    }

    fn role(name: &str, texts: &[&str], self_assignable: bool) -> Role {
        Role {
            name: RoleName::parse(name).expect("the role name is valid"),
            description: Description::default(),
            permissions: permissions(texts),
            self_assignable,
            revision: Revision::FIRST,
        }
    }

    /// The built-in roles, `reader` with `users:read`, and the self-assignable `guest`.
    fn catalogue() -> Vec<Role> {
        built_in()
            .into_iter()
            .chain([
                role("reader", &["users:read"], false),
                role("guest", &["a:b"], true),
            ])
            .collect()
    }

    fn not_assignable(name: &str) -> Result<(), Denied> {
        Err(Denied::NotAssignable(
            RoleName::parse(name).expect("the role name is valid"),
        ))
    }

    fn forbidden(permission: Permission) -> Result<(), Denied> {
        Err(Denied::Forbidden(permission))
    }

    #[test]
    fn a_capability_requires_the_permission_or_the_operator() {
        let reader = caller_with(permissions(&["users:read"]));
        assert!(reader.capability::<UsersRead>().is_ok());
        let refused = reader.capability::<UsersWrite>().map(|_| ());
        assert_eq!(refused, forbidden(Permission::USERS_WRITE));
        assert!(Requester::Operator.capability::<RolesWrite>().is_ok());
        let all = [
            UsersRead::PERMISSION,
            UsersWrite::PERMISSION,
            RolesAssign::PERMISSION,
            RolesWrite::PERMISSION,
            SessionsRevoke::PERMISSION,
            AuditRead::PERMISSION,
        ];
        assert_eq!(Permissions::from(all), Permissions::from(OWN_PERMISSIONS));
    }

    type Ask = fn(&Caller) -> Result<(), Denied>;

    fn ask<R: Right>(caller: &Caller) -> Result<(), Denied> {
        caller.capability::<R>().map(|_| ())
    }

    #[test]
    fn rights_to_change_something_require_a_recent_check_of_the_password_after_the_permission() {
        let max_age = Duration::minutes(15);
        let old = |permissions| caller_with(permissions).with_step_up(StepUp::Required { max_age });
        let rights: [(Ask, Permission, bool); 7] = [
            (ask::<UsersRead>, Permission::USERS_READ, false),
            (ask::<UsersWrite>, Permission::USERS_WRITE, true),
            (ask::<RolesAssign>, Permission::ROLES_ASSIGN, true),
            (ask::<RolesWrite>, Permission::ROLES_WRITE, true),
            (ask::<SessionsList>, Permission::SESSIONS_REVOKE, false),
            (ask::<SessionsRevoke>, Permission::SESSIONS_REVOKE, true),
            (ask::<AuditRead>, Permission::AUDIT_READ, false),
        ];
        for (ask, permission, changes) in rights {
            let holder = old([permission.clone()].into());
            let expected = if changes {
                Err(Denied::StepUpRequired { max_age })
            } else {
                Ok(())
            };
            assert_eq!(ask(&holder), expected, "{permission:?}");
            assert_eq!(ask(&holder.with_step_up(StepUp::Recent)), Ok(()));
            assert_eq!(ask(&old(Permissions::new())), forbidden(permission));
        }
        assert!(Requester::Operator.capability::<UsersWrite>().is_ok());
    }

    #[test]
    fn an_authority_requires_a_valid_session_and_user() {
        let identity = TokenIdentity {
            principal: USER.into(),
            session: SESSION,
            epoch: EPOCH,
        };
        let snapshot = || snapshot_with(Permissions::new());
        assert!(matches!(
            Authority::validate(None, None, now()),
            Ok(Authority::Operator)
        ));
        assert!(Authority::validate(Some(identity), Some(snapshot()), now()).is_ok());
        let mut changed = snapshot();
        user_in(&mut changed).epoch = Epoch(5);
        let late = snapshot().lifetime.expires_at;
        for (snapshot, at) in [(None, now()), (Some(changed), now()), (Some(snapshot()), late)] {
            let refused = Authority::validate(Some(identity), snapshot, at).map(|_| ());
            assert_eq!(refused, Err(Denied::Stale));
        }
    }

    #[test]
    fn users_may_drop_own_roles_and_take_self_assignable_ones() {
        let unprivileged = || with(&[]);
        let assigner = || with(&["roles:assign", "users:read"]);
        let granted = || with(&["roles:assign", "users:read", "assign:reader", "assign:admin"]);
        for (by, current, requested, expected) in [
            (unprivileged(), &["user"][..], &[][..], Ok(())),
            (unprivileged(), &["admin", "user"], &["user"], Ok(())),
            (unprivileged(), &[], &["guest", "user"], Ok(())),
            (unprivileged(), &["admin"], &["admin"], Ok(())),
            (
                unprivileged(),
                &["user"],
                &["admin", "user"],
                not_assignable("admin"),
            ),
            (unprivileged(), &[], &["reader"], not_assignable("reader")),
            (unprivileged(), &[], &["unheard-of"], not_assignable("unheard-of")),
            // All permissions of the role do not suffice to take it.
            (assigner(), &[], &["reader"], not_assignable("reader")),
            (granted(), &[], &["reader"], Ok(())),
            (granted(), &[], &["admin"], not_assignable("admin")),
            (
                with(&["assign:reader", "users:read"]),
                &[],
                &["reader"],
                not_assignable("reader"),
            ),
            (
                with(&["roles:assign", "assign:reader"]),
                &[],
                &["reader"],
                not_assignable("reader"),
            ),
            (admin(), &[], &["admin", "reader"], Ok(())),
            (Authority::Operator, &[], &["admin"], Ok(())),
        ] {
            let answer = by.assign(&own_account(current), &roles(requested), &catalogue());
            assert_eq!(answer, expected, "{by:?}: {current:?} -> {requested:?}");
        }
    }

    #[test]
    fn callers_assign_only_their_own_permissions_and_only_to_users_within_reach() {
        let assigner = || having("reader", &["roles:assign", "users:read"]);
        let granted = || with(&["roles:assign", "users:read", "assign:reader"]);
        for (by, target, requested, expected) in [
            (
                with(&["users:write"]),
                another(&[], &[]),
                &[][..],
                forbidden(Permission::ROLES_ASSIGN),
            ),
            (assigner(), another(&[], &[]), &["reader", "guest"], Ok(())),
            (assigner(), another(&[], &[]), &["admin"], not_assignable("admin")),
            (granted(), another(&[], &[]), &["reader", "guest"], Ok(())),
            (assigner(), holder("reader", &["users:read"]), &[], Ok(())),
            (granted(), holder("reader", &["users:read"]), &[], Ok(())),
            (
                with(&["roles:assign", "users:read"]),
                holder("reader", &["users:read"]),
                &[],
                Err(Denied::OutOfReach),
            ),
            // A role without permissions is a privilege too.
            (assigner(), holder("finance", &[]), &[], Err(Denied::OutOfReach)),
            (
                assigner(),
                another(&["x"], &["users:write"]),
                &[],
                Err(Denied::OutOfReach),
            ),
            (assigner(), another(&["admin"], &[]), &[], Err(Denied::OutOfReach)),
            (
                admin(),
                another(&["admin"], &["never:seen"]),
                &["admin", "reader"],
                Ok(()),
            ),
            (Authority::Operator, another(&["admin"], &["a:b"]), &[], Ok(())),
        ] {
            let answer = by.assign(&target, &roles(requested), &catalogue());
            assert_eq!(answer, expected, "{by:?}: {target:?} -> {requested:?}");
        }
    }

    #[test]
    fn only_admins_make_or_change_admins_whatever_permissions_others_have() {
        let everything: Vec<_> = OWN_PERMISSIONS
            .iter()
            .map(|own| own.as_str().to_owned())
            .collect();
        let everything: Vec<_> = everything.iter().map(String::as_str).collect();
        let by = with(&everything);
        let made = by.assign(&another(&[], &[]), &roles(&["admin"]), &catalogue());
        assert_eq!(made, not_assignable("admin"));
        assert_eq!(
            by.administer(&another(&["admin"], &everything)),
            Err(Denied::OutOfReach)
        );
        assert_eq!(by.remove_role(&catalogue()[0]), Err(Denied::OutOfReach));
    }

    #[test]
    fn accounts_and_sessions_are_changed_only_with_permission_and_within_reach() {
        let writer = || with(&["users:write", "a:b"]);
        for (by, target, expected) in [
            (with(&[]), own_account(&["admin"]), Ok(())),
            (
                with(&["users:read"]),
                another(&[], &[]),
                forbidden(Permission::USERS_WRITE),
            ),
            (writer(), another(&["x"], &["a:b"]), Ok(())),
            (writer(), another(&["x"], &["a:c"]), Err(Denied::OutOfReach)),
            (writer(), holder("finance", &[]), Err(Denied::OutOfReach)),
            (
                having("finance", &["users:write"]),
                holder("finance", &[]),
                Ok(()),
            ),
            (
                with(&["users:write", "assign:finance"]),
                holder("finance", &[]),
                Ok(()),
            ),
            (admin(), holder("finance", &[]), Ok(())),
            (admin(), another(&["admin"], &["a:c"]), Ok(())),
            (Authority::Operator, another(&["admin"], &["a:c"]), Ok(())),
        ] {
            assert_eq!(by.administer(&target), expected, "{by:?}: {target:?}");
        }
        let revoker = with(&["sessions:revoke"]);
        assert_eq!(revoker.revoke(&another(&[], &[])), Ok(()));
        assert_eq!(
            revoker.revoke(&another(&["x"], &["a:b"])),
            Err(Denied::OutOfReach)
        );
        assert_eq!(
            writer().revoke(&another(&[], &[])),
            forbidden(Permission::SESSIONS_REVOKE)
        );
    }

    #[test]
    fn only_admins_write_roles_that_they_lack_or_widen_what_users_can_take() {
        let writer = || having("x", &["roles:write", "a:b", "a:c"]);
        let closed = |texts: &[&str]| role("x", texts, false);
        let open = |texts: &[&str]| role("x", texts, true);
        let not_grantable = || {
            Err(Denied::NotGrantable(
                Permission::parse("a:d").expect("the permission is valid"),
            ))
        };
        let lacking = || with(&["roles:write", "a:b", "a:c"]);
        let cases = [
            (
                with(&["a:b"]),
                None,
                closed(&[]),
                forbidden(Permission::ROLES_WRITE),
            ),
            (writer(), Some(closed(&["a:b"])), closed(&["a:c"]), Ok(())),
            (
                writer(),
                Some(closed(&["a:b"])),
                closed(&["a:d"]),
                not_grantable(),
            ),
            (
                writer(),
                Some(closed(&[])),
                open(&[]),
                Err(Denied::NotSelfAssignable),
            ),
            (
                writer(),
                Some(open(&["a:b"])),
                open(&["a:b", "a:c"]),
                Err(Denied::NotSelfAssignable),
            ),
            (writer(), Some(open(&["a:b"])), open(&[]), Ok(())),
            (writer(), Some(open(&["a:b"])), closed(&["a:b", "a:c"]), Ok(())),
            // A role that does not exist has no holder.
            (writer(), None, closed(&["a:b"]), Err(Denied::OutOfReach)),
            (
                lacking(),
                Some(closed(&["a:b"])),
                closed(&["a:b"]),
                Err(Denied::OutOfReach),
            ),
            (
                lacking(),
                Some(open(&["a:b"])),
                open(&[]),
                Err(Denied::OutOfReach),
            ),
            (admin(), None, open(&["never:seen"]), Ok(())),
            (admin(), Some(closed(&["a:d"])), closed(&[]), Ok(())),
            (Authority::Operator, Some(closed(&["a:d"])), open(&[]), Ok(())),
        ];
        for (by, before, after, expected) in cases {
            let answer = by.write_role(before.as_ref(), &after);
            assert_eq!(answer, expected, "{by:?}: {before:?} -> {after:?}");
        }
    }

    #[test]
    fn only_admins_remove_roles_that_they_lack() {
        let x = role("x", &[], false);
        for (by, expected) in [
            (with(&[]), forbidden(Permission::ROLES_WRITE)),
            (with(&["roles:write"]), Err(Denied::OutOfReach)),
            (having("x", &["roles:write"]), Ok(())),
            (admin(), Ok(())),
            (Authority::Operator, Ok(())),
        ] {
            assert_eq!(by.remove_role(&x), expected, "{by:?}");
        }
    }
}
