use std::{io, path::PathBuf};
use thiserror::Error;

/// What is wrong with a key folder. Each message is one line that names the file and the remedy.
#[derive(Debug, Error)]
pub enum KeyError {
    #[error("there is no key folder {}: make it with `authapi keys generate`, or name another", .folder.display())]
    FolderMissing { folder: PathBuf },
    #[error("cannot read {}: see that it is there and that this user may read it", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("others can get at {0} (mode {mode:04o}): run `chmod 600 {0}`", .path.display())]
    TooOpen { path: PathBuf, mode: u32 },
    #[error("{0} belongs to another user ({owner}), who can change it: run `chown {user} {0}` as root", .path.display())]
    Foreign { path: PathBuf, owner: u32, user: u32 },
    #[error("others can write to the key folder {0} (mode {mode:04o}): run `chmod o-w {0}`", .folder.display())]
    FolderTooOpen { folder: PathBuf, mode: u32 },
    #[error(
        "{} is not a private key in unencrypted PKCS#8 PEM: convert it with `openssl pkcs8 -topk8 -nocrypt`",
        .path.display()
    )]
    NotAKey { path: PathBuf },
    #[error(
        "{} holds a key of a kind or size that is not supported: use EC P-256, Ed25519 or RSA of 3072 to 8192 bits",
        .path.display()
    )]
    Unsupported { path: PathBuf },
    #[error(
        "{} holds an RSA key of {bits} bits: use one of 3072 or more, or allow 2048 in the settings",
        .path.display()
    )]
    RsaTooSmall { path: PathBuf, bits: usize },
    #[error("{} and {} would both sign: rename one to end in `.retired.pem`", .first.display(), .second.display())]
    TwoSigningKeys { first: PathBuf, second: PathBuf },
    #[error(
        "no key in {} signs: make one with `authapi keys generate`, or rename one to end in `.signing.pem`",
        .folder.display()
    )]
    NoSigningKey { folder: PathBuf },
    #[error("{} and {} hold the same key: remove one of them", .first.display(), .second.display())]
    SameKeyTwice { first: PathBuf, second: PathBuf },
    #[error("{0} is missing: make it with `(umask 077; openssl rand -base64 32 > {0})`", .path.display())]
    RefreshKeyMissing { path: PathBuf },
    #[error(
        "{0} does not hold 32 bytes in base64: make it anew with `(umask 077; openssl rand -base64 32 > {0})`",
        .path.display()
    )]
    RefreshKeyMalformed { path: PathBuf },
    #[error("{} exists and is not overwritten: move it away first", .path.display())]
    Exists { path: PathBuf },
    #[error("cannot write {}: see that its folder can be written and has room", .path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}
