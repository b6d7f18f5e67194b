use domain::use_cases::CreateUserError;
use std::error::Error;

/// Returns the violation of a new user's login or password, which the text of `error` does not
/// name; other errors are returned unchanged.
pub fn violation(error: CreateUserError) -> Box<dyn Error + Send + Sync> {
    match error {
        CreateUserError::Refused {
            login: Some(refused), ..
        } => refused.into(),
        CreateUserError::Refused {
            password: Some(refused),
            ..
        } => refused.into(),
        other => other.into(),
    }
}
