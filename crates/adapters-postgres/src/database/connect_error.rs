use std::{error::Error as StdError, io, path::PathBuf};
use thiserror::Error;

/// Why a database cannot be used. Each message says in one line what is wrong.
#[derive(Debug, Error)]
pub enum ConnectError {
    #[error("the database URL is malformed")]
    Url(#[source] Box<dyn StdError + Send + Sync>),
    #[error("the database URL has sslmode={0}: use disable, prefer, require or verify-full")]
    SslMode(String),
    #[error(
        "the database URL has sslrootcert without sslmode=verify-full: set sslmode=verify-full or remove sslrootcert"
    )]
    UnusedAuthorities,
    #[error(
        "the database URL has target_session_attrs={0}, but sessions must be read from the primary: use read-write or \
         remove it"
    )]
    SessionAttributes(String),
    #[error("cannot read certificates from {file}")]
    Authorities { file: PathBuf, source: io::Error },
    #[error("cannot use the database {database}")]
    Failed {
        database: String,
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error(
        "the database {database} has the encoding {encoding}, which cannot store every login: create one with \
         CREATE DATABASE .. ENCODING 'UTF8' TEMPLATE template0, and move existing data with pg_dump and pg_restore"
    )]
    Encoding { database: String, encoding: String },
    #[error(
        "{database} is newer than this program (it has migration {version}): use the program that wrote it"
    )]
    Newer { database: String, version: String },
}
