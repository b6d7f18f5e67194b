use super::user::UserResponse;
use crate::{
    body::JsonBody,
    problem::{
        Problem, ProblemBody,
        documented::{BodyRefused, TooManyAttempts, Unavailable},
    },
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{HttpResponse, web::Data};
use domain::password::Password;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Login and password of a new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// 3 to 64 characters of one script, without spaces. Case and width are ignored in comparisons.
    #[schema(example = "alice", min_length = 3, max_length = 64)]
    login: String,
    /// 8 to 256 characters, hard to guess, not containing the login.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", min_length = 8, max_length = 256)]
    password: SecretString,
}

/// Registers a user.
///
/// The user receives the default roles. Log in to obtain tokens.
#[utoipa::path(
    post,
    path = "/register",
    tag = "main",
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "The user was created.", body = UserResponse),
        BodyRefused, TooManyAttempts, Unavailable,
        (status = 409, description = "`login_taken`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn register(
    edge: Data<Edge>,
    origin: RequestOrigin,
    body: JsonBody<RegisterRequest>,
) -> Result<HttpResponse, Problem> {
    let register = Arc::clone(&edge.use_cases.core.register);
    let RegisterRequest { login, password } = body.0;
    let password = Password::new(password.expose_secret().to_owned());
    let registered = edge
        .mutations
        .run(async move { register.execute(login, password, origin.0).await })
        .await?;
    Ok(HttpResponse::Created().json(UserResponse::from(registered)))
}
