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
    user::{User, UserStatus},
};
use std::fmt::Display;

/// Disables or enables a user.
pub async fn set_status(operator: &Operator, one: OneUser, status: UserStatus) -> Result<(), Failure> {
    let user = operator
        .set_status
        .execute(Capability::of_operator(), request(one.selector.into()), status)
        .await
        .map_err(|error| Failure::because("the user was not changed", error))?;
    let what = format!("{} is {}", user.login.as_typed(), status_word(status));
    print(user, one.listing, what)
}

/// Deletes a user after confirmation.
pub async fn delete(operator: &Operator, arguments: DeleteUser) -> Result<(), Failure> {
    let user_ref = arguments.selector.into();
    if !arguments.yes {
        let user = list::find(operator, &user_ref).await?;
        let question = format!("Delete {} ({}) for good?", user.login.as_typed(), user.id);
        if !prompt::confirmed(&question)? {
            return Err(Failure::new("the user was not deleted"));
        }
    }
    let user = operator
        .delete_user
        .execute(Capability::of_operator(), request(user_ref))
        .await
        .map_err(|error| Failure::because("the user was not deleted", error))?;
    let what = format!("deleted {} ({})", user.login.as_typed(), user.id);
    print(user, arguments.listing, what)
}

/// Prints `user` as JSON, or else `what`.
fn print(user: User, listing: Listing, what: impl Display) -> Result<(), Failure> {
    if listing.json {
        output::json_line(&UserRow::from(user))
    } else {
        output::line(what)
    }
}
