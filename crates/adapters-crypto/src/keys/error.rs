use std::{
    io,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// An error in a key folder. Each message is one line that names the file and the remedy.
#[derive(Debug, Error)]
pub enum KeyError {
    #[error("the key folder {} does not exist; create it with `authapi keys generate`, or correct the setting", .folder.display())]
    FolderMissing { folder: PathBuf },
    #[error("another process is changing the keys in {}; try again", .folder.display())]
    Locked { folder: PathBuf },
    #[error("cannot read {}; check that it exists and that this user may read it", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is accessible to others (mode {mode:04o}); {}", .path.display(), protect(.path, *.is_mounted))]
    TooOpen {
        path: PathBuf,
        mode: u32,
        /// Whether Kubernetes mounts the file, so that its mode cannot be changed in the container.
        is_mounted: bool,
    },
    #[error("{0} belongs to another user ({owner}); run `chown {user} {0}` as root", .path.display())]
    Foreign { path: PathBuf, owner: u32, user: u32 },
    #[error("{} is longer than 64 KiB, which no key is; replace it with the key", .path.display())]
    TooLong { path: PathBuf },
    #[error(
        "{} leads out of the key folder, to {}; copy that file into the folder instead",
        .path.display(), .target.display()
    )]
    LeadsOut { path: PathBuf, target: PathBuf },
    #[error("the key folder {0} is writable by others (mode {mode:04o}); run `chmod go-w {0}`", .folder.display())]
    FolderTooOpen { folder: PathBuf, mode: u32 },
    #[error("the key folder {0} belongs to another user ({owner}); run `chown {user} {0}` as root", .folder.display())]
    FolderForeign { folder: PathBuf, owner: u32, user: u32 },
    #[error(
        "{} is not a private key in unencrypted PKCS#8 PEM; convert it with `openssl pkcs8 -topk8 -nocrypt`",
        .path.display()
    )]
    NotAKey { path: PathBuf },
    #[error("{} contains several private keys; leave one of them in the file", .path.display())]
    SeveralKeys { path: PathBuf },
    #[error(
        "{} contains a key of a kind or size that is not supported; use EC P-256, Ed25519 or RSA of 3072 to 8192 bits",
        .path.display()
    )]
    Unsupported { path: PathBuf },
    #[error(
        "{} contains an RSA key of {bits} bits; use one of 3072 or more, or allow 2048 in the settings",
        .path.display()
    )]
    RsaTooSmall { path: PathBuf, bits: usize },
    #[error("{} and {} are both signing keys; rename one to end in `.retired.pem`", .first.display(), .second.display())]
    TwoSigningKeys { first: PathBuf, second: PathBuf },
    #[error(
        "the key folder {} contains no signing key; create one with `authapi keys generate`, or rename one to end in `.signing.pem`",
        .folder.display()
    )]
    NoSigningKey { folder: PathBuf },
    #[error("{} and {} contain the same key; remove one of them", .first.display(), .second.display())]
    SameKeyTwice { first: PathBuf, second: PathBuf },
    #[error("{0} is missing; create it with `(umask 077; openssl rand -base64 32 > {0})`", .path.display())]
    RefreshKeyMissing { path: PathBuf },
    #[error(
        "{0} does not contain 32 bytes in base64; create it again with `(umask 077; openssl rand -base64 32 > {0})`",
        .path.display()
    )]
    RefreshKeyMalformed { path: PathBuf },
    #[error(
        "{0} is missing; restore it from a backup, or, if this database was never used with one, create it with \
         `(umask 077; openssl rand -base64 32 > {0})`", .path.display()
    )]
    AuditKeyMissing { path: PathBuf },
    #[error("{0} does not contain 32 bytes in base64; restore it from a backup", .path.display())]
    AuditKeyMalformed { path: PathBuf },
    #[error("the key folder {} contains no key {kid}; `authapi keys list` shows those that it has", .folder.display())]
    NoSuchKey { folder: PathBuf, kid: String },
    #[error("{} already exists; move it away first", .path.display())]
    Exists { path: PathBuf },
    #[error("cannot write {}; check that its folder is writable and that the disk is not full", .path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Returns how to make a secret file inaccessible to others.
fn protect(path: &Path, is_mounted: bool) -> String {
    if is_mounted {
        return "set `defaultMode: 0440` in the volume of the secret, and `fsGroup` in the pod".to_owned();
    }
    format!("run `chmod 600 {}`", path.display())
}
