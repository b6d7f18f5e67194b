//! Keeping statements prepared that diesel would prepare anew each time, at the price of a round trip: every UPDATE, and
//! every INSERT that may say DEFAULT, which rows here do not (`treat_none_as_default_value = false`).

use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
};

/// An UPDATE that the connection keeps prepared, as it does every other statement: diesel keeps none, because its text
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

impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}
