use domain::{use_cases::AssignRolesOutcome, user::User};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunQuery {
    /// Change nothing, and tell what would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a change of roles would come to.
#[derive(Serialize, ToSchema)]
#[schema(as = RolesRehearsal)]
pub struct RolesDryRun<U> {
    /// Always true.
    dry_run: bool,
    /// The user as they would be.
    user: U,
    /// How many live sessions would end.
    sessions_ended: u64,
    /// Whether every access token from before would be refused.
    access_tokens_revoked: bool,
}

/// The user as they are now; on a dry run, what would change.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum RolesOutcome<U> {
    Changed(U),
    DryRun(RolesDryRun<U>),
}

impl<U: From<User>> RolesOutcome<U> {
    pub fn new(assigned: AssignRolesOutcome, dry_run: bool) -> Self {
        let AssignRolesOutcome { user, sessions_ended } = assigned;
        if !dry_run {
            return Self::Changed(user.into());
        }
        Self::DryRun(RolesDryRun {
            dry_run: true,
            user: user.into(),
            sessions_ended,
            // Every change of roles raises the epoch, sessions kept or not.
            access_tokens_revoked: true,
        })
    }
}
