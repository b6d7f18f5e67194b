//! A command that runs beside the test.

use crate::{
    log::Log,
    server::{Process, TIMEOUT},
};
use std::process::Command;

/// A running command. It is killed on drop.
pub struct Launched {
    process: Process,
    log: Log,
}

impl Launched {
    /// Starts `command` and does not wait for its end.
    pub fn start(mut command: Command) -> Self {
        let mut process = Process(command.spawn().expect("the program can be started"));
        let log = Log::default();
        log.follow(process.0.stderr.take().expect("standard error is a pipe"));
        Self { process, log }
    }

    /// Waits until the command has written a line that contains `text`, and returns the line.
    pub fn wait_until_it_says(&self, text: &str) -> String {
        let said = |line: &str| line.contains(text).then(|| line.to_owned());
        let said = self.log.wait_for(TIMEOUT, said);
        said.unwrap_or_else(|| panic!("no {text:?}: {:#?}", self.log.lines()))
    }

    /// Waits for the end and returns the exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.process.wait(TIMEOUT).expect("the command ends").code()
    }
}
