//! Controls which statements stay prepared. diesel prepares UPDATEs and statements written as text
//! for each execution, which takes another round trip; [`Prepared`] keeps them prepared.
//! [`PlannedAnew`] is for the few statements that must be planned for each execution.

use crate::error::ON_PRIMARY;
use diesel::{
    QueryResult,
    dsl::sql,
    expression::SqlLiteral,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, Uuid as SqlUuid},
};
use uuid::Uuid;

/// Implements wrappers that return the rows of the query inside them. diesel identifies a wrapped
/// query by its text, not by its type.
macro_rules! by_text {
    ($($wrapper:ident),+) => {$(
        impl<Q> QueryId for $wrapper<Q> {
            type QueryId = ();

            const HAS_STATIC_QUERY_ID: bool = false;
        }

        impl<Q: Query> Query for $wrapper<Q> {
            type SqlType = Q::SqlType;
        }
    )+};
}

by_text!(Prepared, PlannedAnew, ForEach, FirstRows);

/// A statement that the connection keeps prepared. diesel does not keep UPDATEs prepared, because
/// their text may depend on the columns that they set. The UPDATEs of this crate always set the
/// same columns.
pub struct Prepared<Q>(pub Q);

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

/// A query that is planned for each execution, because the best index depends on its values. For a
/// prepared statement, the server makes one plan for all values after a few executions.
pub struct PlannedAnew<Q>(pub Q);

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for PlannedAnew<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(false)
    }
}

/// A query executed for each of several ids: `of` refers to the id as [`each_id`].
///
/// Fails on a standby.
///
/// Each row is found by index: for a plain join, the server would read a whole table unless it is
/// huge. `OFFSET 0` makes it estimate the same number of ids for any array, so that one plan is the
/// best for all values.
pub struct ForEach<Q> {
    pub ids: Vec<Uuid>,
    pub of: FirstRows<Q>,
}

/// Returns an expression for the id that the query is executed for.
pub fn each_id() -> SqlLiteral<SqlUuid> {
    sql("each.id")
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for ForEach<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT found.* FROM (SELECT ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql("::uuid[] AS ids WHERE ");
        out.push_sql(ON_PRIMARY);
        out.push_sql(" OFFSET 0) AS asked, unnest(asked.ids) AS each (id), LATERAL (");
        self.of.walk_ast(out.reborrow())?;
        out.push_sql(") AS found");
        Ok(())
    }
}

/// The first rows of an ordered query, at most `at_most`. The number is part of the text: the
/// server makes one plan for all values of a prepared statement, and walks an index instead of
/// sorting a table only if it knows how few rows are wanted. There MUST be few different numbers,
/// since each one makes a separate prepared statement.
pub struct FirstRows<Q> {
    pub of: Q,
    pub at_most: u32,
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for FirstRows<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.of.walk_ast(out.reborrow())?;
        out.push_sql(&format!(" LIMIT {}", self.at_most));
        Ok(())
    }
}
