//! An example of each problem, as the OpenAPI document shows it.

use super::{Code, Problem};
use crate::field_errors::unknown_parameter;
use actix_cors::CorsError;
use actix_web::http::header;
use chrono::TimeDelta;
use domain::{
    audit::AuditNumber,
    authority::Denied,
    caller::NotAUser,
    changes::Refusal,
    password::PasswordRefused,
    role::{Permission, RoleName},
    throttle::BudgetName,
    use_cases::{
        AssignRolesError, AuthenticateError, ChangePasswordError, CreateUserError, DeleteRoleError,
        FollowAuditError, LogInError, RefreshError, ResetPasswordError,
    },
};
use std::time::Duration;

/// The request id in examples.
const REQUEST_ID: &str = "0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d";

/// What the examples of an operation depend on.
#[derive(Default)]
pub struct Context {
    pub has_body: bool,
    /// The permission that the operation requires.
    pub permission: Option<Permission>,
}

impl Context {
    /// Returns the body of a problem with `code` of the operation as JSON.
    pub fn example_body(&self, code: Code) -> serde_json::Value {
        let problem = self.example(code);
        serde_json::to_value(problem.body(Some(REQUEST_ID))).expect("a problem serializes to JSON")
    }

    /// Returns a problem with `code` that a request of the operation can cause.
    fn example(&self, code: Code) -> Problem {
        match (code, &self.permission) {
            (Code::ValidationFailed, _) if !self.has_body => {
                Problem::validation_failed(vec![unknown_parameter("verbose")])
            }
            (Code::MalformedRequest, _) if !self.has_body => Problem::malformed_host(),
            (Code::Forbidden, Some(permission)) => Denied::Forbidden(permission.clone()).into(),
            (code, _) => example(code),
        }
    }
}

/// Returns a problem with `code`, made from a cause as the service makes it.
pub fn example(code: Code) -> Problem {
    let found = tokens(code)
        .or_else(|| accounts(code))
        .or_else(|| roles(code))
        .or_else(|| audit(code))
        .or_else(|| requests(code));
    found.expect("a test covers every code")
}

/// Problems of tokens and sessions.
fn tokens(code: Code) -> Option<Problem> {
    let problem = match code {
        Code::InsufficientUserAuthentication => Denied::StepUpRequired {
            max_age: TimeDelta::minutes(15),
        }
        .into(),
        Code::RefreshTokenInvalid => RefreshError::Invalid.into(),
        Code::RefreshTokenReused => RefreshError::Reused.into(),
        Code::SessionExpired => RefreshError::SessionExpired.into(),
        Code::SessionRevoked => RefreshError::SessionRevoked.into(),
        Code::TokenExpired => AuthenticateError::Expired.into(),
        Code::TokenInvalid => AuthenticateError::Invalid.into(),
        Code::TokenMalformed => AuthenticateError::Malformed.into(),
        Code::TokenMissing => Problem::token_missing(),
        Code::TokenOutdated => AuthenticateError::Outdated.into(),
        Code::TokenRevoked => AuthenticateError::Revoked.into(),
        Code::UserRequired => NotAUser.into(),
        _ => return None,
    };
    Some(problem)
}

/// Problems of accounts and passwords.
fn accounts(code: Code) -> Option<Problem> {
    let problem = match code {
        Code::ChosenPasswordDisabled => ResetPasswordError::ChosenPasswordDisabled.into(),
        Code::InvalidCredentials => LogInError::InvalidCredentials.into(),
        Code::LastAdmin => Refusal::LastAdmin.into(),
        Code::LoginTaken => Refusal::LoginTaken.into(),
        Code::OwnPassword => ResetPasswordError::OwnPassword.into(),
        Code::PasswordChangeRequired => AuthenticateError::PasswordChangeRequired.into(),
        Code::PasswordUnchanged => ChangePasswordError::Unchanged.into(),
        Code::TooManyAttempts => LogInError::TooManyAttempts {
            retry_after: Duration::from_secs(30),
            budget: BudgetName::Network,
        }
        .into(),
        Code::ValidationFailed => {
            let password = Some(PasswordRefused::TooShort { min: 8 });
            CreateUserError::Refused {
                login: None,
                password,
            }
            .into()
        }
        _ => return None,
    };
    Some(problem)
}

