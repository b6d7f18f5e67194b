//! Breached passwords, in a file of SHA-1 hashes.

mod hash_file;
mod watched_file;

use crate::hash_pool::{HashPool, Work};
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use domain::{
    password::Password,
    ports::{BreachedPasswords, HashTicket, PortError},
};
use hash_file::Sha1;
use std::{io, path::PathBuf, sync::Arc, time::Instant};
use thiserror::Error;
use watched_file::WatchedFile;

/// Why a file of breached passwords cannot be used.
#[derive(Debug, Error)]
pub enum BreachedFileError {
    #[error("{} cannot be read; check its path and its permissions", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is empty; download it again", path.display())]
    Empty { path: PathBuf },
    #[error(
        "{}: the line at byte {at} does not begin with the 40 hexadecimal digits of a SHA-1 hash; \
         download the SHA-1 list, not the NTLM list, into one file",
        path.display()
    )]
    Malformed { path: PathBuf, at: u64 },
    #[error(
        "{}: the line at byte {at} is not in the order of the hashes; sort the file with `LC_ALL=C sort`",
        path.display()
    )]
    Unsorted { path: PathBuf, at: u64 },
}

/// The list of breached passwords in a file as written by the downloader of Have I Been Pwned:
/// lines `HASH:COUNT` in the order of the hashes, where `HASH` is the SHA-1 of a password in
/// hexadecimal digits. The count is optional and ignored.
///
/// The file may have any size, because a search reads about 30 short pieces of it. It runs on the
/// [pool](HashPool) that hashes passwords. A file that is replaced is opened within a second, at
/// the next search. If it cannot be used, its predecessor stays open, and a warning is logged once.
pub struct BreachedFile {
    file: Arc<WatchedFile>,
    pool: Arc<HashPool>,
}

impl BreachedFile {
    /// Opens the file at `path`, to search it on `pool`.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or is not a sorted list of SHA-1 hashes as far
    /// as a sample of its lines shows.
    pub fn open(path: PathBuf, pool: Arc<HashPool>) -> Result<Self, BreachedFileError> {
        let file = Arc::new(WatchedFile::open(path, Instant::now())?);
        Ok(Self { file, pool })
    }
}

#[async_trait]
impl BreachedPasswords for BreachedFile {
    #[tracing::instrument(skip_all)]
    async fn contains(&self, password: Password, ticket: &mut HashTicket) -> Result<bool, PortError> {
        let file = Arc::clone(&self.file);
        let job = move |_: &mut _| is_listed(&file, &password);
        let found = self.pool.submit(Work::Lookup, ticket, job)?.get().await?;
        found.map_err(|error| PortError::Unavailable(Box::new(error)))
    }
}

fn is_listed(file: &WatchedFile, password: &Password) -> Result<bool, BreachedFileError> {
    let file = file.current(Instant::now());
    if file.contains(&sha1(password.expose()))? {
        return Ok(true);
    }
    match password.typed_if_changed() {
        Some(typed) => file.contains(&sha1(typed)),
        None => Ok(false),
    }
}

/// Returns the hash by which a password is listed. SHA-1 protects nothing here: the list is public.
fn sha1(text: &str) -> Sha1 {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    digest.as_ref().try_into().expect("a SHA-1 has 20 bytes")
}
