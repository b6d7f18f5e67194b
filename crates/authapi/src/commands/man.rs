use crate::{Failure, cli::Cli};
use clap::CommandFactory;
use std::{fs, path::Path};

/// Writes a manual page for each command to `directory`.
pub fn run(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .map_err(|error| {
            let what = format!("the manual pages cannot be written to {}", directory.display());
            Failure::because(what, error)
        })
}
