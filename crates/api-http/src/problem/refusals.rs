//! Maps the core's errors to problems.

mod audit;
mod browsers;
mod changes;
mod requests;

use super::{Code, FieldCode, FieldProblem, Problem, whole_seconds};
use actix_web::http::{StatusCode, header};
use domain::{
    caller::NotAUser,
    login::LoginRefused,
    password::PasswordRefused,
    ports::PortError,
    steps::ConfirmPasswordError,
    throttle::BudgetName,
    use_cases::{
        AuthenticateError, ChangePasswordError, CreateUserError, DeleteOwnAccountError, LogInError,
        LogOutError, ReauthenticateError, RefreshError, RegisterError,
    },
};
use std::{error::Error, time::Duration};

/// `Retry-After` of a service that is unavailable or overloaded.
const TRY_AGAIN: Duration = Duration::from_secs(1);

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        log(&error);
        Self::of_failed_port(&error)
    }
}

/// Logs the error once, with its causes. Clients see none of it.
fn log(error: &PortError) {
    match error {
        PortError::Unavailable(cause) | PortError::Corrupt(cause) => {
            tracing::error!(cause = chain(cause.as_ref()), "{error}");
        }
        PortError::Overloaded => tracing::warn!("{error}"),
    }
}

/// Formats an error and its sources on one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

impl From<AuthenticateError> for Problem {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::Malformed => Self::token_malformed(),
            AuthenticateError::Invalid => Self::bad_token(
                Code::TokenInvalid,
                "The token was not issued by this service, or not for this use.",
            ),
            AuthenticateError::Expired => {
                Self::bad_token(Code::TokenExpired, "The token has expired. Refresh it.")
            }
            AuthenticateError::Revoked => {
                Self::bad_token(Code::TokenRevoked, "The session has ended. Log in again.")
            }
            AuthenticateError::Outdated => token_outdated(),
            AuthenticateError::PasswordChangeRequired => forbidden(
                Code::PasswordChangeRequired,
                "Your password was reset. Change it with PUT /me/password first.".to_owned(),
            ),
            AuthenticateError::Port(error) => error.into(),
        }
    }
}

impl From<NotAUser> for Problem {
    fn from(_: NotAUser) -> Self {
        forbidden(
            Code::UserRequired,
            "This operation is for users. The token is a machine's.".to_owned(),
        )
    }
}

/// Returns a 403 with the challenge that RFC 6750, section 3.1, defines for it.
fn forbidden(code: Code, detail: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, "Forbidden", detail)
        .challenge(r#"Bearer error="insufficient_scope""#)
}

fn token_outdated() -> Problem {
    Problem::bad_token(
        Code::TokenOutdated,
        "Roles, password or status changed after the token was issued. Refresh, or log in again.",
    )
}

impl From<CreateUserError> for Problem {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::Refused { login, password } => Self::validation_failed(
                login
                    .map(|refused| login_problem("login", refused))
                    .into_iter()
                    .chain(password.map(|refused| password_problem("password", &refused)))
                    .collect(),
            ),
            CreateUserError::Change(error) => error.into(),
        }
    }
}

fn login_problem(field: &str, refused: LoginRefused) -> FieldProblem {
    FieldProblem {
        field: field.to_owned(),
        code: refused.into(),
        detail: refused.to_string(),
    }
}

impl Problem {
    /// Returns the problem for `error`, which the caller of this function logs.
    fn of_failed_port(error: &PortError) -> Self {
        match error {
            PortError::Unavailable(_) => Self::unavailable(),
            PortError::Overloaded => Self::overloaded(),
            PortError::Corrupt(_) => Self::internal(),
        }
    }

    /// Returns the 503 for a dependency that is down. The caller of this function logs the cause.
    pub(super) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            "Unavailable",
            "A dependency of this service is unavailable. Retry shortly.",
        )
        .retry_after(TRY_AGAIN)
    }

    /// Returns the 503 for a queue that is full.
    pub(super) fn overloaded() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Overloaded,
            "Overloaded",
            "The service is overloaded. Retry shortly.",
        )
        .retry_after(TRY_AGAIN)
    }

    /// Returns the 422 for a search text in `field` with which no login can begin.
    pub fn login_refused(field: &str, refused: LoginRefused) -> Self {
        Self::validation_failed(vec![login_problem(field, refused)])
    }
}

fn password_problem(field: &str, refused: &PasswordRefused) -> FieldProblem {
    FieldProblem {
        field: field.to_owned(),
        code: refused.into(),
        detail: refused.to_string(),
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::TooManyAttempts { retry_after, budget } => too_many_attempts(retry_after, budget),
            RegisterError::Create(error) => error.into(),
        }
    }
}

