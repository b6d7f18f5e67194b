use super::output::Stream;
use crate::{
    Failure,
    cli::{Cli, Shell},
};
use clap::CommandFactory;

/// Prints the completions of the command line for `shell`.
pub fn run(shell: Shell) -> Result<(), Failure> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(clap_complete::Shell::from(shell), &mut command, name, &mut script);
    let mut stream = Stream::new();
    stream.bytes(&script)?;
    stream.flush()
}

impl From<Shell> for clap_complete::Shell {
    fn from(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Bash,
            Shell::Zsh => Self::Zsh,
            Shell::Fish => Self::Fish,
        }
    }
}
