use crate::{
    bearer::BearerToken,
    logged_user::LoggedUser,
    problem::{Problem, ProblemBody},
    query::QueryParameters,
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{HttpResponse, web::Data};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogoutQuery {
    /// End all sessions of the user instead of this one.
    #[serde(default)]
    #[param(default = false, required = false)]
    everywhere: bool,
}

/// Logs out.
///
/// Ends the session of the access or refresh token in the header. Its tokens are invalid on every
/// replica once the response is sent.
#[utoipa::path(
    post,
    path = "/logout",
    tag = "main",
    params(LogoutQuery),
    security(("accessToken" = []), ("refreshToken" = [])),
    responses(
        (status = 204, description = "The session was ended."),
        (status = 401, description = "`token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`; with a refresh token `refresh_token_invalid`, `refresh_token_reused`, `session_revoked`, `session_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `overloaded`, with Retry-After; the session may or may not have ended", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn log_out(
    edge: Data<Edge>,
    origin: RequestOrigin,
    token: BearerToken,
    QueryParameters(query): QueryParameters<LogoutQuery>,
) -> Result<HttpResponse, Problem> {
    let log_out = Arc::clone(&edge.use_cases.core.log_out);
    let everywhere = query.everywhere;
    let user = edge
        .mutations
        .run(async move { log_out.execute(token.expose(), everywhere, origin.0).await })
        .await?;
    Ok(LoggedUser(user).of(HttpResponse::NoContent().finish()))
}
