mod report;
mod retry;

use crate::{
    Failure,
    cli::{Format, ImportUsers},
    operator::Operator,
    progress::Progress,
    user_file::{Lines, Refusal, UserReader, mistaken_file},
};
use domain::{
    changes,
    ports::PortError,
    role::RoleNames,
    use_cases::{ImportRefused, ImportRequest},
};
use report::{Rejects, Summary};
use retry::store_with_retries;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, stdin},
    mem,
    path::Path,
    time::Duration,
};

/// Maximum number of users stored in one transaction.
const BATCH: usize = 1_000;
/// Maximum size of the lines that wait to be stored, in bytes.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Pause before a batch is retried after storage was too busy or too slow.
const PAUSE: Duration = Duration::from_millis(500);

/// Imports the users of a file in batches.
pub async fn run(operator: &Operator, request: &ImportUsers) -> Result<(), Failure> {
    let (input, size) = open(&request.file).map_err(|error| unreadable(&request.file, error))?;
    let mut import = Import {
        operator,
        catalogue: if request.dry_run {
            Some(catalogue(operator).await?)
        } else {
            None
        },
        batch: Vec::new(),
        bytes: 0,
        rejects: Rejects::open(request.rejects.as_deref(), Progress::new("users", size))?,
        summary: Summary::new(request.dry_run),
    };
    import.read(&request.file, input, request.format()).await?;
    let Import { rejects, summary, .. } = import;
    rejects.close()?;
    summary.print(request.listing)
}

/// Opens `path` and returns its reader, with its size in bytes if known. `-` is standard input.
fn open(path: &Path) -> io::Result<(Box<dyn BufRead>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(stdin().lock()), None));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let size = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(1 << 16, file)), size))
}

fn unreadable(path: &Path, error: io::Error) -> Failure {
    Failure::because(format!("{} cannot be read", path.display()), error)
}

/// Returns the names of all roles.
async fn catalogue(operator: &Operator) -> Result<RoleNames, Failure> {
    let roles = operator.list_roles.execute().await;
    let roles = roles.map_err(|error| Failure::because("the roles cannot be read", error))?;
    Ok(roles.into_iter().map(|role| role.name).collect())
}

/// An import in progress.
struct Import<'a> {
    operator: &'a Operator,
    /// The names of all roles, for a dry run.
    catalogue: Option<RoleNames>,
    /// Lines that wait to be stored, with their numbers.
    batch: Vec<(u64, Result<ImportRequest, Refusal>)>,
    /// The total length of the waiting lines, in bytes.
    bytes: usize,
    rejects: Rejects,
    summary: Summary,
}

impl Import<'_> {
    async fn read(&mut self, path: &Path, input: Box<dyn BufRead>, format: Format) -> Result<(), Failure> {
        let mut reader = match format {
            Format::Jsonl => UserReader::Jsonl,
            Format::Csv => UserReader::Csv(None),
        };
        let mut lines = Lines::new(input);
        let (mut position, mut is_first) = (0, true);
        while let Some(line) = lines.next_line().map_err(|error| unreadable(path, error))? {
            if mem::take(&mut is_first)
                && let Some(remedy) = mistaken_file(line.bytes, format)
            {
                return Err(mistaken(path, remedy));
            }
            position = line.position;
            let number = line.number;
            self.bytes += line.text.as_ref().map_or(0, |text| text.len());
            match line.text.and_then(|text| reader.read(text)) {
                Err(refusal) if reader.has_no_columns() => return Err(invalid_header(path, &refusal)),
                Ok(None) => continue,
                Ok(Some(request)) => self.batch.push((number, Ok(request))),
                Err(refusal) => self.batch.push((number, Err(refusal))),
            }
            if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES {
                self.check_first_batch(path)?;
                self.store_batch(position).await?;
            }
        }
        self.check_first_batch(path)?;
        self.store_batch(position).await
    }

    /// Stops the import if the file begins with several lines of which none is a user.
    fn check_first_batch(&self, path: &Path) -> Result<(), Failure> {
        let is_first = self.summary.lines() == 0;
        let no_user = self.batch.len() > 1 && self.batch.iter().all(|(_, line)| line.is_err());
        match self.batch.first() {
            Some((number, Err(refusal))) if is_first && no_user => Err(Failure::new(format!(
                "none of the first {} lines of {} is a user; line {number}: {}: {}",
                self.batch.len(),
                path.display(),
                refusal.code,
                refusal.text
            ))),
            _ => Ok(()),
        }
    }

    /// Stores the batch and reports refused lines, in the order of the lines.
    async fn store_batch(&mut self, position: u64) -> Result<(), Failure> {
        self.bytes = 0;
        let mut requests = Vec::new();
        let mut results = Vec::new();
        for (number, line) in mem::take(&mut self.batch) {
            results.push((number, line.map(|request| requests.push(request)).err()));
        }
        let mut answers = self.store(requests).await.map_err(interrupted)?.into_iter();
        for (number, refusal) in results {
            let outcome = match refusal {
                Some(refusal) => Outcome::Refused(refusal),
                None => answers.next().expect("each user is answered").into(),
            };
            match outcome {
                Outcome::Imported => self.summary.imported += 1,
                Outcome::Exists => self.summary.already_there += 1,
                Outcome::Refused(refusal) => {
                    self.summary.refused += 1;
                    self.rejects.report(number, refusal)?;
                }
            }
        }
        self.rejects.update_progress(position, self.summary.lines());
        Ok(())
    }

    async fn store(&self, requests: Vec<ImportRequest>) -> Result<Vec<Result<(), ImportRefused>>, PortError> {
        let import = &self.operator.import_users;
        if let Some(catalogue) = &self.catalogue {
            return import.dry_run(requests, catalogue).await;
        }
        let store = async |requests| import.execute(requests).await;
        let stored = store_with_retries(requests, PAUSE, store).await?;
        Ok(stored.into_iter().map(|user| user.map(drop)).collect())
    }
}

/// The outcome of a line.
enum Outcome {
    Imported,
    Exists,
    Refused(Refusal),
}

impl From<Result<(), ImportRefused>> for Outcome {
    fn from(stored: Result<(), ImportRefused>) -> Self {
        match stored {
            Ok(()) => Self::Imported,
            Err(ImportRefused::Change(changes::Refusal::LoginTaken)) => Self::Exists,
            Err(refused) => Self::Refused(refused.into()),
        }
    }
}

fn interrupted(error: PortError) -> Failure {
    Failure::because(
        "the import stopped; run it again, existing users are left unchanged",
        error,
    )
}

fn mistaken(path: &Path, remedy: &str) -> Failure {
    Failure::new(format!("{} cannot be imported: {remedy}", path.display()))
}

fn invalid_header(path: &Path, refusal: &Refusal) -> Failure {
    Failure::new(format!(
        "the first line of {} is not a valid header: {}",
        path.display(),
        refusal.text
    ))
}
