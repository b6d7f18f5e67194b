use super::{
    Algorithm, KeyError, KeyState, PublicKey,
    file::{lock_folder, make_folder, write_secret},
    key_file,
    key_pair::KeyPair,
};
use pem::{EncodeConfig, LineEnding, Pem};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The number of characters of the kid in a file name.
const KID_PREFIX_LENGTH: usize = 8;

/// A key that was just generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    pub path: PathBuf,
    pub kid: String,
    pub state: KeyState,
}

/// Generates a key in `folder`, which is created if missing. The key is a signing key if there is
/// none yet, and a published one otherwise. If several processes call this at once, one generates
/// the signing key.
///
/// # Errors
/// Returns an error if the folder cannot be read or written.
///
/// # Panics
/// Panics if the system cannot provide entropy or memory for the key.
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

/// Generates the signing key of a `folder` without any key; the folder is created if missing.
/// Returns `None` if there are keys, whether or not one of them signs. If several processes call
/// this at once, one generates the key.
///
/// # Errors
/// Returns an error if the folder cannot be read or written.
///
/// # Panics
/// Panics if the system cannot provide entropy or memory for the key.
pub fn generate_first_signing_key(
    folder: &Path,
    algorithm: Algorithm,
) -> Result<Option<Generated>, KeyError> {
    make_folder(folder)?;
    // Check before locking too: a folder that contains keys may be one that cannot be locked.
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

/// Generates a key. The folder MUST be locked.
pub(super) fn generate(folder: &Path, algorithm: Algorithm, state: KeyState) -> Result<Generated, KeyError> {
    let pair = KeyPair::generate(algorithm).expect("the system has entropy and memory");
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
    let der = pair.to_pkcs8().expect("a generated key can be serialized");
    let document = Pem::new("PRIVATE KEY", der.as_slice());
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    Zeroizing::new(pem::encode_config(&document, config))
}
