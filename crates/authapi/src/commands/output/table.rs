use comfy_table::{ColumnConstraint, Table as Page, Width, presets::NOTHING};

/// A table that is printed page by page. Columns widen to fit their content and never narrow, so
/// the whole table need not be held in memory.
pub struct Table {
    headings: Option<&'static [&'static str]>,
    widths: Vec<u16>,
}

impl Table {
    /// Creates a table with the headings `headings`.
    pub fn new(headings: &'static [&'static str]) -> Self {
        Self {
            headings: Some(headings),
            widths: vec![0; headings.len()],
        }
    }

    /// Formats the next rows, preceded by the headings on the first page.
    pub fn page(&mut self, rows: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
        let mut page = Page::new();
        page.load_style(NOTHING).add_rows(rows);
        if page.is_empty() {
            return Vec::new();
        }
        if let Some(headings) = self.headings.take() {
            page.set_header(headings.iter().copied());
        }
        for (width, now) in self.widths.iter_mut().zip(page.column_max_content_widths()) {
            *width = now.max(*width);
        }
        let at_least = |width: &u16| ColumnConstraint::LowerBoundary(Width::Fixed(width + PADDING));
        page.set_constraints(self.widths.iter().map(at_least));
        page.column_iter_mut().for_each(|column| {
            column.set_padding((0, PADDING));
        });
        page.lines().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// Spaces between two columns.
const PADDING: u16 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 2]) -> Vec<String> {
        cells.map(ToOwned::to_owned).into()
    }

    #[test]
    fn columns_keep_their_width_from_page_to_page() {
        let mut table = Table::new(&["NAME", "WHAT"]);
        let first = table.page([row(["alice-the-first", "a"]), row(["bob", ""])]);
        assert_eq!(first, ["NAME             WHAT", "alice-the-first  a", "bob"]);
        let second = table.page([row(["eve", "b"])]);
        assert_eq!(second, ["eve              b"]);
    }

    #[test]
    fn a_table_without_rows_prints_nothing() {
        let mut table = Table::new(&["NAME", "WHAT"]);
        assert_eq!(table.page([]), [""; 0]);
    }
}
