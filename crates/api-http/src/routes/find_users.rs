use super::account::{AccountResponse, StatusName};
use crate::{
    bearer::Authenticated,
    chunked_body::chunked_json,
    page::{Limit, position},
    problem::{
        FieldCode, Problem,
        documented::{TokenRefused, Unavailable, UsersReadRefused},
    },
    query::{QueryParameters, filter},
    state::Edge,
};
use actix_web::{HttpResponse, web::Data};
use domain::{
    login::{Login, LoginPrefix},
    role::RoleName,
    user::{UserFilter, UserPage},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsersQuery {
    /// Prefix of the login, in any spelling.
    #[serde(default, deserialize_with = "filter")]
    q: Option<String>,
    /// Only users with this role.
    #[serde(default, deserialize_with = "filter")]
    role: Option<String>,
    /// Only users with this status.
    #[serde(default, deserialize_with = "filter")]
    status: Option<StatusName>,
    /// Maximum number of users to return.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// A page of users, ordered by login.
#[derive(Serialize, ToSchema)]
#[schema(as = Users)]
pub struct UsersResponse {
    users: Vec<AccountResponse>,
    /// Cursor of the next page; `null` on the last page.
    #[schema(required, example = "Ym9i")]
    next_cursor: Option<String>,
}

impl UsersQuery {
    fn filter(&self) -> Result<UserFilter, Problem> {
        let login = self.q.as_deref().map(LoginPrefix::parse).transpose();
        let role = self.role.as_deref().map(RoleName::parse).transpose();
        Ok(UserFilter {
            login: login.map_err(|refused| Problem::login_refused("q", refused))?,
            role: role.map_err(|refused| {
                Problem::field_refused("role", FieldCode::InvalidName, refused.to_string())
            })?,
            status: self.status.map(Into::into),
        })
    }
}

/// Searches users.
///
/// Pages remain consistent while users are added and removed. Requires the permission `users:read`.
#[utoipa::path(
    get,
    path = "/users",
    tag = "users",
    params(UsersQuery),
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "A page of users.", body = UsersResponse),
        TokenRefused, UsersReadRefused, Unavailable,
    )
)]
pub async fn find_users(
    edge: Data<Edge>,
    Authenticated(caller): Authenticated,
    QueryParameters(query): QueryParameters<UsersQuery>,
) -> Result<HttpResponse, Problem> {
    let by = caller.capability()?;
    let limit = Limit::parse(query.limit)?;
    let after = position(query.cursor.as_deref(), |key| {
        Login::parse(key).ok().map(|login| login.canonical().clone())
    })?;
    let page = UserPage {
        after,
        limit: limit.and_one(),
    };
    let mut users = edge
        .use_cases
        .administration
        .find_users
        .execute(by, query.filter()?, page)
        .await?;
    let next_cursor = limit.cut(&mut users, |user| user.login.canonical().to_string());
    let users = users.into_iter().map(AccountResponse::from).collect();
    Ok(chunked_json(&UsersResponse { users, next_cursor }))
}
