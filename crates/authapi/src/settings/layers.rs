//! Sources of settings: `authapi.toml`, `.env` and the environment; later ones take precedence.

use super::{SECRETS, SettingsError};
use config::{ConfigError, File, FileFormat, Map, Source, Value, ValueKind};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fmt, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// The prefix of all environment variables.
const PREFIX: &str = "AUTHAPI_";
const DEFAULT_FILE: &str = "authapi.toml";

/// The sources to read settings from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The directory of `authapi.toml` and `.env`, both optional.
    pub directory: PathBuf,
    /// The file to read instead of `authapi.toml`; it must exist.
    pub config: Option<PathBuf>,
    pub environment: Vec<(OsString, OsString)>,
}

impl Sources {
    /// Returns the sources of this process: its working directory and environment.
    #[must_use]
    pub fn of_process(config: Option<PathBuf>) -> Self {
        Self {
            directory: PathBuf::new(),
            config,
            environment: env::vars_os().collect(),
        }
    }
}

/// A setting in one of the sources.
#[derive(Clone)]
pub struct SourceValue {
    /// The name as spelled in the source.
    pub name: String,
    /// The source: a file name, or `environment`.
    pub source: String,
    pub value: Value,
}

impl fmt::Display for SourceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.source)
    }
}

/// Omits the value, which may be a secret.
impl fmt::Debug for SourceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Values by key (`tokens.access_ttl`), each from the source that takes precedence.
pub type Layers = BTreeMap<String, SourceValue>;

/// Returns the environment variable of the setting `key`.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// Returns the name of `key` in the spelling of `name`: an environment variable or a TOML key.
pub fn spelled_like(name: &str, key: &str) -> String {
    if name.starts_with(PREFIX) {
        variable(key)
    } else {
        key.to_owned()
    }
}

/// Reads all sources, and then the files that hold secrets.
pub fn read(sources: &Sources) -> Result<Layers, SettingsError> {
    let mut layers = read_toml(sources)?;
    layers.extend(read_dotenv(&sources.directory.join(".env"))?);
    layers.extend(read_environment(&sources.environment)?);
    for key in SECRETS {
        read_secret_file(&mut layers, key)?;
    }
    Ok(layers)
}

fn read_toml(sources: &Sources) -> Result<Layers, SettingsError> {
    let path = sources
        .config
        .clone()
        .unwrap_or_else(|| sources.directory.join(DEFAULT_FILE));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && sources.config.is_none() => {
            return Ok(Layers::new());
        }
        Err(error) => return Err(SettingsError::unreadable(&path, error)),
    };
    let tables = File::from_str(&text, FileFormat::Toml)
        .collect()
        .map_err(|error| SettingsError::not_toml(&path, &syntax_error(&error)))?;
    let mut layers = Layers::new();
    flatten(tables, "", &path.display().to_string(), &mut layers);
    Ok(layers)
}

/// Returns the position and message of the error without the line it quotes, which may contain a
/// secret.
fn syntax_error(error: &ConfigError) -> String {
    let ConfigError::FileParse { cause, .. } = error else {
        return "it cannot be parsed".to_owned();
    };
    let text = cause.to_string();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(position), Some(meaning)) => format!("{position}: {meaning}"),
        _ => text,
    }
}

fn flatten(tables: Map<String, Value>, above: &str, source: &str, layers: &mut Layers) {
    for (name, value) in tables {
        let key = if above.is_empty() {
            name
        } else {
            format!("{above}.{name}")
        };
        match value.kind {
            ValueKind::Table(table) => flatten(table, &key, source, layers),
            kind => {
                let written = SourceValue {
                    name: key.clone(),
                    source: source.to_owned(),
                    value: kind.into(),
                };
                layers.insert(key, written);
            }
        }
    }
}

fn read_dotenv(path: &Path) -> Result<Layers, SettingsError> {
    let lines = match dotenvy::from_path_iter(path) {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(Layers::new()),
        Err(error) => return Err(SettingsError::bad_dotenv(path, error)),
    };
    let mut layers = Layers::new();
    for line in lines {
        let (name, value) = line.map_err(|error| SettingsError::bad_dotenv(path, error))?;
        insert_variable(&mut layers, name, value, ".env");
    }
    Ok(layers)
}

fn read_environment(variables: &[(OsString, OsString)]) -> Result<Layers, SettingsError> {
    let mut layers = Layers::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let value = value.to_str().ok_or_else(|| SettingsError::NotUnicode {
            name: name.to_owned(),
        })?;
        insert_variable(&mut layers, name.to_owned(), value.to_owned(), "environment");
    }
    Ok(layers)
}

/// Inserts a variable unless it is empty: container files set unset variables to an empty text.
fn insert_variable(layers: &mut Layers, name: String, value: String, source: &str) {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return;
    };
    if value.is_empty() || is_foreign(rest, &value) {
        return;
    }
    let key = rest.to_lowercase().replace("__", ".");
    let written = SourceValue {
        name,
        source: source.to_owned(),
        value: value.into(),
    };
    layers.insert(key, written);
}

/// Returns whether a variable belongs to tests or to Kubernetes, which sets some for each service
/// called `authapi` (`AUTHAPI_SERVICE_HOST`, `AUTHAPI_PORT_8000_TCP`).
fn is_foreign(rest: &str, value: &str) -> bool {
    rest.starts_with("TEST_")
        || rest.starts_with("SERVICE_")
        || rest.starts_with("PORT_")
        || (rest == "PORT" && value.contains("://"))
}

fn read_secret_file(layers: &mut Layers, key: &str) -> Result<(), SettingsError> {
    let Some(pointer) = layers.remove(&format!("{key}_file")) else {
        return Ok(());
    };
    if let Some(direct) = layers.get(key) {
        return Err(SettingsError::SetTwice {
            one: direct.to_string(),
            other: pointer.to_string(),
        });
    }
    let path = PathBuf::from(pointer.value.clone().into_string().unwrap_or_default());
    let text = fs::read_to_string(&path).map_err(|source| SettingsError::SecretFile {
        name: pointer.to_string(),
        path: path.clone(),
        source,
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let written = SourceValue {
        value: text.into(),
        ..pointer
    };
    layers.insert(key.to_owned(), written);
    Ok(())
}
