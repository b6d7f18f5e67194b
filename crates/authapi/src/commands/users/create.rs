use super::{super::output, row::UserRow};
use crate::{Failure, cli::CreateUser, operator::Operator, prompt, violation::violation};
use domain::{
    audit::{Actor, Origin},
    login::Login,
    role::{RoleName, RoleNames},
    use_cases::NewUserRequest,
};

/// Creates a user.
pub async fn run(operator: &Operator, request: CreateUser) -> Result<(), Failure> {
    // Check the login before asking for the password, so that it is not typed in vain.
    let refused = |error| Failure::because("the user was not created", error);
    Login::parse(&request.login).map_err(|error| refused(error.into()))?;
    let roles = roles(operator, &request.roles)?;
    let listing = request.listing;
    let request = NewUserRequest {
        login: request.login,
        password: prompt::new_password()?,
        roles,
    };
    let user = operator
        .create_user
        .execute(request, Actor::Operator, Origin::default())
        .await
        .map_err(|error| refused(violation(error)))?;
    if listing.json {
        return output::json_line(&UserRow::from(user));
    }
    output::line(format_args!("created {} ({})", user.login.as_typed(), user.id))
}

fn roles(operator: &Operator, names: &[String]) -> Result<RoleNames, Failure> {
    if names.is_empty() {
        return Ok(operator.default_roles.clone());
    }
    names
        .iter()
        .map(|name| {
            RoleName::parse(name)
                .map_err(|error| Failure::because(format!("{name:?} is not a valid role name"), error))
        })
        .collect()
}
