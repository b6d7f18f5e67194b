use crate::memory::state::State;
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    ports::Inserted,
    role::{RoleName, RoleNames},
    user::{Credentials, ImportedUser, NewUser, User},
};

pub(super) fn insert(state: &mut State, new: NewUser, context: &AuditContext) -> Inserted {
    let user = new.registered_at(context.at);
    let stored = Credentials { user, hash: new.hash };
    store(state, stored, AuditAction::UserRegistered, context)
}

pub(super) fn import(state: &mut State, imported: ImportedUser, context: &AuditContext) -> Inserted {
    let new = NewUser {
        id: imported.id,
        login: imported.login,
        hash: imported.hash,
        roles: imported.roles,
    };
    let user = User {
        status: imported.status,
        created_at: imported.created_at,
        ..new.registered_at(context.at)
    };
    let stored = Credentials { user, hash: new.hash };
    store(state, stored, AuditAction::UserImported, context)
}

fn store(state: &mut State, new: Credentials, action: AuditAction, context: &AuditContext) -> Inserted {
    let is_taken = |kept: &Credentials| kept.user.login.canonical() == new.user.login.canonical();
    if state.users.values().any(is_taken) {
        return Inserted::LoginTaken;
    }
    if state.unknown(&new.user.roles).is_some() {
        return Inserted::UnknownRole;
    }
    let user = new.user.clone();
    state.users.insert(user.id, new);
    let event = AuditEvent::on(action, user.id).with("roles", joined(&user.roles));
    state.note(&event, context);
    Inserted::Now(user)
}

/// The names in order, one space between them.
pub(super) fn joined(names: &RoleNames) -> String {
    let names: Vec<_> = names.iter().map(RoleName::as_str).collect();
    names.join(" ")
}
