use super::{
    KeyError,
    file::{file_names, read_secret},
    key_pair::KeyPair,
};
use std::{
    fmt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The stage of a key in its rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyState {
    /// The key signs.
    Signing,
    /// The key verifies and is in the JWKS, so that clients know it before it signs.
    Published,
    /// The key no longer signs, but tokens that it signed may still be valid.
    Retired,
}

impl KeyState {
    /// Returns the name used in file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Published => "published",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The words before `.pem` in the names of key files, with the states that they stand for.
const STATES: [(&str, KeyState); 4] = [
    (SUCCESSOR, KeyState::Signing),
    ("signing", KeyState::Signing),
    ("published", KeyState::Published),
    ("retired", KeyState::Retired),
];
/// The word of a key that takes over from the signing key, whose file is about to be renamed.
const SUCCESSOR: &str = "successor";

/// A file whose name marks it as a key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyFile {
    pub state: KeyState,
    pub path: PathBuf,
}

/// Finds the key files in `folder`: signing ones first, then by name, so that the order is stable.
///
/// While a key takes over, the one that signed counts as retired, although its name does not say so
/// yet.
pub fn find(folder: &Path) -> Result<Vec<KeyFile>, KeyError> {
    let names = file_names(folder)?.into_iter();
    let file_of = |name: String| {
        let (state, path) = (state_of(&name)?, folder.join(name));
        Some(KeyFile { state, path })
    };
    let mut files: Vec<_> = names.filter_map(file_of).collect();
    if files.iter().any(KeyFile::takes_over) {
        let predecessors = files
            .iter_mut()
            .filter(|file| file.state == KeyState::Signing && !file.takes_over());
        predecessors.for_each(|file| file.state = KeyState::Retired);
    }
    files.sort();
    Ok(files)
}

/// Returns the state in the file name `name`, if it is that of a key.
fn state_of(name: &str) -> Option<KeyState> {
    let (_, word) = split(name)?;
    let (_, state) = STATES.into_iter().find(|(known, _)| *known == word)?;
    Some(state)
}

/// Splits a file name into the name of the key and the word of its state.
fn split(name: &str) -> Option<(&str, &str)> {
    let (key, word) = name.strip_suffix(".pem")?.rsplit_once('.')?;
    (!key.is_empty()).then_some((key, word))
}

impl KeyFile {
    /// Returns whether the key takes over from the signing key, and that change is unfinished.
    pub fn takes_over(&self) -> bool {
        self.word() == Some(SUCCESSOR)
    }

    /// Returns whether the name of the file states another state than the key has.
    pub fn is_misnamed(&self) -> bool {
        self.word() != Some(self.state.name())
    }

    /// Returns the path of the file in `state`.
    pub fn path_in(&self, state: KeyState) -> PathBuf {
        self.path_with(state.name())
    }

    /// Returns the path of the file while its key takes over.
    pub fn path_of_successor(&self) -> PathBuf {
        self.path_with(SUCCESSOR)
    }

    fn path_with(&self, word: &str) -> PathBuf {
        let (key, _) = split(self.name()).expect("`find` returns names of keys");
        self.path.with_file_name(format!("{key}.{word}.pem"))
    }

    fn word(&self) -> Option<&str> {
        split(self.name()).map(|(_, word)| word)
    }

    fn name(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.expect("`find` returns names of keys")
    }

    /// Reads the private key, of any size. Other documents in the file, such as certificates, are
    /// skipped.
    pub fn read(&self) -> Result<KeyPair, KeyError> {
        let path = || self.path.clone();
        // `find` joined the folder and the name.
        let (folder, name) = self
            .path
            .parent()
            .zip(self.path.file_name())
            .expect("a path in a folder");
        let contents = read_secret(folder, name)?;
        let documents = pem::parse_many(&*contents).map_err(|_| KeyError::NotAKey { path: path() })?;
        let mut keys = documents
            .into_iter()
            .filter(|document| document.tag() == "PRIVATE KEY")
            .map(|document| Zeroizing::new(document.into_contents()));
        match (keys.next(), keys.next()) {
            (Some(der), None) => {
                KeyPair::from_pkcs8(&der).ok_or_else(|| KeyError::Unsupported { path: path() })
            }
            (Some(_), Some(_)) => Err(KeyError::SeveralKeys { path: path() }),
            (None, _) => Err(KeyError::NotAKey { path: path() }),
        }
    }
}
