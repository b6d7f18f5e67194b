mod accept;
mod event_row;
mod follow;
mod list;
mod public_key;
mod unreadable;
mod verify;

use crate::{Failure, cli::Audit, operator::Operator, settings::Settings};

/// Lists, follows, verifies and accepts the audit log.
pub async fn run(settings: &Settings, command: Audit) -> Result<(), Failure> {
    match command {
        Audit::List(request) => list::run(&Operator::open_existing(settings).await?, request).await,
        Audit::Follow(request) => follow::run(&Operator::open_existing(settings).await?, request).await,
        Audit::Verify(request) => verify::run(settings, request).await,
        Audit::Accept(listing) => accept::run(settings, listing).await,
        Audit::PublicKey => public_key::run(&settings.keys),
    }
}
