//! An example of each problem, as the OpenAPI document shows it.

use super::{Code, Problem};
use actix_cors::CorsError;
use actix_web::http::header;
use chrono::TimeDelta;
use domain::{
    authority::Denied,
    changes::Refusal,
    password::PasswordRefused,
    role::{Permission, RoleName},
    throttle::BudgetName,
    use_cases::{
        AssignRolesError, AuthenticateError, ChangePasswordError, CreateUserError, DeleteRoleError,
        LogInError, RefreshError, ResetPasswordError,
    },
};
use std::time::Duration;

/// The request id in examples.
const REQUEST_ID: &str = "0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d";

/// Returns the body of [`example`] as JSON.
pub fn example_body(code: Code) -> serde_json::Value {
    serde_json::to_value(example(code).body(Some(REQUEST_ID))).expect("a problem serializes to JSON")
}

/// Returns a problem with `code`, made from a cause as the service makes it.
pub fn example(code: Code) -> Problem {
    let editor = || RoleName::parse("editor").expect("the name is valid");
    match code {
        Code::CatalogueFull => Refusal::CatalogueFull.into(),
        Code::ChosenPasswordDisabled => ResetPasswordError::ChosenPasswordDisabled.into(),
        Code::CookieOriginRefused => Problem::cookie_origin_refused(),
        Code::CorsHeadersRefused => Problem::from(&CorsError::HeadersNotAllowed),
        Code::CorsMethodRefused => Problem::from(&CorsError::MethodNotAllowed),
        Code::CorsOriginRefused => Problem::from(&CorsError::OriginNotAllowed),
        Code::Forbidden => Denied::Forbidden(Permission::USERS_READ).into(),
        Code::InsufficientUserAuthentication => Denied::StepUpRequired {
            max_age: TimeDelta::minutes(15),
        }
        .into(),
        Code::Internal => Problem::internal(),
        Code::InvalidCredentials => LogInError::InvalidCredentials.into(),
        Code::LastAdmin => Refusal::LastAdmin.into(),
        Code::LoginTaken => Refusal::LoginTaken.into(),
        Code::MalformedRequest => Problem::malformed_request("The body is not JSON in UTF-8."),
        Code::MethodNotAllowed => Problem::method_not_allowed("GET, HEAD"),
        Code::NotFound => Refusal::UserNotFound.into(),
        Code::OutOfReach => Denied::OutOfReach.into(),
        Code::Overloaded => Problem::overloaded(),
        Code::OwnPassword => ResetPasswordError::OwnPassword.into(),
        Code::PasswordChangeRequired => AuthenticateError::PasswordChangeRequired.into(),
        Code::PasswordUnchanged => ChangePasswordError::Unchanged.into(),
        Code::PayloadTooLarge => Problem::payload_too_large(16 * 1024),
        Code::PermissionNotGrantable => Denied::NotGrantable(Permission::USERS_READ).into(),
        Code::PreconditionFailed => Refusal::RevisionMismatch.into(),
        Code::PreconditionUnsupported => Problem::precondition_unsupported(&header::IF_UNMODIFIED_SINCE),
        Code::RequestTimeout => Problem::request_timeout(),
        Code::RoleBuiltIn => DeleteRoleError::BuiltIn.into(),
        Code::RoleDefault => DeleteRoleError::Default.into(),
        Code::RoleInUse => Refusal::RoleInUse(3).into(),
        Code::RoleNotAssignable => Denied::NotAssignable(editor()).into(),
        Code::SelfAssignableNotGrantable => Denied::NotSelfAssignable.into(),
        Code::TooManyAttempts => LogInError::TooManyAttempts {
            retry_after: Duration::from_secs(30),
            budget: BudgetName::Network,
        }
        .into(),
        Code::Unavailable => Problem::unavailable(),
        Code::UnknownRole => AssignRolesError::UnknownRole("editor".to_owned()).into(),
        Code::UnsupportedMediaType => Problem::unsupported_media_type(),
        Code::ValidationFailed => {
            let password = Some(PasswordRefused::TooShort { min: 8 });
            CreateUserError::Refused {
                login: None,
                password,
            }
            .into()
        }
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantArray;

    #[test]
    fn the_example_of_a_code_has_that_code() {
        for code in Code::VARIANTS {
            assert_eq!(example(*code).code(), code.as_str());
        }
    }
}
