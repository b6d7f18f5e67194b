//! Where settings are written: `authapi.toml`, then `.env`, then the environment; the later wins.

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

/// Every variable of ours begins with it.
const PREFIX: &str = "AUTHAPI_";
const DEFAULT_FILE: &str = "authapi.toml";

/// Where to look for settings.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Where `authapi.toml` and `.env` may lie.
    pub directory: PathBuf,
    /// The file given instead of `authapi.toml`; it must be there.
    pub config: Option<PathBuf>,
    pub environment: Vec<(OsString, OsString)>,
}

impl Sources {
    /// This process's own: its directory and its environment.
    #[must_use]
    pub fn of_process(config: Option<PathBuf>) -> Self {
        Self {
            directory: PathBuf::new(),
            config,
            environment: env::vars_os().collect(),
        }
    }
}

/// One setting, as somebody wrote it.
#[derive(Clone)]
pub struct Written {
    /// The name in the writer's own spelling.
    pub name: String,
    /// Where it stands: a file's name, or `environment`.
    pub place: String,
    pub value: Value,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.place)
    }
}

/// Without the value, which may be a secret.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What was written, by key (`tokens.access_ttl`), the winner of each.
pub type Layers = BTreeMap<String, Written>;

/// The variable of the setting `key`.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// The name of `key` in the spelling of whoever wrote `name`: a variable or a key of a file.
pub fn spelled_like(name: &str, key: &str) -> String {
    if name.starts_with(PREFIX) {
        variable(key)
    } else {
        key.to_owned()
    }
}

/// Reads every source, lowest first, and then the files that secrets point to.
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

/// The error's position and meaning, without the line it quotes: that may hold a secret.
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

fn flatten(tables: Map<String, Value>, above: &str, place: &str, layers: &mut Layers) {
    for (name, value) in tables {
        let key = if above.is_empty() {
            name
        } else {
            format!("{above}.{name}")
        };
        match value.kind {
            ValueKind::Table(table) => flatten(table, &key, place, layers),
            kind => {
                let written = Written {
                    name: key.clone(),
                    place: place.to_owned(),
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

/// Variables that are empty count as not set: that is what container files make of an unset one.
fn insert_variable(layers: &mut Layers, name: String, value: String, place: &str) {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return;
    };
    if value.is_empty() || is_somebody_elses(rest, &value) {
        return;
    }
    let key = rest.to_lowercase().replace("__", ".");
    let written = Written {
        name,
        place: place.to_owned(),
        value: value.into(),
    };
    layers.insert(key, written);
}

/// Tests have variables of their own, and Kubernetes gives every pod beside a service called `authapi` some
/// (`AUTHAPI_SERVICE_HOST`, `AUTHAPI_PORT_8000_TCP` and so on).
fn is_somebody_elses(rest: &str, value: &str) -> bool {
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
    let written = Written {
        value: text.into(),
        ..pointer
    };
    layers.insert(key.to_owned(), written);
    Ok(())
}
