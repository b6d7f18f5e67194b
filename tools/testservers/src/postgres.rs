use crate::{
    failure::{Failure, must},
    instance::{Folder, Instance, Own, Server, StartedBy},
    port, programs,
    waiting::{START_DEADLINE, run},
};
use std::{
    env,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
    process::{Command, id},
    sync::OnceLock,
    time::Duration,
};

/// The variable with the URL of a Postgres to use instead of a temporary one. The URL's role must
/// be allowed to create databases.
const URL_VARIABLE: &str = "AUTHAPI_TEST_POSTGRES_URL";
/// Maximum number of start attempts when another process takes the chosen port.
const ATTEMPTS: usize = 5;
/// Maximum duration of one statement on a shared server.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(30);

/// A running Postgres server.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    psql: PathBuf,
}

/// An empty database for one test, dropped with the value.
#[derive(Debug)]
pub struct FreshDatabase {
    url: String,
    name: String,
    server_url: String,
    psql: PathBuf,
}

/// Returns the Postgres that all tests of this process share: the one that
/// `AUTHAPI_TEST_POSTGRES_URL` names, or one that the first call starts.
///
/// # Panics
/// If it is not available.
#[track_caller]
pub fn postgres() -> &'static Postgres {
    static SHARED: OnceLock<(Postgres, Option<Instance>)> = OnceLock::new();
    let (postgres, _) = SHARED.get_or_init(|| {
        must(match env::var(URL_VARIABLE) {
            Ok(url) => Postgres::at(url).map(|it| (it, None)),
            Err(_) => start(initialise, &[]).map(|(postgres, instance)| (postgres, Some(instance))),
        })
    });
    postgres
}

impl Postgres {
    /// Starts a server for one test.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start_own() -> Own<Self> {
        Self::start_own_with(&[])
    }

    /// Starts a server for one test with additional settings, such as `shared_buffers=256MB`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start_own_with(settings: &[&str]) -> Own<Self> {
        let (postgres, instance) = must(start(initialise, settings));
        Own::new(postgres, instance)
    }

    /// Starts a standby for one test, a streaming copy of this server.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start_standby(&self) -> Own<Self> {
        let copy = |programs: &Path, folder: &Folder, data: &Path| {
            let mut copy = Command::new(programs.join("pg_basebackup"));
            copy.arg("--pgdata")
                .arg(data)
                .args([
                    "--write-recovery-conf",
                    "--checkpoint=fast",
                    "--no-sync",
                    "--dbname",
                ])
                .arg(&self.url)
                .current_dir(&folder.path);
            run("pg_basebackup", folder.owner.run_as(&mut copy), START_DEADLINE)
        };
        let (postgres, instance) = must(start(copy, &[]));
        Own::new(postgres, instance)
    }

    /// Executes `statement` in the default database, and returns its rows as text.
    ///
    /// # Panics
    /// If the server rejects the statement.
    #[track_caller]
    #[must_use]
    pub fn execute(&self, statement: &str) -> String {
        must(execute(&self.psql, &self.url, statement))
    }

    /// Returns the URL of the default database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the path of a program of this server's version, such as `pg_dump`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.psql.with_file_name(name)
    }

    /// Creates an empty database with a unique name.
    ///
    /// # Panics
    /// If the server rejects the statement.
    #[must_use]
    #[track_caller]
    pub fn fresh_database(&self) -> FreshDatabase {
        self.fresh_database_with("")
    }

    /// Creates an empty database with a unique name and the `options` of CREATE DATABASE, such as
    /// `ENCODING 'LATIN1' TEMPLATE template0`.
    ///
    /// # Panics
    /// If the server rejects the statement.
    #[must_use]
    #[track_caller]
    pub fn fresh_database_with(&self, options: &str) -> FreshDatabase {
        let name = format!("authapi_test_{}_{:016x}", id(), random());
        must(execute(
            &self.psql,
            &self.url,
            &format!("CREATE DATABASE {name} {options}"),
        ));
        FreshDatabase {
            url: url_of_database(&self.url, &name),
            name,
            server_url: self.url.clone(),
            psql: self.psql.clone(),
        }
    }

    fn at(url: String) -> Result<Self, Failure> {
        let psql = programs::on_path("psql", "postgresql-client")?;
        execute(&psql, &url, "SELECT 1")?;
        Ok(Self { url, psql })
    }
}

