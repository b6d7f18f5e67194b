use super::{
    Algorithm, KeyError, KeyState, PublicKey,
    file::{lock_folder, make_folder, write_secret},
    key_file,
    key_pair::KeyPair,
    ring::REFRESH_KEY_FILE,
};
use crate::OsRandomness;
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::ports::Randomness;
use pem::{EncodeConfig, LineEnding, Pem};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// How much of a kid a file name shows.
const KID_PREFIX_LENGTH: usize = 8;
/// 32 bytes in padded base64, and the end of the line.
const REFRESH_KEY_TEXT_LENGTH: usize = 45;

/// A key that was made just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    pub path: PathBuf,
    pub kid: String,
    pub state: KeyState,
}

/// Makes a key in `folder`, which is made too if it is missing: a signing one when there is none yet, else a published
/// one. Of several processes that do so at once, one makes the signing key.
///
/// # Errors
/// When the folder cannot be read or written.
///
/// # Panics
/// When the system has no entropy or no memory to make a key with.
pub fn generate_signing_key(folder: &Path, algorithm: Algorithm) -> Result<Generated, KeyError> {
    make_folder(folder)?;
    let _lock = lock_folder(folder)?;
    let has_one = key_file::find(folder)?
        .iter()
        .any(|file| file.state == KeyState::Signing);
    let state = if has_one {
        KeyState::Published
    } else {
        KeyState::Signing
    };
    generate(folder, algorithm, state)
}

/// Makes the signing key of a `folder` without any key; the folder is made too if it is missing. `None` when there are
/// keys, whether one of them signs or not. Of several processes that do so at once, one makes the key.
///
/// # Errors
/// When the folder cannot be read or written.
///
/// # Panics
/// When the system has no entropy or no memory to make a key with.
pub fn generate_first_signing_key(
    folder: &Path,
    algorithm: Algorithm,
) -> Result<Option<Generated>, KeyError> {
    make_folder(folder)?;
    // Before the lock too: where there are keys, a folder need not be one that can be locked.
    if has_keys(folder)? {
        return Ok(None);
    }
    let _lock = lock_folder(folder)?;
    if has_keys(folder)? {
        return Ok(None);
    }
    generate(folder, algorithm, KeyState::Signing).map(Some)
}

fn has_keys(folder: &Path) -> Result<bool, KeyError> {
    Ok(!key_file::find(folder)?.is_empty())
}

/// The folder MUST be locked.
fn generate(folder: &Path, algorithm: Algorithm, state: KeyState) -> Result<Generated, KeyError> {
    let pair = KeyPair::generate(algorithm).expect("a system that runs this service can make a key");
    let PublicKey { kid, .. } = PublicKey::from(&pair);
    let name = file_name(algorithm, &kid, state);
    write_secret(folder, &name, pem_of(&pair).as_bytes())?;
    let path = folder.join(name);
    Ok(Generated { path, kid, state })
}

fn file_name(algorithm: Algorithm, kid: &str, state: KeyState) -> String {
    let algorithm = algorithm.name().to_ascii_lowercase();
    let kid: String = kid.chars().take(KID_PREFIX_LENGTH).collect();
    format!("{algorithm}-{kid}.{state}.pem")
}

fn pem_of(pair: &KeyPair) -> Zeroizing<String> {
    let der = pair.to_pkcs8().expect("a key that was made can be written down");
    let document = Pem::new("PRIVATE KEY", der.as_slice());
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    Zeroizing::new(pem::encode_config(&document, config))
}

/// Makes the refresh key in `folder`, which is made too if it is missing; the file it is in.
///
/// # Errors
/// [`KeyError::Exists`] when there is one, and when the folder cannot be written.
pub fn generate_refresh_key(folder: &Path) -> Result<PathBuf, KeyError> {
    make_folder(folder)?;
    let key = Zeroizing::new(OsRandomness.bytes());
    // Room for all of it, so that the text never moves and leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(REFRESH_KEY_TEXT_LENGTH));
    STANDARD.encode_string(key.as_slice(), &mut text);
    text.push('\n');
    write_secret(folder, REFRESH_KEY_FILE, text.as_bytes())?;
    Ok(folder.join(REFRESH_KEY_FILE))
}
