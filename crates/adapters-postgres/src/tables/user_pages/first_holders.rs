use super::onwards::Onwards;
use crate::schema::users;
use diesel::{
    AppearsOnTable, Expression, QueryResult,
    expression::{ValidGrouping, is_aggregate},
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Bool, Text},
};

/// Whether a user is one of the first holders of a role, in the order of the pages.
///
/// They are chosen before their users are looked up, so the server expects to look up few, whatever its statistics are.
/// Whether they have the role and the status, and do not only follow those that do, is filtered after the walk: as a condition
/// of the walk itself, the server would estimate how many rows meet it.
pub struct FirstHolders<'a> {
    pub onwards: Onwards<'a>,
    pub at_most: u32,
}

impl QueryFragment<Pg> for FirstHolders<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "users.id = ANY(ARRAY(SELECT user_id FROM (SELECT user_id, role, status FROM user_roles WHERE ",
        );
        self.onwards.walk_ast(out.reborrow())?;
        let (order, at_most) = (self.onwards.columns(), self.at_most);
        out.push_sql(&format!(" ORDER BY {order} LIMIT {at_most}) AS walked"));
        let mut joined_by = " WHERE ";
        for (column, value) in [("role", self.onwards.role), ("status", self.onwards.status)] {
            if let Some(value) = value {
                out.push_sql(&format!("{joined_by}{column} = "));
                out.push_bind_param::<Text, str>(value)?;
                joined_by = " AND ";
            }
        }
        out.push_sql("))");
        Ok(())
    }
}

impl QueryId for FirstHolders<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Expression for FirstHolders<'_> {
    type SqlType = Bool;
}

impl AppearsOnTable<users::table> for FirstHolders<'_> {}

impl ValidGrouping<()> for FirstHolders<'_> {
    type IsAggregate = is_aggregate::Never;
}
