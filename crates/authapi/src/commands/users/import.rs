mod report;
mod retry;

use crate::{
    Failure,
    cli::{Format, ImportUsers},
    operator::Operator,
    progress::Progress,
    user_file::{Lines, Refusal, UserReader},
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

/// How many users are stored in one transaction.
const BATCH: usize = 1_000;
/// How many bytes of lines wait to be stored.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// The pause before a batch is tried again that storage was too busy for.
const PAUSE: Duration = Duration::from_millis(500);

/// Takes over the users of a file, a batch at a time.
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
    summary.tell(request.listing)
}

/// What is read, and how many bytes it has if that is known.
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

/// The names of the roles that there are.
async fn catalogue(operator: &Operator) -> Result<RoleNames, Failure> {
    let roles = operator.list_roles.execute().await;
    let roles = roles.map_err(|error| Failure::because("the roles cannot be read", error))?;
    Ok(roles.into_iter().map(|role| role.name).collect())
}

/// An import under way.
struct Import<'a> {
    operator: &'a Operator,
    /// The roles that there are, when nobody is to be stored.
    catalogue: Option<RoleNames>,
    /// Lines that wait, with their numbers.
    batch: Vec<(u64, Result<ImportRequest, Refusal>)>,
    /// How long those lines are together.
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
        let mut position = 0;
        while let Some(line) = lines.next().map_err(|error| unreadable(path, error))? {
            position = line.position;
            let number = line.number;
            self.bytes += line.text.as_ref().map_or(0, |text| text.len());
            match line.text.and_then(|text| reader.read(text)) {
                Err(refusal) if reader.is_lost() => return Err(unnamed_columns(path, &refusal)),
                Ok(None) => continue,
                Ok(Some(request)) => self.batch.push((number, Ok(request))),
                Err(refusal) => self.batch.push((number, Err(refusal))),
            }
            if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES {
                self.settle(position).await?;
            }
        }
        self.settle(position).await
    }

    /// Stores those who wait, and reports who was refused, in the order of the lines.
    async fn settle(&mut self, position: u64) -> Result<(), Failure> {
        self.bytes = 0;
        let mut requests = Vec::new();
        let mut results = Vec::new();
        for (number, line) in mem::take(&mut self.batch) {
            results.push((number, line.map(|request| requests.push(request)).err()));
        }
        let mut answers = self.store(requests).await.map_err(stopped)?.into_iter();
        for (number, refusal) in results {
            let outcome = match refusal {
                Some(refusal) => Outcome::Refused(refusal),
                None => answers.next().expect("each user is answered").into(),
            };
            match outcome {
                Outcome::Imported => self.summary.imported += 1,
                Outcome::AlreadyThere => self.summary.already_there += 1,
                Outcome::Refused(refusal) => {
                    self.summary.refused += 1;
                    self.rejects.tell(number, refusal)?;
                }
            }
        }
        self.rejects.reach(position, self.summary.lines());
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

/// What a line came to.
enum Outcome {
    Imported,
    AlreadyThere,
    Refused(Refusal),
}

impl From<Result<(), ImportRefused>> for Outcome {
    fn from(stored: Result<(), ImportRefused>) -> Self {
        match stored {
            Ok(()) => Self::Imported,
            Err(ImportRefused::Change(changes::Refusal::LoginTaken)) => Self::AlreadyThere,
            Err(refused) => Self::Refused(refused.into()),
        }
    }
}

fn stopped(error: PortError) -> Failure {
    Failure::because(
        "the import broke off; run it again, whoever is there is left alone",
        error,
    )
}

fn unnamed_columns(path: &Path, refusal: &Refusal) -> Failure {
    Failure::new(format!(
        "the first line of {} does not name the columns: {}",
        path.display(),
        refusal.text
    ))
}