impl Server for Postgres {
    fn answers(&self) -> bool {
        execute(&self.psql, &self.url, "SELECT 1").is_ok()
    }
}

impl FreshDatabase {
    /// Returns the database's URL, `postgres://...`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // Best effort: the server may be stopped, and a test's own server is removed with its
        // databases.
        let _ = execute(&self.psql, &self.server_url, &drop);
    }
}

/// Starts Postgres on the data that `make` creates from the folder with the programs, the server's
/// folder and the path of its data.
fn start(
    make: impl Fn(&Path, &Folder, &Path) -> Result<String, Failure>,
    settings: &[&str],
) -> Result<(Postgres, Instance), Failure> {
    let programs = programs::postgres_folder()?;
    let started_once = || {
        let folder = Folder::make()?;
        make(&programs, &folder, &folder.path.join("data"))?;
        start_in(folder, &programs, settings)
    };
    let mut started = started_once();
    for _ in 1..ATTEMPTS {
        if !matches!(started, Err(Failure::EndedAtOnce { .. })) {
            break;
        }
        started = started_once();
    }
    started
}

/// Starts Postgres with `settings`, which override the defaults: the last setting of a name counts.
fn start_in(folder: Folder, programs: &Path, settings: &[&str]) -> Result<(Postgres, Instance), Failure> {
    let data = folder.path.join("data");
    let port = port::free()?;
    let postgres = Postgres {
        url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        psql: programs.join("psql"),
    };
    let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
    let fixed = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", folder.path.display()),
        "shared_buffers=16MB".to_owned(),
        "max_connections=300".to_owned(),
    ];
    let own = settings.iter().map(|setting| (*setting).to_owned());
    for setting in fixed.into_iter().chain(own) {
        arguments.extend(["-c".to_owned(), setting]);
    }
    let by = StartedBy {
        program: programs.join("postgres"),
        arguments,
        ending: "QUIT",
    };
    let instance = Instance::start(folder, by, || postgres.answers())?;
    Ok((postgres, instance))
}

fn initialise(programs: &Path, folder: &Folder, data: &Path) -> Result<String, Failure> {
    let mut initdb = Command::new(programs.join("initdb"));
    initdb
        .arg("--pgdata")
        .arg(data)
        .args(["--username=postgres", "--auth=trust"])
        // The data directory is expendable, so initdb need not flush it to disk.
        .args(["--encoding=UTF8", "--no-locale", "--no-sync"])
        .current_dir(&folder.path);
    run("initdb", folder.owner.run_as(&mut initdb), START_DEADLINE)
}

fn execute(psql: &Path, url: &str, statement: &str) -> Result<String, Failure> {
    let mut command = Command::new(psql);
    command
        .args([
            "--no-psqlrc",
            "--no-align",
            "--tuples-only",
            "--quiet",
            "--no-password",
        ])
        .args(["--set=ON_ERROR_STOP=1", "--command", statement, url])
        .env("PGCONNECT_TIMEOUT", "2");
    run("psql", &mut command, STATEMENT_DEADLINE)
}

/// Replaces the database in `url`.
fn url_of_database(url: &str, name: &str) -> String {
    let (address, settings) = url.split_once('?').unwrap_or((url, ""));
    let authority = address.find("://").map_or(0, |scheme| scheme + 3);
    let end = address
        .get(authority..)
        .and_then(|rest| rest.find('/'))
        .map_or(address.len(), |slash| authority + slash);
    let server = address.get(..end).unwrap_or(address);
    let mark = if settings.is_empty() { "" } else { "?" };
    format!("{server}/{name}{mark}{settings}")
}

/// Returns a random number, unique among all test processes for practical purposes.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_replaces_the_one_in_the_url() {
        for (url, with_database) in [
            ("postgres://u:p@h:1/postgres", "postgres://u:p@h:1/x"),
            ("postgres://u:p@h:1", "postgres://u:p@h:1/x"),
            ("postgres://h/", "postgres://h/x"),
            ("postgres://h/a?sslmode=require", "postgres://h/x?sslmode=require"),
        ] {
            assert_eq!(url_of_database(url, "x"), with_database);
        }
    }
}
