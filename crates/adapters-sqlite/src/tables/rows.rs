//! Conversion of rows to the core's types.

use crate::error::StorageError;
use diesel::{QueryResult, result::OptionalExtension};

/// Parses the row that a query found; `None` if it found none.
pub fn parse_optional<Row, T>(found: QueryResult<Row>) -> Result<Option<T>, StorageError>
where
    T: TryFrom<Row, Error = StorageError>,
{
    found.optional()?.map(T::try_from).transpose()
}

/// Parses all rows that a query found.
pub fn parse_all<Row, T>(found: QueryResult<Vec<Row>>) -> Result<Vec<T>, StorageError>
where
    T: TryFrom<Row, Error = StorageError>,
{
    found?.into_iter().map(T::try_from).collect()
}
