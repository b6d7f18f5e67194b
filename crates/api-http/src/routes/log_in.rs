use super::token_pair::{SessionQuery, TokenPairResponse, opened_session};
use crate::{
    body::JsonBody,
    device::PresentedDevice,
    metrics,
    problem::{
        Problem, ProblemBody,
        documented::{BodyRefused, CookieOriginRefused, TooManyAttempts, Unavailable},
    },
    query::QueryParameters,
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{HttpRequest, HttpResponse, web::Data};
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

/// Logs in.
///
/// Opens a session and returns its tokens. The response has a device token. Present it at the next
/// login from this device: attempts of others then cannot delay that login.
#[utoipa::path(
    post,
    path = "/login",
    tag = "main",
    params(
        SessionQuery,
        ("Device-Token" = Option<String>, Header, description = "The device token of an earlier login. One that is not valid is ignored."),
    ),
    request_body = LoginRequest,
    responses(
        (status = 200, description = "A session was opened; these are its tokens.", body = TokenPairResponse, headers(("Device-Token" = String, description = "A token with which the device is known at its next login."), ("Set-Cookie" = String))),
        CookieOriginRefused, BodyRefused, TooManyAttempts, Unavailable,
        (status = 401, description = "`invalid_credentials`: unknown login, wrong password, used or expired one-time password, or disabled user", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn log_in(
    edge: Data<Edge>,
    origin: RequestOrigin,
    request: HttpRequest,
    query: QueryParameters<SessionQuery>,
    device: PresentedDevice,
    body: JsonBody<LoginRequest>,
) -> Result<HttpResponse, Problem> {
    query.0.check(&request, &edge.settings)?;
    let log_in = Arc::clone(&edge.use_cases.core.log_in);
    let LoginRequest { login, password } = body.0;
    let request = LogInRequest {
        login,
        password: Password::new(password.expose_secret().to_owned()),
        device: device.0,
        origin: origin.0,
    };
    let logged_in = edge
        .mutations
        .run(async move {
            let outcome = log_in.execute(request).await;
            metrics::record_login(outcome.map_err(Problem::from))
        })
        .await?;
    Ok(opened_session(
        &logged_in.tokens,
        &logged_in.device,
        query.0,
        &edge.settings,
    ))
}
