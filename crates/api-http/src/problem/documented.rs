//! The refusals that routes share, as the OpenAPI document lists them.
//!
//! A route names them in the `responses` of its `#[utoipa::path]`. Of two entries with one status
//! the later one counts, so a route puts its own refusals after the shared ones. The document
//! contains each of these refusals once, as a component.

#![expect(
    dead_code,
    reason = "these types describe responses to utoipa; `Problem` is what is sent"
)]

use super::ProblemBody;
use utoipa::IntoResponses;

/// The access token is refused.
#[derive(IntoResponses)]
#[response(
    status = 401,
    description = "`token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`",
    content_type = "application/problem+json"
)]
pub struct TokenRefused(ProblemBody<'static>);

/// The access token is refused, or was issued too long after the last check of the password. For
/// routes that require a capability with [`STEP_UP`](domain::authority::Right::STEP_UP).
#[derive(IntoResponses)]
#[response(
    status = 401,
    description = "`insufficient_user_authentication`: check the password with `POST /me/reauthenticate` first (RFC 9470); or `token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`",
    content_type = "application/problem+json"
)]
pub struct StepUpRefused(ProblemBody<'static>);

/// The access token or the password in the body is refused.
#[derive(IntoResponses)]
#[response(
    status = 401,
    description = "`invalid_credentials`: the password is wrong; or `token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`",
    content_type = "application/problem+json"
)]
pub struct PasswordWrong(ProblemBody<'static>);

/// The request contains or asks for a cookie, and no permitted page sent it.
#[derive(IntoResponses)]
#[response(
    status = 403,
    description = "`cookie_origin_refused`",
    content_type = "application/problem+json"
)]
pub struct CookieOriginRefused(ProblemBody<'static>);

/// The caller may not read other users.
#[derive(IntoResponses)]
#[response(
    status = 403,
    description = "`forbidden`: requires `users:read`; `password_change_required`",
    content_type = "application/problem+json"
)]
pub struct UsersReadRefused(ProblemBody<'static>);

/// The caller may not change this user.
#[derive(IntoResponses)]
#[response(
    status = 403,
    description = "`forbidden`: requires `users:write`; `out_of_reach`, `password_change_required`",
    content_type = "application/problem+json"
)]
pub struct UsersWriteRefused(ProblemBody<'static>);

/// The caller has to choose a new password first. Routes that need a permission list their own 403.
#[derive(IntoResponses)]
#[response(
    status = 403,
    description = "`password_change_required`",
    content_type = "application/problem+json"
)]
pub struct PasswordChangeRequired(ProblemBody<'static>);

/// The caller has to choose a new password first, or is a machine. For operations on the caller's
/// own account.
#[derive(IntoResponses)]
#[response(
    status = 403,
    description = "`password_change_required`; `user_required`: the token is a machine's",
    content_type = "application/problem+json"
)]
pub struct OwnAccountRefused(ProblemBody<'static>);

/// The request contains or asks for a cookie, and no permitted page sent it; or the token is a
/// machine's.
#[derive(IntoResponses)]
#[response(
    status = 403,
    description = "`cookie_origin_refused`; `user_required`: the token is a machine's",
    content_type = "application/problem+json"
)]
pub struct CookieOriginOrMachineRefused(ProblemBody<'static>);

/// The path names no user.
#[derive(IntoResponses)]
#[response(
    status = 404,
    description = "`not_found`: the user does not exist",
    content_type = "application/problem+json"
)]
pub struct NoSuchUser(ProblemBody<'static>);

/// The path names no role.
#[derive(IntoResponses)]
#[response(
    status = 404,
    description = "`not_found`: the role does not exist",
    content_type = "application/problem+json"
)]
pub struct NoSuchRole(ProblemBody<'static>);

/// The change would leave no active admin.
#[derive(IntoResponses)]
#[response(
    status = 409,
    description = "`last_admin`",
    content_type = "application/problem+json"
)]
pub struct LastAdmin(ProblemBody<'static>);

/// The throttle is exhausted.
#[derive(IntoResponses)]
#[response(
    status = 429,
    description = "`too_many_attempts`, with the budget that is used up, and Retry-After",
    content_type = "application/problem+json"
)]
pub struct TooManyAttempts(ProblemBody<'static>);

/// A dependency is down, or a queue is full.
#[derive(IntoResponses)]
#[response(
    status = 503,
    description = "`unavailable` or `overloaded`, with Retry-After",
    content_type = "application/problem+json"
)]
pub struct Unavailable(ProblemBody<'static>);

/// The request contains what its operation does not declare. Every operation has these refusals, so
/// [`openapi`](crate::openapi()) adds them.
#[derive(IntoResponses)]
pub enum UndeclaredRefused {
    #[response(
        status = 400,
        description = "`malformed_request`, `precondition_unsupported`",
        content_type = "application/problem+json"
    )]
    Malformed(ProblemBody<'static>),
    #[response(
        status = 422,
        description = "`validation_failed`, with errors for each parameter",
        content_type = "application/problem+json"
    )]
    Parameters(ProblemBody<'static>),
}

/// The body is refused, or names a role that does not exist. Goes after [`BodyRefused`].
#[derive(IntoResponses)]
#[response(
    status = 422,
    description = "`validation_failed`, `unknown_role`",
    content_type = "application/problem+json"
)]
pub struct UnknownRole(ProblemBody<'static>);

/// The JSON body is refused.
#[derive(IntoResponses)]
pub enum BodyRefused {
    #[response(
        status = 400,
        description = "`malformed_request`, `precondition_unsupported`",
        content_type = "application/problem+json"
    )]
    Malformed(ProblemBody<'static>),
    #[response(
        status = 413,
        description = "`payload_too_large`",
        content_type = "application/problem+json"
    )]
    TooLarge(ProblemBody<'static>),
    #[response(
        status = 415,
        description = "`unsupported_media_type`",
        content_type = "application/problem+json"
    )]
    UnsupportedMediaType(ProblemBody<'static>),
    #[response(
        status = 422,
        description = "`validation_failed`, with errors for each field",
        content_type = "application/problem+json"
    )]
    Invalid(ProblemBody<'static>),
}

/// `If-Match` is refused. Goes after [`BodyRefused`].
#[derive(IntoResponses)]
pub enum IfMatchRefused {
    #[response(
        status = 400,
        description = "`malformed_request`, also if `If-Match` is malformed; `precondition_unsupported`",
        content_type = "application/problem+json"
    )]
    Malformed(ProblemBody<'static>),
    #[response(
        status = 412,
        description = "`precondition_failed`: the `ETag` does not match `If-Match`",
        content_type = "application/problem+json"
    )]
    PreconditionFailed(ProblemBody<'static>),
}
