//! What changes users: each function is called within a transaction and locks the user's row before it looks at anything
//! else, so that what it looks at stays as it is.

use super::{
    find, lock,
    rows::{NewUserRow, status_name},
};
use crate::{
    audit,
    error::StorageError,
    prepared::Prepared,
    roles,
    schema::{roles as catalogue, sessions, user_roles, users},
    session_views,
    sessions::{end_live, insert as insert_session},
};
use diesel::{
    ExpressionMethods, QueryDsl,
    dsl::{auto_type, exists, select},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::{AuditAction, Stamp},
    password::PasswordHash,
    ports::{ChangePassword, ChangeRoles, Inserted, PasswordChanged, RolesChanged, StatusChanged},
    role::RoleName,
    session::EndReason,
    token::Vouched,
    user::{Epoch, NewUser, User, UserId, UserStatus},
};
use uuid::Uuid;

pub async fn insert(
    conn: &mut AsyncPgConnection,
    user: &NewUser,
    stamp: &Stamp,
) -> Result<Inserted, StorageError> {
    let namesake = users::table.filter(users::canonical_login.eq(user.login.canonical().as_str()));
    if select(exists(namesake)).get_result(conn).await? {
        return Ok(Inserted::LoginTaken);
    }
    if !roles::all_known(conn, &user.roles).await? {
        return Ok(Inserted::UnknownRole);
    }
    // Waits for a namesake that is being inserted at the same time, and knows then.
    let inserted = diesel::insert_into(users::table)
        .values(NewUserRow::registered_at(stamp.at, user))
        .on_conflict(users::canonical_login)
        .do_nothing()
        .execute(conn)
        .await?;
    if inserted == 0 {
        return Ok(Inserted::LoginTaken);
    }
    roles::give(conn, user.id, &user.roles).await?;
    audit::write(conn, stamp, AuditAction::UserRegistered, user.id, None).await?;
    Ok(Inserted::Now(user.registered_at(stamp.at)))
}

pub async fn change_roles(
    conn: &mut AsyncPgConnection,
    change: &ChangeRoles,
    stamp: &Stamp,
) -> Result<RolesChanged, StorageError> {
    let caller = change.only_while.map(|caller| caller.user);
    lock(conn, caller.into_iter().chain([change.user])).await?;
    let Some(user) = find(conn, change.user).await? else {
        return Ok(RolesChanged::NoSuchUser);
    };
    if let Some(caller) = change.only_while
        && !still_stands(conn, caller, stamp).await?
    {
        return Ok(RolesChanged::Stale);
    }
    if !roles::all_known(conn, &change.roles).await? {
        return Ok(RolesChanged::UnknownRole);
    }
    if !change.roles.contains(&RoleName::ADMIN) && is_last_admin(conn, &user).await? {
        return Ok(RolesChanged::LastAdmin);
    }
    roles::give(conn, user.id, &change.roles).await?;
    let user = raise_epoch(conn, user, stamp).await?;
    if !change.keep_sessions {
        end_live(conn, user.id, EndReason::RolesChanged, stamp.at).await?;
    }
    audit::write(conn, stamp, AuditAction::RolesChanged, user.id, None).await?;
    Ok(RolesChanged::Now(User {
        roles: change.roles.clone(),
        ..user
    }))
}

pub async fn change_password(
    conn: &mut AsyncPgConnection,
    change: &ChangePassword,
    stamp: &Stamp,
) -> Result<PasswordChanged, StorageError> {
    let Some(user) = find_locked(conn, change.only_while.user).await? else {
        return Ok(PasswordChanged::Stale);
    };
    if !still_stands(conn, change.only_while, stamp).await? {
        return Ok(PasswordChanged::Stale);
    }
    Prepared(diesel::update(users::table.find(user.id.0)).set(users::password_hash.eq(change.hash.as_phc())))
        .execute(conn)
        .await?;
    let user = raise_epoch(conn, user, stamp).await?;
    end_live(conn, user.id, EndReason::PasswordChanged, stamp.at).await?;
    insert_session(conn, &change.session).await?;
    let session = Some(change.session.id);
    audit::write(conn, stamp, AuditAction::PasswordChanged, user.id, session).await?;
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

pub async fn set_status(
    conn: &mut AsyncPgConnection,
    id: UserId,
    status: UserStatus,
    stamp: &Stamp,
) -> Result<StatusChanged, StorageError> {
    let Some(user) = find_locked(conn, id).await? else {
        return Ok(StatusChanged::NoSuchUser);
    };
    if user.status == status {
        return Ok(StatusChanged::Now(user));
    }
    if status == UserStatus::Disabled && is_last_admin(conn, &user).await? {
        return Ok(StatusChanged::LastAdmin);
    }
    Prepared(diesel::update(users::table.find(id.0)).set((
        users::status.eq(status_name(status)),
        users::updated_at.eq(stamp.at),
    )))
    .execute(conn)
    .await?;
    let user = User {
        status,
        updated_at: stamp.at,
        ..user
    };
    let (user, action) = match status {
        UserStatus::Active => (user, AuditAction::UserEnabled),
        UserStatus::Disabled => {
            end_live(conn, id, EndReason::UserDisabled, stamp.at).await?;
            (raise_epoch(conn, user, stamp).await?, AuditAction::UserDisabled)
        }
    };
    audit::write(conn, stamp, action, id, None).await?;
    Ok(StatusChanged::Now(user))
}

async fn find_locked(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<User>, StorageError> {
    lock(conn, [id]).await?;
    find(conn, id).await
}

/// Whether what `caller`, whose own row is locked, was let in for still holds. If so, it holds until the transaction ends:
/// whoever would end the session waits.
async fn still_stands(
    conn: &mut AsyncPgConnection,
    caller: Vouched,
    stamp: &Stamp,
) -> Result<bool, StorageError> {
    let session = sessions::table.find(caller.session.0).select(sessions::id);
    let _: Vec<Uuid> = session.for_share().load(conn).await?;
    let view = session_views::view(conn, caller.session).await?;
    Ok(view.is_some_and(|view| view.stand_behind(caller, stamp.at).is_ok()))
}

/// Makes every access token of `user` worthless; the user as they are then.
async fn raise_epoch(conn: &mut AsyncPgConnection, user: User, stamp: &Stamp) -> Result<User, StorageError> {
    let epoch = Epoch(user.epoch.0 + 1);
    Prepared(
        diesel::update(users::table.find(user.id.0))
            .set((users::token_epoch.eq(epoch.0), users::updated_at.eq(stamp.at))),
    )
    .execute(conn)
    .await?;
    Ok(User {
        epoch,
        updated_at: stamp.at,
        ..user
    })
}

/// Until the transaction ends, nobody else is let past this for any admin: two admins who went at once would each see the
/// other stay.
///
/// The lock is the row of the role `admin`. Whoever holds it asks for no other user's row, so nobody can wait for them in
/// a circle; and users may be given the role meanwhile, which asks for no more than that the row stays.
async fn is_last_admin(conn: &mut AsyncPgConnection, user: &User) -> Result<bool, StorageError> {
    if user.status != UserStatus::Active || !user.roles.contains(&RoleName::ADMIN) {
        return Ok(false);
    }
    let _: String = catalogue::table
        .find(RoleName::ADMIN.as_str())
        .select(catalogue::name)
        .for_no_key_update()
        .first(conn)
        .await?;
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
