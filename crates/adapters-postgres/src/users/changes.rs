//! What changes users: each function is called within a transaction and locks the user's row before it looks at anything
//! else, so that what it looks at stays as it is.

use super::{
    find,
    rows::{NewUserRow, status_name},
};
use crate::{
    audit::Journal,
    authority::{Standing, lock_word, parties, standing},
    error::StorageError,
    prepared::Prepared,
    roles,
    schema::{user_roles, users},
    sessions::{end_live, insert as insert_session},
};
use diesel::{
    ExpressionMethods, QueryDsl,
    dsl::{auto_type, exists, select},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::{AuditAction, AuditEvent},
    authority::Target,
    password::PasswordHash,
    ports::{ChangePassword, ChangeRoles, Inserted, PasswordChanged, RolesChanged},
    role::{RoleName, RoleNames},
    session::EndReason,
    user::{Epoch, NewUser, User, UserId, UserStatus},
};

pub async fn insert(
    conn: &mut AsyncPgConnection,
    user: &NewUser,
    journal: &Journal,
) -> Result<Inserted, StorageError> {
    let namesake = users::table.filter(users::canonical_login.eq(user.login.canonical().as_str()));
    if select(exists(namesake)).get_result(conn).await? {
        return Ok(Inserted::LoginTaken);
    }
    if roles::known(conn, &user.roles).await? != user.roles {
        return Ok(Inserted::UnknownRole);
    }
    // Waits for a namesake that is being inserted at the same time, and knows then.
    let inserted = diesel::insert_into(users::table)
        .values(NewUserRow::registered_at(journal.context.at, user))
        .on_conflict(users::canonical_login)
        .do_nothing()
        .execute(conn)
        .await?;
    if inserted == 0 {
        return Ok(Inserted::LoginTaken);
    }
    roles::give(conn, user.id, &user.roles).await?;
    let event = AuditEvent::on(AuditAction::UserRegistered, user.id).with("roles", roles::told(&user.roles));
    journal.write(conn, event).await?;
    Ok(Inserted::Now(user.registered_at(journal.context.at)))
}

pub async fn change_roles(
    conn: &mut AsyncPgConnection,
    change: &ChangeRoles,
    journal: &Journal,
) -> Result<RolesChanged, StorageError> {
    match admit(conn, change, journal).await? {
        Ok(subject) => give_roles(conn, subject.user, change, journal).await,
        Err(refused) => Ok(refused),
    }
}

/// The user who is to have other roles, or why not.
async fn admit(
    conn: &mut AsyncPgConnection,
    change: &ChangeRoles,
    journal: &Journal,
) -> Result<Result<Target, RolesChanged>, StorageError> {
    let as_admin = if change.roles.contains(&RoleName::ADMIN) {
        Standing::Kept
    } else {
        Standing::Lost
    };
    let found = parties(
        conn,
        change.user,
        change.authorized_by,
        journal.context.at,
        as_admin,
    )
    .await?;
    let Some(parties) = found else {
        return Ok(Err(RolesChanged::NoSuchUser));
    };
    let authority = match parties.authority {
        Ok(authority) => authority,
        Err(denied) => return Ok(Err(RolesChanged::Denied(denied))),
    };
    let known = roles::known(conn, &change.roles).await?;
    if let Some(unknown) = change.roles.difference(&known).next() {
        return Ok(Err(RolesChanged::UnknownRole(unknown.clone())));
    }
    let catalogue = roles::find(conn, &change.roles).await?;
    if let Err(denied) = authority.assign(&parties.subject, &change.roles, &catalogue) {
        return Ok(Err(RolesChanged::Denied(denied)));
    }
    let revision = parties.subject.user.revision;
    if change.if_revision.is_some_and(|wanted| wanted != revision) {
        return Ok(Err(RolesChanged::AnotherRevision));
    }
    if parties.last_admin {
        return Ok(Err(RolesChanged::LastAdmin));
    }
    Ok(Ok(parties.subject))
}

