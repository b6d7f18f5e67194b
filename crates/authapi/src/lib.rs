//! The binary of authapi as a library, so that tests can run the whole service in their own process: settings, wiring,
//! telemetry, shutdown and the command line. Business rules live in `domain`.

mod app;
pub mod cli;
pub mod commands;
mod failure;
mod housekeeping;
mod key_folder;
mod prompt;
pub mod settings;
mod shutdown;
pub mod telemetry;
mod use_cases;
mod wiring;

pub use app::Application;
pub use failure::Failure;
