use super::{
    super::output::{self, instant},
    list, request,
    row::UserRow,
};
use crate::{Failure, cli::ResetPassword, operator::Operator, prompt};
use domain::{
    authority::Capability,
    one_time_password::ResetCode,
    steps::UserRef,
    use_cases::{PasswordReset, ResetPasswordError},
};
use serde::Serialize;

/// Resets a password and prints the one-time code, unless the operator chooses a password.
pub async fn run(operator: &Operator, command: ResetPassword) -> Result<(), Failure> {
    let user_ref: UserRef = command.selector.into();
    let chosen = if command.password {
        // Check that the user exists before asking for the password, so that it is not typed in
        // vain.
        list::find(operator, &user_ref).await?;
        Some(prompt::new_password()?)
    } else {
        None
    };
    let reset = operator
        .reset_password
        .execute(Capability::of_operator(), request(user_ref), chosen)
        .await
        .map_err(|error| Failure::because("the password was not changed", flat(error)))?;
    if command.listing.json {
        output::json_line(&ResetRow::from(reset))
    } else {
        print(&reset)
    }
}

/// Drops the outer error, whose text adds nothing to the cause.
fn flat(error: ResetPasswordError) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        ResetPasswordError::Refused(refused) => refused.into(),
        ResetPasswordError::Change(error) => error.into(),
        other @ (ResetPasswordError::OwnPassword | ResetPasswordError::ChosenPasswordDisabled) => {
            other.into()
        }
    }
}

/// Prints the code alone to standard output, so that a script can pass it on, and what it is for to
/// standard error.
fn print(reset: &PasswordReset) -> Result<(), Failure> {
    let (secret, then) = match reset.code {
        Some(_) => ("this code", "it is not shown again"),
        None => ("this password", "the password must then be changed"),
    };
    output::note(format_args!(
        "{} can log in once with {secret}, before {}; {then}",
        reset.user.login.as_typed(),
        instant(reset.expires_at),
    ));
    match &reset.code {
        Some(code) => output::line(code.expose()),
        None => Ok(()),
    }
}

/// The JSON output of `users reset-password`.
#[derive(Serialize)]
struct ResetRow {
    /// `None` if the operator chose a password.
    reset_code: Option<String>,
    expires_at: String,
    user: UserRow,
}

impl From<PasswordReset> for ResetRow {
    fn from(reset: PasswordReset) -> Self {
        Self {
            reset_code: reset.code.as_ref().map(ResetCode::expose).map(str::to_owned),
            expires_at: instant(reset.expires_at),
            user: reset.user.into(),
        }
    }
}
