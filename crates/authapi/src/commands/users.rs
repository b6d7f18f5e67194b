mod account;
mod create;
mod export;
mod import;
mod list;
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
    let operator = Operator::open(settings).await?;
    match command {
        Users::Create(request) => create::run(&operator, request).await,
        Users::List(request) => list::run(&operator, &request).await,
        Users::Show(one) => list::show(&operator, one).await,
        Users::SetRoles(request) => set_roles::run(&operator, request).await,
        Users::Disable(one) => account::set_status(&operator, one, UserStatus::Disabled).await,
        Users::Enable(one) => account::set_status(&operator, one, UserStatus::Active).await,
        Users::ResetPassword(one) => account::reset_password(&operator, one).await,
        Users::Delete(request) => account::delete(&operator, request).await,
        Users::Import(request) => import::run(&operator, &request).await,
        Users::Export(request) => export::run(&operator, &request).await,
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
