mod account;
mod create;
mod export;
mod import;
mod list;
mod reset_password;
mod row;
mod set_roles;

use crate::{Failure, cli::Users, operator::Operator, settings::Settings};
use domain::{
    audit::Origin,
    steps::{ChangeRequest, UserRef},
    user::UserStatus,
};

/// Number of users read at a time.
const PAGE: u32 = 1_000;

/// Creates, finds, changes, imports and exports users.
pub async fn run(settings: &Settings, command: Users) -> Result<(), Failure> {
    let operator = if creates_database(&command) {
        Operator::open(settings).await?
    } else {
        Operator::open_existing(settings).await?
    };
    let done = match command {
        Users::Create(request) => create::run(&operator, request).await,
        Users::List(request) => list::run(&operator, &request).await,
        Users::Show(one) => list::show(&operator, one).await,
        Users::SetRoles(request) => set_roles::run(&operator, request).await,
        Users::Disable(one) => account::set_status(&operator, one, UserStatus::Disabled).await,
        Users::Enable(one) => account::set_status(&operator, one, UserStatus::Active).await,
        Users::ResetPassword(request) => reset_password::run(&operator, request).await,
        Users::Delete(request) => account::delete(&operator, request).await,
        Users::Import(request) => import::run(&operator, &request).await,
        Users::Export(request) => export::run(&operator, &request).await,
    };
    operator.finish().await;
    done
}

/// Returns whether `command` creates a missing database, so that users can be added before the
/// first start.
fn creates_database(command: &Users) -> bool {
    match command {
        Users::Create(_) => true,
        Users::Import(request) => !request.dry_run,
        Users::List(_)
        | Users::Show(_)
        | Users::SetRoles(_)
        | Users::Disable(_)
        | Users::Enable(_)
        | Users::ResetPassword(_)
        | Users::Delete(_)
        | Users::Export(_) => false,
    }
}

/// Returns a request of the operator to change `user`.
fn request(user: UserRef) -> ChangeRequest {
    ChangeRequest {
        user,
        if_revision: None,
        origin: Origin::default(),
    }
}
