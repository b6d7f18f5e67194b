use super::token_pair::{TokenPairResponse, token_pair};
use crate::{
    body::JsonBody,
    metrics,
    problem::{
        Problem, ProblemBody,
        documented::{BodyRefused, TooManyAttempts, Unavailable},
    },
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{HttpResponse, web::Data};
use domain::{password::Password, use_cases::LogInRequest};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Login and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    #[schema(example = "alice")]
    login: String,
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    password: SecretString,
}

/// Logs in: opens a session and returns its tokens.
#[utoipa::path(
    post,
    path = "/login",
    tag = "main",
    request_body = LoginRequest,
    responses(
        (status = 200, description = "A session was opened; these are its tokens.", body = TokenPairResponse),
        BodyRefused, TooManyAttempts, Unavailable,
        (status = 401, description = "`invalid_credentials`: unknown login, wrong password or disabled user", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn log_in(
    edge: Data<Edge>,
    origin: RequestOrigin,
    body: JsonBody<LoginRequest>,
) -> Result<HttpResponse, Problem> {
    let log_in = Arc::clone(&edge.use_cases.core.log_in);
    let LoginRequest { login, password } = body.0;
    let password = Password::new(password.expose_secret().to_owned());
    let pair = edge
        .mutations
        .run(async move {
            let request = LogInRequest {
                login,
                password,
                device: None,
                origin: origin.0,
            };
            let outcome = log_in.execute(request).await.map(|logged_in| logged_in.tokens);
            metrics::record_login(outcome.map_err(Problem::from))
        })
        .await?;
    Ok(token_pair(&pair))
}
