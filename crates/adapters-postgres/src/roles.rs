use crate::{
    PostgresDatabase,
    error::StorageError,
    schema::{role_permissions, roles, sessions, user_roles, users},
};
use async_trait::async_trait;
use diesel::{
    ExpressionMethods, IntoSql, JoinOnDsl, QueryDsl, Queryable, Selectable, SelectableHelper,
    declare_sql_function, dsl::auto_type, pg::Pg, sql_types::Text,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    ports::{PortError, Roles},
    role::{Permission, Permissions, Role, RoleName, RoleNames},
    user::UserId,
};

#[declare_sql_function]
extern "SQL" {
    /// The texts of a group; `NULL` when there are none.
    #[aggregate]
    fn array_agg(text: Text) -> Nullable<Array<Text>>;
}

/// For a query on `users`: the names of the user's roles, so that both are of one instant.
#[auto_type]
pub fn roles_of_user() -> _ {
    user_roles::table
        .filter(user_roles::user_id.eq(users::id))
        .select(array_agg(user_roles::role))
        .single_value()
}

/// For a query on `sessions`: the names of the holder's roles, so that both are of one instant.
#[auto_type]
pub fn roles_of_holder() -> _ {
    user_roles::table
        .filter(user_roles::user_id.eq(sessions::user_id))
        .select(array_agg(user_roles::role))
        .single_value()
}

/// For a query on `users`: what the user's roles allow, so that both are of one instant.
#[auto_type]
pub fn permissions_of_user() -> _ {
    user_roles::table
        .inner_join(role_permissions::table.on(role_permissions::role.eq(user_roles::role)))
        .filter(user_roles::user_id.eq(users::id))
        .select(array_agg(role_permissions::permission))
        .single_value()
}

/// For a query on `roles`: what the role allows.
#[auto_type]
fn permissions_of_role() -> _ {
    role_permissions::table
        .filter(role_permissions::role.eq(roles::name))
        .select(array_agg(role_permissions::permission))
        .single_value()
}

/// What [`roles_of_user`] found.
pub fn parse_roles(names: Option<Vec<String>>) -> Result<RoleNames, StorageError> {
    names
        .into_iter()
        .flatten()
        .map(|name| RoleName::try_from(name).map_err(|error| StorageError::row("user_roles", error)))
        .collect()
}

/// What [`permissions_of_user`] found.
pub fn parse_permissions(texts: Option<Vec<String>>) -> Result<Permissions, StorageError> {
    texts
        .into_iter()
        .flatten()
        .map(|text| Permission::parse(&text).map_err(|error| StorageError::row("role_permissions", error)))
        .collect()
}

/// Whether all of `names` are in the catalogue; those that are stay there until the transaction ends.
pub async fn all_known(conn: &mut AsyncPgConnection, names: &RoleNames) -> Result<bool, StorageError> {
    let known: Vec<String> = roles::table
        .filter(roles::name.eq_any(texts(names)))
        .select(roles::name)
        .for_key_share()
        .load(conn)
        .await?;
    Ok(known.len() == names.len())
}

/// Makes `names` the roles of `user`, and no others.
pub async fn give(conn: &mut AsyncPgConnection, user: UserId, names: &RoleNames) -> Result<(), StorageError> {
    let dropped = user_roles::table
        .filter(user_roles::user_id.eq(user.0))
        .filter(user_roles::role.ne_all(texts(names)));
    diesel::delete(dropped).execute(conn).await?;
    // Selected from the catalogue, so that one statement, always the same, serves any number of roles.
    let wanted = roles::table
        .filter(roles::name.eq_any(texts(names)))
        .select((user.0.into_sql::<diesel::sql_types::Uuid>(), roles::name));
    diesel::insert_into(user_roles::table)
        .values(wanted)
        .into_columns((user_roles::user_id, user_roles::role))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

fn texts(names: &RoleNames) -> Vec<&str> {
    names.iter().map(RoleName::as_str).collect()
}

/// The catalogue of roles in Postgres.
pub struct PostgresRoles {
    database: PostgresDatabase,
}

impl PostgresRoles {
    #[must_use]
    pub fn new(database: PostgresDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Roles for PostgresRoles {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        self.database
            .read(names.clone(), |conn, names| Box::pin(find(conn, names)))
            .await
    }
}

pub async fn find(conn: &mut AsyncPgConnection, names: &RoleNames) -> Result<Vec<Role>, StorageError> {
    let rows: Vec<RoleRow> = roles::table
        .filter(roles::name.eq_any(texts(names)))
        .order(roles::name)
        .select(RoleRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Role::try_from).collect()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = roles, check_for_backend(Pg))]
struct RoleRow {
    name: String,
    description: String,
    self_assignable: bool,
    #[diesel(select_expression = permissions_of_role())]
    permissions: Option<Vec<String>>,
}

impl TryFrom<RoleRow> for Role {
    type Error = StorageError;

    fn try_from(row: RoleRow) -> Result<Self, Self::Error> {
        Ok(Self {
            name: RoleName::try_from(row.name).map_err(|error| StorageError::row("roles", error))?,
            description: row.description,
            permissions: parse_permissions(row.permissions)?,
            self_assignable: row.self_assignable,
        })
    }
}
