use super::output;
use crate::{
    Failure,
    broken_rule::broken_rule,
    cli::{CreateUser, Listing, SetRoles, Users},
    prompt,
    settings::Settings,
    wiring::{self, Operator},
};
use chrono::SecondsFormat;
use domain::{
    audit::{Actor, Origin},
    login::Login,
    role::{RoleName, RoleNames},
    use_cases::{Requester, RolesWish, UserWish},
    user::{User, UserStatus},
};
use serde::Serialize;

/// How many users are read at a time.
const PAGE: u32 = 500;

/// Creates, lists and changes users.
pub async fn run(settings: &Settings, command: Users) -> Result<(), Failure> {
    let operator = wiring::operator(settings).await?;
    match command {
        Users::Create(wish) => create(&operator, wish).await,
        Users::List(listing) => list(&operator, listing).await,
        Users::SetRoles(wish) => set_roles(&operator, wish).await,
        Users::Disable(who) => set_status(&operator, &who.login, UserStatus::Disabled).await,
        Users::Enable(who) => set_status(&operator, &who.login, UserStatus::Active).await,
    }
}

async fn create(operator: &Operator, wish: CreateUser) -> Result<(), Failure> {
    // Before the password is asked for: nobody likes to type it for nothing.
    let refused = |error| Failure::because("no user was made", error);
    Login::parse(&wish.login).map_err(|error| refused(error.into()))?;
    let roles = parse_roles(&wish.roles)?;
    let wish = UserWish {
        login: wish.login,
        password: prompt::new_password()?,
        roles,
    };
    let user = operator
        .create_user
        .execute(wish, Actor::Operator, Origin::default())
        .await
        .map_err(|error| refused(broken_rule(error)))?;
    output::line(format_args!("created {} ({})", user.login.as_typed(), user.id))
}

fn parse_roles(names: &[String]) -> Result<RoleNames, Failure> {
    names
        .iter()
        .map(|name| {
            RoleName::parse(name).map_err(|error| Failure::because(format!("{name:?} is no role"), error))
        })
        .collect()
}

/// A user, as they are listed.
#[derive(Serialize)]
struct UserRow {
    id: String,
    login: String,
    status: &'static str,
    roles: RoleNames,
    created_at: String,
    last_login_at: Option<String>,
}

impl From<User> for UserRow {
    fn from(user: User) -> Self {
        let status = match user.status {
            UserStatus::Active => "active",
            UserStatus::Disabled => "disabled",
        };
        Self {
            id: user.id.to_string(),
            login: user.login.as_typed().to_owned(),
            status,
            roles: user.roles,
            created_at: user.created_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            last_login_at: user
                .last_login_at
                .map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

async fn list(operator: &Operator, listing: Listing) -> Result<(), Failure> {
    let mut users: Vec<User> = Vec::new();
    loop {
        let after = users.last().map(|user| user.login.canonical());
        let page = operator
            .users
            .list(after.cloned(), PAGE)
            .await
            .map_err(|error| Failure::because("the users cannot be listed", error))?;
        if page.is_empty() {
            break;
        }
        users.extend(page);
    }
    let rows: Vec<UserRow> = users.into_iter().map(UserRow::from).collect();
    if listing.json {
        return output::json(&rows);
    }
    rows.iter().try_for_each(|user| {
        let roles = user
            .roles
            .iter()
            .map(RoleName::as_str)
            .collect::<Vec<_>>()
            .join(",");
        output::line(format_args!(
            "{}  {:<8}  {}  {roles}",
            user.id, user.status, user.login
        ))
    })
}

async fn set_roles(operator: &Operator, wish: SetRoles) -> Result<(), Failure> {
    let wish = RolesWish {
        login: Some(wish.login),
        new_roles: wish.roles,
        keep_sessions: wish.keep_sessions,
    };
    let user = operator
        .assign_roles
        .execute(Requester::Operator, wish, Origin::default())
        .await
        .map_err(|error| Failure::because("no role was changed", error))?;
    let roles: Vec<&str> = user.roles.iter().map(RoleName::as_str).collect();
    output::line(format_args!(
        "{} now has: {}",
        user.login.as_typed(),
        roles.join(", ")
    ))
}

async fn set_status(operator: &Operator, login: &str, status: UserStatus) -> Result<(), Failure> {
    let user = operator
        .set_status
        .execute(login, status)
        .await
        .map_err(|error| Failure::because("nothing was changed", error))?;
    let state = match user.status {
        UserStatus::Active => "active",
        UserStatus::Disabled => "disabled",
    };
    output::line(format_args!("{} is {state}", user.login.as_typed()))
}