async fn give_roles(
    conn: &mut AsyncPgConnection,
    user: User,
    change: &ChangeRoles,
    journal: &Journal,
) -> Result<RolesChanged, StorageError> {
    roles::give(conn, user.id, &change.roles).await?;
    let before = user.roles;
    let user = User {
        roles: change.roles.clone(),
        epoch: Epoch(user.epoch.0 + 1),
        ..user
    };
    let user = save(conn, user, journal).await?;
    let sessions_ended = if change.keep_sessions {
        0
    } else {
        end_live(conn, user.id, EndReason::RolesChanged, journal.context.at).await?
    };
    journal.write(conn, roles_changed(&user, &before, change)).await?;
    Ok(RolesChanged::Now { user, sessions_ended })
}

fn roles_changed(user: &User, before: &RoleNames, change: &ChangeRoles) -> AuditEvent {
    let event = AuditEvent::on(AuditAction::RolesChanged, user.id)
        .with("before", roles::told(before))
        .with("after", roles::told(&user.roles));
    if change.keep_sessions {
        event.with("kept_sessions", true)
    } else {
        event
    }
}

pub async fn change_password(
    conn: &mut AsyncPgConnection,
    change: &ChangePassword,
    journal: &Journal,
) -> Result<PasswordChanged, StorageError> {
    let word = Some(change.authorized_by);
    lock_word(conn, word).await?;
    if standing(conn, word, journal.context.at).await?.is_err() {
        return Ok(PasswordChanged::Stale);
    }
    let Some(user) = find(conn, change.authorized_by.user).await? else {
        return Ok(PasswordChanged::Stale);
    };
    save_hash(conn, user.id, &change.hash).await?;
    let user = User {
        must_change_password: false,
        epoch: Epoch(user.epoch.0 + 1),
        ..user
    };
    let user = save(conn, user, journal).await?;
    end_live(conn, user.id, EndReason::PasswordChanged, journal.context.at).await?;
    insert_session(conn, &change.session).await?;
    let event = AuditEvent::on(AuditAction::PasswordChanged, user.id).in_session(change.session.id);
    journal.write(conn, event).await?;
    Ok(PasswordChanged::Now(user))
}

/// One statement, and so a transaction by itself: the row that it waited for is compared again.
pub async fn replace_hash(
    conn: &mut AsyncPgConnection,
    user: UserId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<bool, StorageError> {
    let unchanged = users::table
        .find(user.0)
        .filter(users::password_hash.eq(old.as_phc()));
    let replaced = Prepared(diesel::update(unchanged).set(users::password_hash.eq(new.as_phc())))
        .execute(conn)
        .await?;
    Ok(replaced == 1)
}

/// Keeps `user`, whose row is locked and who was changed, but for roles and password; the user as they are then.
pub async fn save(conn: &mut AsyncPgConnection, user: User, journal: &Journal) -> Result<User, StorageError> {
    let user = User {
        revision: user.revision.next(),
        updated_at: journal.context.at,
        ..user
    };
    Prepared(diesel::update(users::table.find(user.id.0)).set((
        users::status.eq(status_name(user.status)),
        users::token_epoch.eq(user.epoch.0),
        users::must_change_password.eq(user.must_change_password),
        users::revision.eq(user.revision.0),
        users::updated_at.eq(user.updated_at),
    )))
    .execute(conn)
    .await?;
    Ok(user)
}

pub async fn save_hash(
    conn: &mut AsyncPgConnection,
    user: UserId,
    hash: &PasswordHash,
) -> Result<(), StorageError> {
    Prepared(diesel::update(users::table.find(user.0)).set(users::password_hash.eq(hash.as_phc())))
        .execute(conn)
        .await?;
    Ok(())
}

pub fn is_active_admin(user: &User) -> bool {
    user.status == UserStatus::Active && user.roles.contains(&RoleName::ADMIN)
}

/// Whether no active admin is left without `user`. The catalogue is held alone: two admins who went at once would each see
/// the other stay.
pub async fn is_last_admin(conn: &mut AsyncPgConnection, user: &User) -> Result<bool, StorageError> {
    let others = active_admins().filter(users::id.ne(user.id.0));
    let anybody: bool = select(exists(others)).get_result(conn).await?;
    Ok(!anybody)
}

pub async fn any_admin(conn: &mut AsyncPgConnection) -> Result<bool, StorageError> {
    Ok(select(exists(active_admins())).get_result(conn).await?)
}

#[auto_type]
fn active_admins() -> _ {
    user_roles::table
        .inner_join(users::table)
        .filter(user_roles::role.eq("admin"))
        .filter(users::status.eq("active"))
}
