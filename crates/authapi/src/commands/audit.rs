mod list;
mod verify;

use crate::{Failure, cli::Audit, operator::Operator, settings::Settings};

/// Lists and verifies the audit log.
pub async fn run(settings: &Settings, command: Audit) -> Result<(), Failure> {
    let operator = Operator::open_existing(settings).await?;
    match command {
        Audit::List(request) => list::run(&operator, request).await,
        Audit::Verify(request) => verify::run(&operator, &request).await,
    }
}
