use super::{
    Algorithm, KeyError, KeyRules, KeyState, PublicKey,
    file::modified,
    key_file::{self, KeyFile},
    key_pair::KeyPair,
};
use chrono::{DateTime, Utc};
use std::path::{Path, PathBuf};

/// A key file as shown in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    pub path: PathBuf,
    pub kid: String,
    pub algorithm: Algorithm,
    /// The stage according to the file name.
    pub state: KeyState,
    /// When the file was written, or entered its state by a command.
    pub since: DateTime<Utc>,
    /// Why the service refuses to start with this key, if so.
    pub refused: Option<String>,
}

/// Lists the keys in `folder`: the signing one first, then by file name.
///
/// # Errors
/// If the folder or a file cannot be read, is accessible to others or contains no supported key.
pub fn list(folder: &Path, rules: KeyRules) -> Result<Vec<KeyEntry>, KeyError> {
    let keys = read_all(folder, rules)?.into_iter();
    let entries = keys.map(|key| {
        Ok(KeyEntry {
            since: modified(&key.file.path)?,
            path: key.file.path,
            kid: key.public.kid,
            algorithm: key.public.algorithm,
            state: key.file.state,
            refused: key.refused.map(|refused| refused.to_string()),
        })
    });
    entries.collect()
}

/// A key of a folder, and why the service refuses to start with it, if so.
pub struct CheckedKey {
    pub file: KeyFile,
    pub pair: KeyPair,
    pub public: PublicKey,
    pub refused: Option<KeyError>,
}

/// Reads and checks all keys in `folder`: the signing one first, then by file name.
///
/// # Errors
/// If the folder or a file cannot be read, is accessible to others or contains no supported key.
pub fn read_all(folder: &Path, rules: KeyRules) -> Result<Vec<CheckedKey>, KeyError> {
    let mut keys: Vec<CheckedKey> = Vec::new();
    for file in key_file::find(folder)? {
        let pair = file.read()?;
        let public = PublicKey::from(&pair);
        let refused = rules
            .check(&file, &pair)
            .and_then(|()| check_unique(&keys, &file, &public))
            .err();
        keys.push(CheckedKey {
            file,
            pair,
            public,
            refused,
        });
    }
    Ok(keys)
}

/// Checks that no key in `others` is the same one, and that at most one signs.
fn check_unique(others: &[CheckedKey], file: &KeyFile, public: &PublicKey) -> Result<(), KeyError> {
    let path_of_first = |is_it: &dyn Fn(&CheckedKey) -> bool| {
        let first = others.iter().find(|other| is_it(other));
        first.map(|first| first.file.path.clone())
    };
    let second = file.path.clone();
    if let Some(first) = path_of_first(&|other| other.public.kid == public.kid) {
        return Err(KeyError::SameKeyTwice { first, second });
    }
    let signs = |key: &KeyFile| key.state == KeyState::Signing;
    match path_of_first(&|other| signs(&other.file)) {
        Some(first) if signs(file) => Err(KeyError::TwoSigningKeys { first, second }),
        _ => Ok(()),
    }
}
