//! Keeping statements prepared that diesel would prepare anew each time, at the price of a round trip: every UPDATE, every
//! statement that is written out, and every INSERT that may say DEFAULT, which rows here do not
//! (`treat_none_as_default_value = false`). And the other way round, for the few that must be planned each time.

use diesel::{
    QueryResult,
    dsl::sql,
    expression::SqlLiteral,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, Uuid as SqlUuid},
};
use uuid::Uuid;

/// Wrappers that answer what the query inside does. diesel tells them apart by their text, and not by their type.
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

/// An UPDATE, or a statement that is written out, that the connection keeps prepared, as it does every other statement: diesel keeps none, because its text
/// may differ with what it sets. Ours always set the same columns, and are told apart by their text.
pub struct Prepared<Q>(pub Q);

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

/// A question that is planned anew each time, with the values that it is asked with: which index serves it best depends on
/// them. Of a statement that is kept prepared, the server makes one plan for all values after a while.
pub struct PlannedAnew<Q>(pub Q);

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for PlannedAnew<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(false)
    }
}

/// A question about one thing, asked for each of several: `of` names the one as [`each_id`].
///
/// Each is found by index, as it would be alone: as one join, the server would rather read a table whole that is not huge. What
/// it expects of the ids' number is the same for any (hence `OFFSET 0`), so that its one plan for all values stays the best.
pub struct ForEach<Q> {
    pub ids: Vec<Uuid>,
    pub of: FirstRows<Q>,
}

/// The id that the question is about.
pub fn each_id() -> SqlLiteral<SqlUuid> {
    sql("each.id")
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for ForEach<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT found.* FROM (SELECT ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql("::uuid[] AS ids OFFSET 0) AS asked, unnest(asked.ids) AS each (id), LATERAL (");
        self.of.walk_ast(out.reborrow())?;
        out.push_sql(") AS found");
        Ok(())
    }
}

/// The first rows of an ordered question, that many at most. The number stands in the text: of a statement that is kept
/// prepared the server makes one plan for all values, and only a plan that knows how few rows are wanted walks an index
/// instead of sorting a table. Which numbers there are MUST be few, since each is a statement of its own.
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
