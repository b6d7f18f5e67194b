use super::storing::joined;
use crate::memory::state::State;
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    authority::Denied,
    ports::{ChangePassword, ChangeRoles, RolesChanged},
    role::{RoleName, RoleNames},
    session::EndReason,
    user::{Epoch, User},
};

pub(super) fn change_roles(
    state: &mut State,
    change: ChangeRoles,
    context: &AuditContext,
) -> Result<RolesChanged, Denied> {
    let Some(mut user) = state.user(change.user).cloned() else {
        return Ok(RolesChanged::NoSuchUser);
    };
    let authority = state.authority(change.authorized_by, context.at)?;
    if let Some(unknown) = state.unknown(&change.roles) {
        return Ok(RolesChanged::UnknownRole(unknown.clone()));
    }
    let catalogue: Vec<_> = state.roles.values().cloned().collect();
    authority.assign(&state.subject(&user), &change.roles, &catalogue)?;
    if change
        .if_revision
        .is_some_and(|revision| revision != user.revision)
    {
        return Ok(RolesChanged::AnotherRevision);
    }
    if !change.roles.contains(&RoleName::ADMIN) && state.is_last_admin(&user) {
        return Ok(RolesChanged::LastAdmin);
    }
    let event = changed(&user, &change.roles, change.keep_sessions);
    user.roles = change.roles;
    user.epoch = Epoch(user.epoch.0 + 1);
    state.keep_changed(&mut user, context.at);
    let sessions_ended = if change.keep_sessions {
        0
    } else {
        state.end_all(user.id, EndReason::RolesChanged, context.at)
    };
    state.note(&event, context);
    Ok(RolesChanged::Now { user, sessions_ended })
}

fn changed(before: &User, after: &RoleNames, kept_sessions: bool) -> AuditEvent {
    let event = AuditEvent::on(AuditAction::RolesChanged, before.id)
        .with("before", joined(&before.roles))
        .with("after", joined(after));
    if kept_sessions {
        event.with("kept_sessions", true)
    } else {
        event
    }
}

/// The user as they are now, unless the caller no longer stands.
pub(super) fn change_password(
    state: &mut State,
    change: ChangePassword,
    context: &AuditContext,
) -> Option<User> {
    state.authority(Some(change.authorized_by), context.at).ok()?;
    let kept = state.users.get_mut(&change.authorized_by.user)?;
    kept.hash = change.hash;
    let mut user = kept.user.clone();
    user.epoch = Epoch(user.epoch.0 + 1);
    user.must_change_password = false;
    state.keep_changed(&mut user, context.at);
    state.end_all(user.id, EndReason::PasswordChanged, context.at);
    let session = change.session.id;
    state.store_session(change.session);
    let event = AuditEvent::on(AuditAction::PasswordChanged, user.id).in_session(session);
    state.note(&event, context);
    Some(user)
}
