use crate::schema::users;
use diesel::{
    AppearsOnTable, Expression, QueryResult,
    expression::{ValidGrouping, is_aggregate},
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Bool, Text},
};

/// A walk along an index in the order of the pages, from a position on.
pub struct Walk<'a> {
    pub role: Option<&'a str>,
    pub status: Option<&'a str>,
    pub login: String,
}

impl<'a> Walk<'a> {
    /// Returns the condition that a row is at the position or after it, even beyond the last row
    /// with this status or role.
    ///
    /// After a few executions of a prepared statement the server keeps one plan for all values,
    /// unless it expects plans for the given values to be cheaper. It estimates that a third of the
    /// table meets this condition, regardless of the table's content, so it walks the index for the
    /// first few rows. For equal roles, or logins between two, it would estimate so few rows that
    /// it might read and sort them all. A value inside `SELECT` is evaluated after planning, so the
    /// server cannot use it for its estimate.
    pub fn rest(&'a self) -> Condition<'a> {
        let mut rest = Condition::default();
        rest.sql(&format!("({}) >= (", self.columns()));
        for value in [self.role, self.status].into_iter().flatten() {
            rest.sql("(SELECT ").value(value).sql("), ");
        }
        rest.sql("(SELECT ").value(&self.login).sql("))");
        rest
    }

    /// Returns the condition that a user is one of the first `at_most` holders of the role, in the
    /// order of the pages.
    ///
    /// They are chosen before their users are looked up, so the server expects to look up few,
    /// regardless of its statistics. The walk may pass beyond the last holder, so the role and the
    /// status are compared again after it. If they were conditions of the walk itself, the server
    /// would estimate how many rows meet them.
    pub fn first_holders(&'a self, at_most: u32) -> Condition<'a> {
        let mut first = Condition::default();
        first.sql(
            "users.id = ANY(ARRAY(SELECT user_id FROM (SELECT user_id, role, status FROM user_roles WHERE ",
        );
        first.0.extend(self.rest().0);
        first.sql(&format!(
            " ORDER BY {} LIMIT {at_most}) AS walked",
            self.columns()
        ));
        let mut joined_by = " WHERE ";
        for (column, value) in [("role", self.role), ("status", self.status)] {
            if let Some(value) = value {
                first.sql(&format!("{joined_by}{column} = ")).value(value);
                joined_by = " AND ";
            }
        }
        first.sql("))");
        first
    }

    /// Returns the columns of the index, by which the rows MUST be ordered.
    fn columns(&self) -> &'static str {
        match (self.role, self.status) {
            (Some(_), Some(_)) => "role, status, canonical_login",
            (Some(_), None) => "role, canonical_login",
            (None, Some(_)) => "status, canonical_login",
            (None, None) => "canonical_login",
        }
    }
}

/// A condition on `users`, as text and values in their order.
#[derive(Default)]
pub struct Condition<'a>(Vec<Part<'a>>);

enum Part<'a> {
    Sql(String),
    Value(&'a str),
}

impl<'a> Condition<'a> {
    fn sql(&mut self, sql: &str) -> &mut Self {
        self.0.push(Part::Sql(sql.to_owned()));
        self
    }

    fn value(&mut self, value: &'a str) -> &mut Self {
        self.0.push(Part::Value(value));
        self
    }
}

impl QueryFragment<Pg> for Condition<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for part in &self.0 {
            match part {
                Part::Sql(sql) => out.push_sql(sql),
                Part::Value(value) => out.push_bind_param::<Text, str>(value)?,
            }
        }
        Ok(())
    }
}

impl QueryId for Condition<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Expression for Condition<'_> {
    type SqlType = Bool;
}

impl AppearsOnTable<users::table> for Condition<'_> {}

impl ValidGrouping<()> for Condition<'_> {
    type IsAggregate = is_aggregate::Never;
}
