use crate::schema::users;
use diesel::{
    AppearsOnTable, Expression, QueryResult,
    expression::{ValidGrouping, is_aggregate},
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Bool, Text},
};

/// Whether a row stands at a place of an index or behind it, also where the next status or role begins there.
///
/// Of a statement that is kept prepared the server makes one plan for all values after a while, unless it expects plans for
/// the very values to be cheaper. How many rows meet this it guesses to be a third of the table, whatever the table holds,
/// and so walks the index for the first few; of equal roles, or of logins between two, it guesses so few that it may read
/// and sort them all. That it makes no guess from the values either is what `SELECT` is for: it is worked out after planning.
pub struct Onwards<'a> {
    pub role: Option<&'a str>,
    pub status: Option<&'a str>,
    pub login: String,
}

impl Onwards<'_> {
    /// The columns of the index, which the rows MUST be ordered by.
    pub fn columns(&self) -> &'static str {
        match (self.role, self.status) {
            (Some(_), Some(_)) => "role, status, canonical_login",
            (Some(_), None) => "role, canonical_login",
            (None, Some(_)) => "status, canonical_login",
            (None, None) => "canonical_login",
        }
    }
}

impl QueryFragment<Pg> for Onwards<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(&format!("({}) >= (", self.columns()));
        for value in [self.role, self.status].into_iter().flatten() {
            out.push_sql("(SELECT ");
            out.push_bind_param::<Text, str>(value)?;
            out.push_sql("), ");
        }
        out.push_sql("(SELECT ");
        out.push_bind_param::<Text, str>(&self.login)?;
        out.push_sql("))");
        Ok(())
    }
}

impl QueryId for Onwards<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Expression for Onwards<'_> {
    type SqlType = Bool;
}

impl AppearsOnTable<users::table> for Onwards<'_> {}

impl ValidGrouping<()> for Onwards<'_> {
    type IsAggregate = is_aggregate::Never;
}
