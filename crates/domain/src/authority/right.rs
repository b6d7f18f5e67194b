//! The rights that use cases require, each with the permission that gives it.

use crate::role::Permission;

/// A right that a use case can require at compile time. An empty type represents each right.
pub trait Right {
    /// The permission that gives the right.
    const PERMISSION: Permission;
    /// Whether the right is one to change something, which requires that the caller's password was
    /// checked recently.
    const STEP_UP: bool;
}

/// The right to read users.
#[derive(Clone, Copy, Debug)]
pub enum UsersRead {}
/// The right to change a user's status or password, or to delete the user.
#[derive(Clone, Copy, Debug)]
pub enum UsersWrite {}
/// The right to assign roles to other users.
#[derive(Clone, Copy, Debug)]
pub enum RolesAssign {}
/// The right to change the role catalogue.
#[derive(Clone, Copy, Debug)]
pub enum RolesWrite {}
/// The right to list other users' sessions.
#[derive(Clone, Copy, Debug)]
pub enum SessionsList {}
/// The right to end other users' sessions.
#[derive(Clone, Copy, Debug)]
pub enum SessionsRevoke {}
/// The right to read, create and change machines.
#[derive(Clone, Copy, Debug)]
pub enum MachinesWrite {}
/// The right to read the audit log.
#[derive(Clone, Copy, Debug)]
pub enum AuditRead {}

impl Right for UsersRead {
    const PERMISSION: Permission = Permission::USERS_READ;
    const STEP_UP: bool = false;
}
impl Right for UsersWrite {
    const PERMISSION: Permission = Permission::USERS_WRITE;
    const STEP_UP: bool = true;
}
impl Right for RolesAssign {
    const PERMISSION: Permission = Permission::ROLES_ASSIGN;
    const STEP_UP: bool = true;
}
impl Right for RolesWrite {
    const PERMISSION: Permission = Permission::ROLES_WRITE;
    const STEP_UP: bool = true;
}
impl Right for SessionsList {
    const PERMISSION: Permission = Permission::SESSIONS_REVOKE;
    const STEP_UP: bool = false;
}
impl Right for SessionsRevoke {
    const PERMISSION: Permission = Permission::SESSIONS_REVOKE;
    const STEP_UP: bool = true;
}
impl Right for MachinesWrite {
    const PERMISSION: Permission = Permission::MACHINES_WRITE;
    const STEP_UP: bool = true;
}
impl Right for AuditRead {
    const PERMISSION: Permission = Permission::AUDIT_READ;
    const STEP_UP: bool = false;
}
