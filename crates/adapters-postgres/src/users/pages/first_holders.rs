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
/// They are chosen before their users are looked up, and how many there are stands in the text: so the server expects to look
/// up so few, whatever it knows of the values, and keeps the plan. Of a join it takes a plan for the very values to be cheaper by a
/// hair, and makes one each time, which takes longer than the page.
pub struct FirstHolders<'a> {
    pub role: &'a str,
    pub behind: &'a str,
    /// What a login begins with, and a text behind all such logins.
    pub prefix: Option<(&'a str, String)>,
    pub status: Option<&'a str>,
    pub at_most: u32,
}

impl QueryFragment<Pg> for FirstHolders<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("users.id = ANY(ARRAY(SELECT user_id FROM user_roles WHERE role = ");
        out.push_bind_param::<Text, str>(self.role)?;
        out.push_sql(" AND canonical_login > ");
        out.push_bind_param::<Text, str>(self.behind)?;
        if let Some((prefix, end)) = &self.prefix {
            out.push_sql(" AND canonical_login >= ");
            out.push_bind_param::<Text, str>(prefix)?;
            out.push_sql(" AND canonical_login < ");
            out.push_bind_param::<Text, str>(end)?;
        }
        if let Some(status) = self.status {
            out.push_sql(" AND status = ");
            out.push_bind_param::<Text, str>(status)?;
        }
        out.push_sql(&format!(" ORDER BY canonical_login LIMIT {}))", self.at_most));
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
