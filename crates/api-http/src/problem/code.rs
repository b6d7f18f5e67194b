//! The stable codes of problems and of their fields.
//!
//! The OpenAPI document lists the variants, so a new code is documented by its declaration.

use domain::{login::LoginRefused, password::PasswordRefused, throttle::BudgetName};
use serde::{Deserialize, Serialize};
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

/// Stable code of a problem for programs; one per cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, IntoStaticStr, EnumString, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ProblemCode)]
pub enum Code {
    AuditEventUnreadable,
    AuditEventsRemoved,
    AuditLogEndsBefore,
    CatalogueFull,
    ChosenPasswordDisabled,
    CookieOriginRefused,
    CorsHeadersRefused,
    CorsMethodRefused,
    CorsOriginRefused,
    Forbidden,
    InsufficientUserAuthentication,
    Internal,
    InvalidCredentials,
    LastAdmin,
    LoginTaken,
    MachineNameTaken,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    OutOfReach,
    Overloaded,
    OwnPassword,
    PasswordChangeRequired,
    PasswordUnchanged,
    PayloadTooLarge,
    PermissionNotGrantable,
    PreconditionFailed,
    PreconditionUnsupported,
    RefreshTokenInvalid,
    RefreshTokenReused,
    RequestTimeout,
    RoleBuiltIn,
    RoleDefault,
    RoleInUse,
    RoleNotAssignable,
    SelfAssignableNotGrantable,
    SessionExpired,
    SessionRevoked,
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    TokenOutdated,
    TokenRevoked,
    TooManyAttempts,
    TooManyMachines,
    TooManySecrets,
    Unavailable,
    UnknownRole,
    UnsupportedMediaType,
    UserRequired,
    ValidationFailed,
}

/// Stable code of a problem with one field for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, AsRefStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FieldCode {
    ContainsLogin,
    DuplicateField,
    ForbiddenCharacters,
    InvalidCursor,
    InvalidDescription,
    InvalidName,
    InvalidPermission,
    MissingField,
    MixedScripts,
    NotCombinable,
    OutOfRange,
    PasswordBreached,
    PasswordUnchanged,
    Predictable,
    ReservedName,
    TooLong,
    TooMany,
    TooShort,
    TooWeak,
    UnknownAction,
    UnknownField,
    UnknownRole,
    WrongType,
}

/// Budget of attempts that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    Network,
    Account,
    Service,
    Session,
}

impl Code {
    /// Returns the text of the code.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl From<LoginRefused> for FieldCode {
    fn from(refused: LoginRefused) -> Self {
        match refused {
            LoginRefused::TooShort => Self::TooShort,
            LoginRefused::TooLong => Self::TooLong,
            LoginRefused::Characters => Self::ForbiddenCharacters,
            LoginRefused::MixedScripts => Self::MixedScripts,
        }
    }
}

impl From<&PasswordRefused> for FieldCode {
    fn from(refused: &PasswordRefused) -> Self {
        match refused {
            PasswordRefused::TooShort { .. } => Self::TooShort,
            PasswordRefused::TooLong => Self::TooLong,
            PasswordRefused::ControlCharacters => Self::ForbiddenCharacters,
            PasswordRefused::ContainsLogin => Self::ContainsLogin,
            PasswordRefused::Predictable => Self::Predictable,
            PasswordRefused::TooWeak { .. } => Self::TooWeak,
            PasswordRefused::Breached => Self::PasswordBreached,
        }
    }
}

impl From<BudgetName> for Budget {
    fn from(budget: BudgetName) -> Self {
        match budget {
            BudgetName::Network => Self::Network,
            BudgetName::Account => Self::Account,
            BudgetName::Service => Self::Service,
            BudgetName::Session => Self::Session,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_code_is_sent_under_the_name_that_is_logged() {
        for code in Code::VARIANTS {
            assert_eq!(json!(code), json!(code.as_str()));
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
    }

    #[test]
    fn the_edge_sends_the_codes_of_the_core() {
        for refused in [
            LoginRefused::TooShort,
            LoginRefused::TooLong,
            LoginRefused::Characters,
            LoginRefused::MixedScripts,
        ] {
            assert_eq!(FieldCode::from(refused).as_ref(), refused.code());
        }
        for refused in [
            PasswordRefused::TooShort { min: 8 },
            PasswordRefused::TooLong,
            PasswordRefused::ControlCharacters,
            PasswordRefused::ContainsLogin,
            PasswordRefused::Predictable,
            PasswordRefused::TooWeak {
                advice: String::new(),
            },
            PasswordRefused::Breached,
        ] {
            assert_eq!(FieldCode::from(&refused).as_ref(), refused.code());
        }
        for budget in [
            BudgetName::Network,
            BudgetName::Account,
            BudgetName::Service,
            BudgetName::Session,
        ] {
            assert_eq!(json!(Budget::from(budget)), json!(budget.as_str()));
        }
    }
}
