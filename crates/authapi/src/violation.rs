use domain::use_cases::CreateUserError;
use std::error::Error;

/// The rule that a new user's login or password breaks: the use case's own text does not name it. Any other error stays
/// as it is.
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
