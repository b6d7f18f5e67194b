use crate::memory::state::State;
use domain::{
    audit::{AuditAction, AuditEvent, Stamp},
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
    stamp: &Stamp,
) -> Administered {
    administer(state, whom, stamp, |state, mut user| {
        if let Some(kept) = state.users.get_mut(&user.id) {
            kept.hash = hash;
        }
        user.epoch = Epoch(user.epoch.0 + 1);
        user.must_change_password = true;
        state.keep_changed(&mut user, stamp.at);
        state.end_all(user.id, EndReason::PasswordReset, stamp.at);
        state.note(&AuditEvent::on(AuditAction::PasswordReset, user.id), stamp);
        Administered::Now(user)
    })
}

pub(super) fn set_status(
    state: &mut State,
    whom: Administer,
    status: UserStatus,
    stamp: &Stamp,
) -> Administered {
    administer(state, whom, stamp, |state, mut user| {
        if user.status == status {
            return Administered::Now(user);
        }
        let action = match status {
            UserStatus::Disabled if state.is_last_admin(&user) => return Administered::LastAdmin,
            UserStatus::Disabled => {
                user.epoch = Epoch(user.epoch.0 + 1);
                state.end_all(user.id, EndReason::UserDisabled, stamp.at);
                AuditAction::UserDisabled
            }
            UserStatus::Active => AuditAction::UserEnabled,
        };
        user.status = status;
        state.keep_changed(&mut user, stamp.at);
        state.note(&AuditEvent::on(action, user.id), stamp);
        Administered::Now(user)
    })
}

pub(super) fn delete(state: &mut State, whom: Administer, stamp: &Stamp) -> Administered {
    administer(state, whom, stamp, |state, user| {
        if state.is_last_admin(&user) {
            return Administered::LastAdmin;
        }
        state.users.remove(&user.id);
        state.sessions.retain(|_, session| session.opened.user != user.id);
        state.note(&AuditEvent::on(AuditAction::UserDeleted, user.id), stamp);
        Administered::Now(user)
    })
}

/// Makes `change` of the user as they are, if whoever asks may.
fn administer(
    state: &mut State,
    whom: Administer,
    stamp: &Stamp,
    change: impl FnOnce(&mut State, User) -> Administered,
) -> Administered {
    let Some(user) = state.user(whom.user).cloned() else {
        return Administered::NoSuchUser;
    };
    if let Err(denied) = may_administer(state, whom, &user, stamp) {
        return Administered::Denied(denied);
    }
    if whom.if_revision.is_some_and(|revision| revision != user.revision) {
        return Administered::AnotherRevision;
    }
    change(state, user)
}

fn may_administer(state: &State, whom: Administer, user: &User, stamp: &Stamp) -> Result<(), Denied> {
    let authority = state.authority(whom.only_while, stamp.at)?;
    authority.administer(&state.subject(user))
}
