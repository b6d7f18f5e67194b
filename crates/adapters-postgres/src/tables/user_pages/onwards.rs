use crate::schema::users;
use diesel::{
    AppearsOnTable, Expression, QueryResult,
    expression::{ValidGrouping, is_aggregate},
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Bool, Text},
};

/// Whether a row is at a position of an index or behind it, even where the next status or role begins.
///
/// After a few executions of a prepared statement the server keeps one plan for all values, unless it expects plans for the
/// given values to be cheaper. It estimates that a third of the table meets this condition, whatever the table contains, and so
/// walks the index for the first few rows. For equal roles, or logins between two, it would estimate so few rows that it might
/// read and sort them all. `SELECT` around a value keeps it from estimating by the value: it is evaluated after planning.
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
