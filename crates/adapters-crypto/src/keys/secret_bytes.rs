//! Secret files that contain 32 random bytes in base64.

use super::{
    KeyError,
    file::{make_folder, read_secret, write_secret},
};
use crate::OsRandomness;
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::ports::Randomness;
use std::{
    io,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The length of 32 bytes in padded base64, with the line end.
const TEXT_LENGTH: usize = 45;

/// Reads the file `name` in `folder`. `missing` and `malformed` return the errors for its path.
pub fn read_secret_bytes(
    folder: &Path,
    name: &str,
    missing: fn(PathBuf) -> KeyError,
    malformed: fn(PathBuf) -> KeyError,
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let contents = match read_secret(folder, name.as_ref()) {
        Err(KeyError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Err(missing(folder.join(name)));
        }
        other => other?,
    };
    STANDARD
        .decode(contents.trim_ascii())
        .map(Zeroizing::new)
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
        .map(Zeroizing::new)
        .ok_or_else(|| malformed(folder.join(name)))
}

/// Generates the file `name` in `folder`, which is created if missing, and returns its path.
pub fn generate_secret_bytes(folder: &Path, name: &str) -> Result<PathBuf, KeyError> {
    make_folder(folder)?;
    let key = Zeroizing::new(OsRandomness.bytes());
    // Reserve all of it, so that the text is never reallocated and leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(TEXT_LENGTH));
    STANDARD.encode_string(key.as_slice(), &mut text);
    text.push('\n');
    write_secret(folder, name, text.as_bytes())?;
    Ok(folder.join(name))
}
