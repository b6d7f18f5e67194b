use super::{
    super::output::{self, words},
    row::UserRow,
};
use crate::{Failure, cli::SetRoles, operator::Operator};
use domain::{
    audit::Origin,
    authority::Requester,
    use_cases::{AssignRolesOutcome, AssignRolesRequest, Assignee},
};
use serde::Serialize;

/// Replaces the roles of a user, or shows what would change.
pub async fn run(operator: &Operator, command: SetRoles) -> Result<(), Failure> {
    let request = AssignRolesRequest {
        assignee: Assignee::User(command.selector.into()),
        new_roles: command.new_roles.roles,
        keep_sessions: command.keep_sessions,
        if_revision: None,
        dry_run: command.dry_run,
    };
    let assigned = operator
        .assign_roles
        .execute(Requester::Operator, request, Origin::default())
        .await
        .map_err(|error| Failure::because("the roles were not changed", error))?;
    if command.listing.json {
        return output::json_line(&RolesRow::new(assigned, command.dry_run));
    }
    let AssignRolesOutcome {
        user, sessions_ended, ..
    } = assigned;
    let login = user.login.as_typed();
    let roles = match words(&user.roles, ", ") {
        roles if roles.is_empty() => "no roles".to_owned(),
        roles => roles,
    };
    if command.dry_run {
        output::line(format_args!(
            "{login} would have: {roles}; sessions that would end: {sessions_ended}"
        ))
    } else {
        output::line(format_args!("{login} now has: {roles}"))
    }
}

/// The JSON output of `users set-roles`.
#[derive(Serialize)]
struct RolesRow {
    dry_run: bool,
    user: UserRow,
    sessions_ended: u64,
}

impl RolesRow {
    fn new(assigned: AssignRolesOutcome, dry_run: bool) -> Self {
        Self {
            dry_run,
            user: assigned.user.into(),
            sessions_ended: assigned.sessions_ended,
        }
    }
}
