use crate::memory::state::State;
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    authority::Denied,
    password::PasswordHash,
    ports::{Administer, Administered},
    session::EndReason,
    user::{Epoch, User, UserStatus},
};

pub(super) fn reset_password(
    state: &mut State,
    whom: Administer,
    hash: PasswordHash,
    context: &AuditContext,
) -> Administered {
    administer(state, whom, context, |state, mut user| {
        if let Some(kept) = state.users.get_mut(&user.id) {
            kept.hash = hash;
        }
        user.epoch = Epoch(user.epoch.0 + 1);
        user.must_change_password = true;
        state.keep_changed(&mut user, context.at);
        state.end_all(user.id, EndReason::PasswordReset, context.at);
        state.note(&AuditEvent::on(AuditAction::PasswordReset, user.id), context);
        Administered::Now(user)
    })
}

pub(super) fn set_status(
    state: &mut State,
    whom: Administer,
    status: UserStatus,
    context: &AuditContext,
) -> Administered {
    administer(state, whom, context, |state, mut user| {
        if user.status == status {
            return Administered::Now(user);
        }
        let action = match status {
            UserStatus::Disabled if state.is_last_admin(&user) => return Administered::LastAdmin,
            UserStatus::Disabled => {
                user.epoch = Epoch(user.epoch.0 + 1);
                state.end_all(user.id, EndReason::UserDisabled, context.at);
                AuditAction::UserDisabled
            }
            UserStatus::Active => AuditAction::UserEnabled,
        };
        user.status = status;
        state.keep_changed(&mut user, context.at);
        state.note(&AuditEvent::on(action, user.id), context);
        Administered::Now(user)
    })
}

pub(super) fn delete(state: &mut State, whom: Administer, context: &AuditContext) -> Administered {
    administer(state, whom, context, |state, user| {
        if state.is_last_admin(&user) {
            return Administered::LastAdmin;
        }
        state.users.remove(&user.id);
        state.sessions.retain(|_, session| session.opened.user != user.id);
        state.note(&AuditEvent::on(AuditAction::UserDeleted, user.id), context);
        Administered::Now(user)
    })
}

/// Makes `change` of the user as they are, if whoever asks may.
fn administer(
    state: &mut State,
    whom: Administer,
    context: &AuditContext,
    change: impl FnOnce(&mut State, User) -> Administered,
) -> Administered {
    let Some(user) = state.user(whom.user).cloned() else {
        return Administered::NoSuchUser;
    };
    if let Err(denied) = may_administer(state, whom, &user, context) {
        return Administered::Denied(denied);
    }
    if whom.if_revision.is_some_and(|revision| revision != user.revision) {
        return Administered::AnotherRevision;
    }
    change(state, user)
}

fn may_administer(
    state: &State,
    whom: Administer,
    user: &User,
    context: &AuditContext,
) -> Result<(), Denied> {
    let authority = state.authority(whom.authorized_by, context.at)?;
    authority.administer(&state.subject(user))
}
