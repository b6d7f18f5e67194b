use super::{
    super::output::{self, List, Table},
    PAGE,
    row::UserRow,
};
use crate::{
    Failure,
    cli::{ListUsers, OneUser},
    operator::Operator,
};
use domain::{
    authority::Capability,
    steps::UserRef,
    user::{User, UserPage},
};

/// Lists users; holds one page in memory at a time.
pub async fn run(operator: &Operator, request: &ListUsers) -> Result<(), Failure> {
    let mut list = List::<UserRow>::new(request.listing);
    let mut left = request.limit.unwrap_or(u64::MAX);
    let mut after = None;
    while left > 0 && list.is_read() {
        let limit = u32::try_from(left).map_or(PAGE, |left| left.min(PAGE));
        let page = UserPage { after, limit };
        let users = operator
            .find_users
            .execute(Capability::of_operator(), request.filter(), page)
            .await
            .map_err(|error| Failure::because("the users cannot be listed", error))?;
        left -= users.len() as u64;
        after = users.last().map(|user| user.login.canonical().clone());
        let is_last = after.is_none() || users.len() < limit as usize;
        list.page(users.into_iter().map(UserRow::from))?;
        if is_last {
            break;
        }
    }
    list.end();
    Ok(())
}

/// Shows one user.
pub async fn show(operator: &Operator, one: OneUser) -> Result<(), Failure> {
    let user = find(operator, &one.selector.into()).await?;
    let row = UserRow::from(user);
    if one.listing.json {
        return output::json_line(&row);
    }
    let lines = Table::new(&["PROPERTY", "VALUE"]).page(row.properties());
    lines.iter().try_for_each(output::line)
}

/// Finds a user.
///
/// # Errors
/// If the user does not exist or cannot be read.
pub async fn find(operator: &Operator, user: &UserRef) -> Result<User, Failure> {
    let user = operator.find_users.one(Capability::of_operator(), user).await;
    let user = user.map_err(|error| Failure::because("the users cannot be read", error))?;
    user.ok_or_else(|| Failure::new("the user does not exist"))
}