fn too_many_attempts(retry_after: Duration, budget: BudgetName) -> Problem {
    let seconds = whole_seconds(retry_after);
    let detail = match budget {
        BudgetName::Network => "Too many attempts from this network. Wait, then try again.",
        BudgetName::Account => "Too many attempts on this account. Wait, then try again.",
        BudgetName::Service => "Too many failed logins at this service. Wait, then try again.",
        BudgetName::Session => "Too many attempts in this session. Wait, then try again.",
    };
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        Code::TooManyAttempts,
        "Too many attempts",
        detail,
    )
    .with_budget(budget)
    .retry_after(retry_after)
    // draft-ietf-httpapi-ratelimit-headers: no attempts remain (r) of the policy with the name of
    // the budget for this many seconds (t).
    .with_header(
        header::HeaderName::from_static("ratelimit"),
        format!("\"{}\";r=0;t={seconds}", budget.as_str()),
    )
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::InvalidCredentials => invalid_credentials("The login or the password is wrong."),
            LogInError::TooManyAttempts { retry_after, budget } => too_many_attempts(retry_after, budget),
            LogInError::Port(error) => error.into(),
        }
    }
}

fn invalid_credentials(detail: &'static str) -> Problem {
    Problem::unauthorized(Code::InvalidCredentials, detail).challenge("Bearer")
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Invalid => refresh_token_invalid(),
            RefreshError::Reused => refresh_token_reused(),
            RefreshError::SessionRevoked => session_revoked(),
            RefreshError::SessionExpired => session_expired(),
            RefreshError::Port(error) => error.into(),
        }
    }
}

fn refresh_token_invalid() -> Problem {
    Problem::bad_token(
        Code::RefreshTokenInvalid,
        "The refresh token was not issued by this service. Log in again.",
    )
}

fn refresh_token_reused() -> Problem {
    Problem::bad_token(
        Code::RefreshTokenReused,
        "The refresh token was used before and may have been copied. The session was ended. Log in again.",
    )
}

fn session_revoked() -> Problem {
    Problem::bad_token(Code::SessionRevoked, "The session has ended. Log in again.")
}

fn session_expired() -> Problem {
    Problem::bad_token(Code::SessionExpired, "The session has expired. Log in again.")
}

impl From<LogOutError> for Problem {
    fn from(error: LogOutError) -> Self {
        match error {
            LogOutError::Authenticate(error) => error.into(),
            LogOutError::NotAUser(error) => error.into(),
            LogOutError::RefreshTokenInvalid => refresh_token_invalid(),
            LogOutError::RefreshTokenReused => refresh_token_reused(),
            LogOutError::SessionRevoked => session_revoked(),
            LogOutError::SessionExpired => session_expired(),
        }
    }
}

impl From<ChangePasswordError> for Problem {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::Confirm(error) => unconfirmed(error, "The current password is wrong."),
            error @ ChangePasswordError::Unchanged => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::PasswordUnchanged,
                "Password unchanged",
                "Choose a new password that differs from the current one.",
            )
            .with_errors(vec![FieldProblem {
                field: "new_password".to_owned(),
                code: FieldCode::PasswordUnchanged,
                detail: error.to_string(),
            }]),
            ChangePasswordError::Refused(refused) => {
                Self::validation_failed(vec![password_problem("new_password", &refused)])
            }
            ChangePasswordError::Change(error) => error.into(),
        }
    }
}

impl From<DeleteOwnAccountError> for Problem {
    fn from(error: DeleteOwnAccountError) -> Self {
        match error {
            DeleteOwnAccountError::Confirm(error) => unconfirmed(error, "The password is wrong."),
            DeleteOwnAccountError::Change(error) => error.into(),
        }
    }
}

impl From<ReauthenticateError> for Problem {
    fn from(error: ReauthenticateError) -> Self {
        match error {
            ReauthenticateError::Confirm(error) => unconfirmed(error, "The password is wrong."),
            ReauthenticateError::Change(error) => error.into(),
        }
    }
}

/// Converts the error of a request that confirms a password. `wrong` is the detail for a wrong
/// password.
fn unconfirmed(error: ConfirmPasswordError, wrong: &'static str) -> Problem {
    match error {
        ConfirmPasswordError::InvalidCredentials => invalid_credentials(wrong),
        ConfirmPasswordError::TooManyAttempts { retry_after, budget } => {
            too_many_attempts(retry_after, budget)
        }
        ConfirmPasswordError::Outdated => token_outdated(),
        ConfirmPasswordError::Port(error) => error.into(),
    }
}
