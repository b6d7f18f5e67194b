//! The output of an import: refused lines while it runs, and a summary at its end.

use super::super::super::output;
use crate::{Failure, cli::Listing, progress::Progress, user_file::Refusal};
use serde::Serialize;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Error, Write},
    path::Path,
};

/// Maximum number of lines with one code on standard error.
const SHOWN: u64 = 20;

/// Reports refused lines: all of them to a file as JSON Lines, or the first ones of each code to
/// standard error as text.
pub struct Rejects {
    file: Option<BufWriter<File>>,
    progress: Progress,
    /// The number of lines by code, without a file.
    counts: BTreeMap<Cow<'static, str>, u64>,
}

/// A refused line in the file.
#[derive(Serialize)]
struct RefusedLine {
    line: u64,
    #[serde(flatten)]
    refusal: Refusal,
}

impl Rejects {
    /// Creates the file `path`. Without a path, refused lines are printed above the bar of
    /// `progress`.
    pub fn open(path: Option<&Path>, progress: Progress) -> Result<Self, Failure> {
        let file = path.map(File::create).transpose().map_err(unwritable)?;
        Ok(Self {
            file: file.map(BufWriter::new),
            progress,
            counts: BTreeMap::new(),
        })
    }

    /// Reports that line `number` was refused.
    pub fn report(&mut self, number: u64, refusal: Refusal) -> Result<(), Failure> {
        let Some(file) = &mut self.file else {
            let line = format!("line {number}: {}: {}", refusal.code, refusal.text);
            let count = self.counts.entry(refusal.code).or_default();
            *count += 1;
            if *count <= SHOWN {
                self.progress.print(&line);
            }
            return Ok(());
        };
        let line = RefusedLine {
            line: number,
            refusal,
        };
        serde_json::to_writer(&mut *file, &line)
            .map_err(Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .map_err(unwritable)
    }

    /// Shows that `position` bytes are read and `count` users are handled.
    pub fn update_progress(&mut self, position: u64, count: u64) {
        self.progress.update(position, count);
    }

    /// Reports how many lines were not shown, and flushes the file.
    pub fn close(self) -> Result<(), Failure> {
        for (code, count) in self.counts.iter().filter(|(_, count)| **count > SHOWN) {
            let more = count - SHOWN;
            self.progress
                .print(&format!("{more} more lines: {code}; --rejects FILE lists all"));
        }
        match self.file {
            Some(mut file) => file.flush().map_err(unwritable),
            None => Ok(()),
        }
    }
}

fn unwritable(error: Error) -> Failure {
    Failure::because("the file of refused lines cannot be written to", error)
}

/// The outcome of an import, in numbers of users.
#[derive(Serialize)]
pub struct Summary {
    dry_run: bool,
    pub imported: u64,
    pub already_there: u64,
    pub refused: u64,
}

impl Summary {
    /// Creates a summary without users.
    pub fn new(dry_run: bool) -> Self {
        Self {
            dry_run,
            imported: 0,
            already_there: 0,
            refused: 0,
        }
    }

    /// Returns the number of lines so far.
    pub fn lines(&self) -> u64 {
        self.imported + self.already_there + self.refused
    }

    /// Prints the summary.
    ///
    /// # Errors
    /// If a line was refused.
    pub fn print(self, listing: Listing) -> Result<(), Failure> {
        if listing.json {
            output::json_line(&self)?;
        } else {
            let verb = if self.dry_run { "would import" } else { "imported" };
            output::line(format_args!(
                "{verb} {}, already existing {}, refused {}",
                self.imported, self.already_there, self.refused
            ))?;
        }
        match self.refused {
            0 => Ok(()),
            1 => Err(Failure::new("one line was refused")),
            refused => Err(Failure::new(format!("{refused} lines were refused"))),
        }
    }
}
