use crate::failure::Failure;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The folder with Debian's versions of Postgres, whose programs are not on the PATH.
const DEBIANS_VERSIONS: &str = "/usr/lib/postgresql";

/// Returns the folder with the programs of the newest Postgres.
///
/// Debian's folders come first because a `postgres` on the PATH may be a wrapper that looks for the
/// other programs elsewhere.
pub(crate) fn postgres_folder() -> Result<PathBuf, Failure> {
    let debians = newest_of_debians();
    let others = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>());
    debians
        .into_iter()
        .chain(others.unwrap_or_default())
        .find(|folder| {
            ["initdb", "postgres", "psql"]
                .iter()
                .all(|it| folder.join(it).is_file())
        })
        .ok_or(Failure::Missing {
            program: "postgres",
            package: "postgresql",
        })
}

fn newest_of_debians() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIANS_VERSIONS).ok()?;
    let numbers = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let folder = |version: u32| Path::new(DEBIANS_VERSIONS).join(version.to_string()).join("bin");
    numbers
        .map(|version| (version, folder(version)))
        .filter(|it| it.1.is_dir())
        .max()
        .map(|it| it.1)
}

/// Returns the path of a program on the PATH.
pub(crate) fn on_path(program: &'static str, package: &'static str) -> Result<PathBuf, Failure> {
    env::var_os("PATH")
        .and_then(|path| {
            env::split_paths(&path)
                .map(|folder| folder.join(program))
                .find(|it| it.is_file())
        })
        .ok_or(Failure::Missing { program, package })
}
