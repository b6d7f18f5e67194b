use super::{MemoryStorage, state::State};
use async_trait::async_trait;
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    authority::Denied,
    ports::{MAX_ROLES, PortError, PutRole, RemoveRole, RolePut, RoleRemoved, Roles},
    revision::Revision,
    role::{Permission, Role, RoleNames},
};
use std::convert::identity;

#[async_trait]
impl Roles for MemoryStorage {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        let state = self.transaction()?;
        Ok(names
            .iter()
            .filter_map(|name| state.roles.get(name).cloned())
            .collect())
    }

    async fn list(&self) -> Result<Vec<Role>, PortError> {
        Ok(self.transaction()?.roles.values().cloned().collect())
    }

    async fn put(&self, put: PutRole, context: AuditContext) -> Result<RolePut, PortError> {
        let mut state = self.transaction()?;
        let answer = state.change(put.dry_run, |state| put_role(state, put, &context));
        Ok(answer.map_or_else(RolePut::Denied, identity))
    }

    async fn remove(&self, remove: RemoveRole, context: AuditContext) -> Result<RoleRemoved, PortError> {
        let mut state = self.transaction()?;
        let answer = state.change(remove.dry_run, |state| remove_role(state, &remove, &context));
        Ok(answer.map_or_else(RoleRemoved::Denied, identity))
    }
}

fn put_role(state: &mut State, put: PutRole, context: &AuditContext) -> Result<RolePut, Denied> {
    let before = state.roles.get(&put.name);
    let role = Role {
        name: put.name,
        description: put.description,
        permissions: put.permissions,
        self_assignable: put.self_assignable,
        revision: before.map_or(Revision::FIRST, |before| before.revision.next()),
    };
    state
        .authority(put.authorized_by, context.at)?
        .write_role(before, &role)?;
    let revision = before.map(|before| before.revision);
    if !put.precondition.is_met_by(revision) {
        return Ok(RolePut::AnotherRevision);
    }
    let created = before.is_none();
    if created && u32::try_from(state.roles.len()).is_ok_and(|count| count >= MAX_ROLES) {
        return Ok(RolePut::Full);
    }
    state.put_role(role.clone());
    state.note(&written(&role, created), context);
    let holders = state.holders(&role.name);
    Ok(RolePut::Now {
        role,
        created,
        holders,
    })
}

fn written(role: &Role, created: bool) -> AuditEvent {
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

fn remove_role(
    state: &mut State,
    remove: &RemoveRole,
    context: &AuditContext,
) -> Result<RoleRemoved, Denied> {
    let Some(role) = state.roles.get(&remove.name) else {
        return Ok(RoleRemoved::NoSuchRole);
    };
    state
        .authority(remove.authorized_by, context.at)?
        .remove_role(role)?;
    if remove
        .if_revision
        .is_some_and(|revision| revision != role.revision)
    {
        return Ok(RoleRemoved::AnotherRevision);
    }
    match state.holders(&remove.name) {
        0 => {}
        holders => return Ok(RoleRemoved::InUse(holders)),
    }
    state.remove_role(&remove.name);
    let event = AuditEvent::new(AuditAction::RoleRemoved).with("role", &remove.name);
    state.note(&event, context);
    Ok(RoleRemoved::Now)
}
