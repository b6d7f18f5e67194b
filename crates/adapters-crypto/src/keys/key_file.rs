use super::{
    KeyError,
    file::{check_folder, read_secret},
    key_pair::KeyPair,
};
use std::{
    fmt, fs, io,
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
    const ALL: [Self; 3] = [Self::Signing, Self::Published, Self::Retired];

    /// Returns the name used in file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Published => "published",
            Self::Retired => "retired",
        }
    }

    fn of_file(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".pem")?;
        Self::ALL.into_iter().find(|state| {
            stem.strip_suffix(state.name())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        })
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A file whose name marks it as a key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyFile {
    pub state: KeyState,
    pub path: PathBuf,
}

/// Finds the key files in `folder`: signing ones first, then by name, so that the order is stable.
pub fn find(folder: &Path) -> Result<Vec<KeyFile>, KeyError> {
    check_folder(folder)?;
    let failed = |source: io::Error| KeyError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(state) = entry.file_name().to_str().and_then(KeyState::of_file) {
            let path = entry.path();
            files.push(KeyFile { state, path });
        }
    }
    files.sort();
    Ok(files)
}

impl KeyFile {
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
