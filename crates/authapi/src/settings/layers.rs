//! Sources of settings: `authapi.toml`, `.env` and the environment; later ones take precedence.

use super::{
    SECRETS, SettingsError,
    dotenv::{self, BadLine},
    kubernetes::is_service_variable,
};
use crate::byte_order_mark::without_mark_in;
use config::{ConfigError, File, FileFormat, Map, Source, Value, ValueKind};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fmt, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

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

/// Reads all sources, and then the files that hold secrets. Also returns what could not be read.
pub fn read(sources: &Sources) -> (Layers, Vec<SettingsError>) {
    let mut layers = Layers::new();
    let mut errors = Vec::new();
    match read_toml(sources) {
        Ok(file) => layers = file,
        Err(error) => errors.push(error),
    }
    let dotenv = sources.directory.join(".env");
    read_dotenv(&dotenv, &mut layers, &mut errors);
    read_environment(&sources.environment, &mut layers, &mut errors);
    let secrets = SECRETS.map(|key| read_secret_file(&mut layers, key));
    errors.extend(secrets.into_iter().filter_map(Result::err));
    (layers, errors)
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
    let tables = File::from_str(without_mark_in(&text), FileFormat::Toml)
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

fn read_dotenv(path: &Path, layers: &mut Layers, errors: &mut Vec<SettingsError>) {
    let file = match fs::read(path) {
        Ok(file) => Zeroizing::new(file),
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => return errors.push(SettingsError::unreadable(path, error)),
    };
    for line in dotenv::variables(&file, PREFIX) {
        match line {
            Ok((name, value)) => insert_variable(layers, name, &value, ".env"),
            Err(BadLine { number, name, cause }) => errors.push(SettingsError::BadLine {
                path: path.to_owned(),
                number,
                name: name.map(|name| format!(" ({name})")).unwrap_or_default(),
                cause,
            }),
        }
    }
}

fn read_environment(
    variables: &[(OsString, OsString)],
    layers: &mut Layers,
    errors: &mut Vec<SettingsError>,
) {
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let name = name.to_owned();
        match value.to_str() {
            Some(value) => insert_variable(layers, name, value, "environment"),
            None => errors.push(SettingsError::NotUnicode { name }),
        }
    }
}

/// Inserts a variable unless it is empty: container files set unset variables to an empty text.
fn insert_variable(layers: &mut Layers, name: String, value: &str, source: &str) {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return;
    };
    if value.is_empty() || rest.starts_with("TEST_") || is_service_variable(rest, value) {
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
    let text = fs::read_to_string(&path).map(Zeroizing::new);
    let text = text.map_err(|source| SettingsError::SecretFile {
        name: pointer.to_string(),
        path: path.clone(),
        source,
    })?;
    let text = without_mark_in(&text);
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let written = SourceValue {
        value: text.into(),
        ..pointer
    };
    layers.insert(key.to_owned(), written);
    Ok(())
}
