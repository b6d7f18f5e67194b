//! Files of breached passwords. An `@` and a digit stand for the hash of one of ten passwords.

use adapters_crypto::{BreachedFile, HashPool, HashPoolSettings};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use domain::{
    password::Password,
    ports::{BreachedPasswords, HashTicket},
};
use std::{
    fmt::Write,
    fs,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// The longest line, with its end, that the file may contain.
const LONGEST_LINE: usize = 128;

struct Opener {
    pool: Arc<HashPool>,
    runtime: Runtime,
    folder: TempDir,
}

/// In memory where possible: each input is written to a file.
static OPENER: LazyLock<Opener> = LazyLock::new(|| {
    let settings = HashPoolSettings {
        threads: NonZeroUsize::MIN,
        max_wait: Duration::from_hours(1),
        ..HashPoolSettings::default()
    };
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    Opener {
        pool: Arc::new(HashPool::start(settings).expect("a thread can be started")),
        runtime: Builder::new_current_thread()
            .build()
            .expect("a runtime can be built"),
        folder: folder.expect("a folder can be created"),
    }
});

pub fn check(input: &[u8]) {
    let contents = with_hashes(input);
    let path = OPENER.folder.path().join("breached.txt");
    fs::write(&path, &contents).expect("the file can be written");
    let listed = listed(&contents);
    match (open(path), listed) {
        (Ok(file), Some(hashes)) => {
            for number in b'0'..=b'9' {
                let is_listed = hashes.contains(&hash(number));
                assert_eq!(contains(&file, number), Ok(is_listed), "password {number}");
            }
        }
        (Ok(file), None) => {
            // A line was too long to be found by every search, or is beyond the sample.
            for number in b'0'..=b'9' {
                let _ = contains(&file, number);
            }
        }
        (Err(line), listed) => {
            assert!(!line.contains('\n') && line.contains("breached.txt"), "{line}");
            assert_eq!(listed, None, "a list is refused: {line}");
        }
    }
}

fn open(path: PathBuf) -> Result<BreachedFile, String> {
    BreachedFile::open(path, Arc::clone(&OPENER.pool)).map_err(|error| error.to_string())
}

fn contains(file: &BreachedFile, number: u8) -> Result<bool, String> {
    let mut ticket = HashTicket::default();
    let found = file.contains(Password::new(password(number)), &mut ticket);
    OPENER.runtime.block_on(found).map_err(|error| error.to_string())
}

fn password(number: u8) -> String {
    format!("password{}", char::from(number))
}

/// Returns the hash of a password in hexadecimal digits.
fn hash(number: u8) -> String {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, password(number).as_bytes());
    let mut text = String::new();
    for byte in digest.as_ref() {
        write!(text, "{byte:02X}").expect("a text can be extended");
    }
    text
}

fn with_hashes(input: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    let mut rest = input;
    while let Some((first, behind)) = rest.split_first() {
        match behind.split_first() {
            Some((number @ b'0'..=b'9', behind)) if *first == b'@' => {
                contents.extend_from_slice(hash(*number).as_bytes());
                rest = behind;
            }
            _ => {
                contents.push(*first);
                rest = behind;
            }
        }
    }
    contents
}

/// Returns the hashes of a sorted list, read line by line; `None` if it is not one.
fn listed(contents: &[u8]) -> Option<Vec<String>> {
    let mut hashes: Vec<String> = Vec::new();
    for line in contents.split_inclusive(|byte| *byte == b'\n') {
        let (digits, rest) = line.split_at_checked(40)?;
        let is_separated = matches!(rest.first(), None | Some(b':' | b'\r' | b'\n'));
        let length = line.len() + usize::from(!line.ends_with(b"\n"));
        if length > LONGEST_LINE || !is_separated || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let hash = str::from_utf8(digits).ok()?.to_ascii_uppercase();
        if hashes.last().is_some_and(|last| *last > hash) {
            return None;
        }
        hashes.push(hash);
    }
    (!hashes.is_empty()).then_some(hashes)
}
