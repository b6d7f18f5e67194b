use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    audit::{AuditAction, Stamp},
    login::CanonicalLogin,
    password::PasswordHash,
    ports::{
        ChangePassword, ChangeRoles, Inserted, PasswordChanged, PortError, RolesChanged, StatusChanged, Users,
    },
    role::RoleName,
    session::EndReason,
    user::{Credentials, Epoch, NewUser, User, UserId, UserStatus},
};

#[async_trait]
impl Users for MemoryStorage {
    async fn insert(&self, user: NewUser, stamp: Stamp) -> Result<Inserted, PortError> {
        let mut state = self.transaction()?;
        let is_taken = |kept: &Credentials| kept.user.login.canonical() == user.login.canonical();
        if state.users.values().any(is_taken) {
            return Ok(Inserted::LoginTaken);
        }
        if !state.know(&user.roles) {
            return Ok(Inserted::UnknownRole);
        }
        let stored = user.registered_at(stamp.at);
        let kept = Credentials {
            user: stored.clone(),
            hash: user.hash,
        };
        state.users.insert(user.id, kept);
        state.note(AuditAction::UserRegistered, user.id, None, &stamp);
        Ok(Inserted::Now(stored))
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        let state = self.transaction()?;
        let mut users = state.users.values();
        Ok(users.find(|kept| kept.user.login.canonical() == login).cloned())
    }

    async fn change_roles(&self, change: ChangeRoles, stamp: Stamp) -> Result<RolesChanged, PortError> {
        let mut state = self.transaction()?;
        let Some(mut user) = state.user(change.user).cloned() else {
            return Ok(RolesChanged::NoSuchUser);
        };
        if change
            .only_while
            .is_some_and(|caller| !state.stands(caller, stamp.at))
        {
            return Ok(RolesChanged::Stale);
        }
        if !state.know(&change.roles) {
            return Ok(RolesChanged::UnknownRole);
        }
        if !change.roles.contains(&RoleName::ADMIN) && state.is_last_admin(&user) {
            return Ok(RolesChanged::LastAdmin);
        }
        user.roles = change.roles;
        user.epoch = Epoch(user.epoch.0 + 1);
        state.keep_changed(&mut user, stamp.at);
        if !change.keep_sessions {
            state.end_all(user.id, EndReason::RolesChanged, stamp.at);
        }
        state.note(AuditAction::RolesChanged, user.id, None, &stamp);
        Ok(RolesChanged::Now(user))
    }

    async fn change_password(
        &self,
        change: ChangePassword,
        stamp: Stamp,
    ) -> Result<PasswordChanged, PortError> {
        let mut state = self.transaction()?;
        if !state.stands(change.only_while, stamp.at) {
            return Ok(PasswordChanged::Stale);
        }
        let Some(kept) = state.users.get_mut(&change.only_while.user) else {
            return Ok(PasswordChanged::Stale);
        };
        kept.hash = change.hash;
        let mut user = kept.user.clone();
        user.epoch = Epoch(user.epoch.0 + 1);
        state.keep_changed(&mut user, stamp.at);
        state.end_all(user.id, EndReason::PasswordChanged, stamp.at);
        let session = change.session.id;
        state.store_session(change.session);
        state.note(AuditAction::PasswordChanged, user.id, Some(session), &stamp);
        Ok(PasswordChanged::Now(user))
    }

    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError> {
        let mut state = self.transaction()?;
        let Some(kept) = state.users.get_mut(&user).filter(|kept| kept.hash == *old) else {
            return Ok(false);
        };
        kept.hash = new.clone();
        Ok(true)
    }

    async fn set_status(
        &self,
        user: UserId,
        status: UserStatus,
        stamp: Stamp,
    ) -> Result<StatusChanged, PortError> {
        let mut state = self.transaction()?;
        let Some(mut user) = state.user(user).cloned() else {
            return Ok(StatusChanged::NoSuchUser);
        };
        if user.status == status {
            return Ok(StatusChanged::Now(user));
        }
        if status == UserStatus::Disabled && state.is_last_admin(&user) {
            return Ok(StatusChanged::LastAdmin);
        }
        user.status = status;
        let action = match status {
            UserStatus::Disabled => {
                user.epoch = Epoch(user.epoch.0 + 1);
                state.end_all(user.id, EndReason::UserDisabled, stamp.at);
                AuditAction::UserDisabled
            }
            UserStatus::Active => AuditAction::UserEnabled,
        };
        state.keep_changed(&mut user, stamp.at);
        state.note(action, user.id, None, &stamp);
        Ok(StatusChanged::Now(user))
    }

    async fn any_admin(&self) -> Result<bool, PortError> {
        Ok(self.transaction()?.active_admins().next().is_some())
    }

    async fn list(&self, after: Option<CanonicalLogin>, limit: u32) -> Result<Vec<User>, PortError> {
        let state = self.transaction()?;
        let is_after = |user: &&User| after.as_ref().is_none_or(|after| user.login.canonical() > after);
        let mut users: Vec<_> = state
            .users
            .values()
            .map(|kept| &kept.user)
            .filter(is_after)
            .cloned()
            .collect();
        users.sort_by(|one, other| one.login.canonical().cmp(other.login.canonical()));
        users.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(users)
    }
}
