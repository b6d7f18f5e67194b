use super::{Stream, Table, not_json, nothing};
use crate::{Failure, cli::Listing};
use serde::Serialize;
use std::marker::PhantomData;

/// A row of a table, or a line of JSON.
pub trait ListRow: Serialize {
    const HEADINGS: &'static [&'static str];
    /// What is reported about an empty list.
    const NONE: &'static str;

    fn cells(&self) -> Vec<String>;
}

/// A list that is printed page by page: a table, or JSON Lines.
pub struct List<T> {
    stream: Stream,
    /// `None` for JSON.
    table: Option<Table>,
    is_empty: bool,
    rows: PhantomData<T>,
}

impl<T: ListRow> List<T> {
    /// Starts a list in the format that `listing` selects.
    pub fn new(listing: Listing) -> Self {
        Self {
            stream: Stream::new(),
            table: (!listing.json).then(|| Table::new(T::HEADINGS)),
            is_empty: true,
            rows: PhantomData,
        }
    }

    /// Returns whether standard output still has a reader.
    pub fn is_read(&self) -> bool {
        self.stream.is_read()
    }

    /// Prints the next rows.
    pub fn page(&mut self, rows: impl IntoIterator<Item = T>) -> Result<(), Failure> {
        match &mut self.table {
            Some(table) => {
                let lines = table.page(rows.into_iter().map(|row| row.cells()));
                self.is_empty &= lines.is_empty();
                lines.iter().try_for_each(|line| self.stream.line(line))?;
            }
            None => {
                for row in rows {
                    self.stream
                        .line(&serde_json::to_string(&row).map_err(not_json)?)?;
                }
            }
        }
        self.stream.flush()
    }

    /// Ends the list after its last page. Reports an empty table.
    pub fn end(self) {
        if self.table.is_some() && self.is_empty {
            nothing(T::NONE);
        }
    }
}
