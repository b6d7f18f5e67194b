use super::{
    super::output,
    list, request,
    row::{UserRow, status_word},
};
use crate::{
    Failure,
    cli::{DeleteUser, Listing, OneUser},
    operator::Operator,
    prompt,
};
use domain::{
    authority::Capability,
    steps::UserRef,
    use_cases::ResetPasswordError,
    user::{User, UserStatus},
};
use std::fmt::Display;

/// Disables or enables a user.
pub async fn set_status(operator: &Operator, one: OneUser, status: UserStatus) -> Result<(), Failure> {
    let user = operator
        .set_status
        .execute(Capability::of_operator(), request(one.who.into()), status)
        .await
        .map_err(|error| Failure::because("the user stays as before", error))?;
    let what = format!("{} is {}", user.login.as_typed(), status_word(status));
    tell(user, one.listing, what)
}

/// Gives a user a password that they have to change.
pub async fn reset_password(operator: &Operator, one: OneUser) -> Result<(), Failure> {
    let user_ref: UserRef = one.who.into();
    // Before the password is asked for: nobody likes to type it for nothing.
    list::find(operator, &user_ref).await?;
    let password = prompt::new_password()?;
    let user = operator
        .reset_password
        .execute(Capability::of_operator(), request(user_ref), password)
        .await
        .map_err(|error| Failure::because("the password stays as before", flat(error)))?;
    let what = format!(
        "{} must change this password at the next login",
        user.login.as_typed()
    );
    tell(user, one.listing, what)
}

/// Without the step that only passes errors on.
fn flat(error: ResetPasswordError) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        ResetPasswordError::Refused(refused) => refused.into(),
        ResetPasswordError::Change(error) => error.into(),
        other @ ResetPasswordError::OwnPassword => other.into(),
    }
}

/// Removes a user, once that is confirmed.
pub async fn delete(operator: &Operator, arguments: DeleteUser) -> Result<(), Failure> {
    let user_ref = arguments.who.into();
    if !arguments.yes {
        let user = list::find(operator, &user_ref).await?;
        let question = format!("Delete {} ({}) for good?", user.login.as_typed(), user.id);
        if !prompt::confirmed(&question)? {
            return Err(Failure::new("nobody was deleted"));
        }
    }
    let user = operator
        .delete_user
        .execute(Capability::of_operator(), request(user_ref))
        .await
        .map_err(|error| Failure::because("nobody was deleted", error))?;
    let what = format!("deleted {} ({})", user.login.as_typed(), user.id);
    tell(user, arguments.listing, what)
}

/// Prints the user for programs, `what` for people.
fn tell(user: User, listing: Listing, what: impl Display) -> Result<(), Failure> {
    if listing.json {
        output::json_line(&UserRow::from(user))
    } else {
        output::line(what)
    }
}