/// Problems of roles and permissions.
fn roles(code: Code) -> Option<Problem> {
    let editor = || RoleName::parse("editor").expect("the name is valid");
    let problem = match code {
        Code::CatalogueFull => Refusal::CatalogueFull.into(),
        Code::Forbidden => Denied::Forbidden(Permission::USERS_READ).into(),
        Code::OutOfReach => Denied::OutOfReach.into(),
        Code::PermissionNotGrantable => Denied::NotGrantable(Permission::USERS_READ).into(),
        Code::RoleBuiltIn => DeleteRoleError::BuiltIn.into(),
        Code::RoleDefault => DeleteRoleError::Default.into(),
        Code::RoleInUse => Refusal::RoleInUse(3).into(),
        Code::RoleNotAssignable => Denied::NotAssignable(editor()).into(),
        Code::SelfAssignableNotGrantable => Denied::NotSelfAssignable.into(),
        Code::MachineNameTaken => Refusal::MachineNameTaken.into(),
        Code::TooManyMachines => Refusal::TooManyMachines.into(),
        Code::TooManySecrets => Refusal::TooManySecrets.into(),
        Code::UnknownRole => AssignRolesError::UnknownRole("editor".to_owned()).into(),
        _ => return None,
    };
    Some(problem)
}

/// Problems of the audit log.
fn audit(code: Code) -> Option<Problem> {
    let after = AuditNumber(41);
    let problem = match code {
        Code::AuditEventUnreadable => FollowAuditError::Unreadable {
            number: AuditNumber(42),
        },
        Code::AuditEventsRemoved => FollowAuditError::EventsRemoved {
            after,
            oldest: AuditNumber(1_001),
        },
        Code::AuditLogEndsBefore => FollowAuditError::LogEndsBefore {
            after,
            newest: AuditNumber(17),
        },
        _ => return None,
    };
    Some(problem.into())
}

/// Problems of requests and of the service, whatever a request is about.
fn requests(code: Code) -> Option<Problem> {
    let problem = match code {
        Code::CookieOriginRefused => Problem::cookie_origin_refused(),
        Code::CorsHeadersRefused => Problem::from(&CorsError::HeadersNotAllowed),
        Code::CorsMethodRefused => Problem::from(&CorsError::MethodNotAllowed),
        Code::CorsOriginRefused => Problem::from(&CorsError::OriginNotAllowed),
        Code::Internal => Problem::internal(),
        Code::MalformedRequest => Problem::malformed_request("The body is not JSON in UTF-8."),
        Code::MethodNotAllowed => Problem::method_not_allowed("GET, HEAD"),
        Code::NotFound => Refusal::UserNotFound.into(),
        Code::Overloaded => Problem::overloaded(),
        Code::PayloadTooLarge => Problem::payload_too_large(16 * 1024),
        Code::PreconditionFailed => Refusal::RevisionMismatch.into(),
        Code::PreconditionUnsupported => Problem::precondition_unsupported(&header::IF_UNMODIFIED_SINCE),
        Code::RequestTimeout => Problem::request_timeout(),
        Code::Unavailable => Problem::unavailable(),
        Code::UnsupportedMediaType => Problem::unsupported_media_type(),
        _ => return None,
    };
    Some(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantArray;

    #[test]
    fn the_example_of_a_code_has_that_code() {
        for code in Code::VARIANTS {
            let without_body = Context::default();
            for problem in [example(*code), without_body.example(*code)] {
                assert_eq!(problem.code(), code.as_str());
            }
        }
    }
}
