use crate::{
    SqliteDatabase,
    columns::Id,
    error::StorageError,
    schema::{role_permissions, roles, user_roles, users},
};
use async_trait::async_trait;
use diesel::{
    ExpressionMethods, JoinOnDsl, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper,
    SqliteConnection, declare_sql_function, dsl::auto_type, sql_types::Text, sqlite::Sqlite,
};
use domain::{
    ports::{PortError, Roles},
    role::{Permission, Permissions, Role, RoleName, RoleNames},
    user::UserId,
};

#[declare_sql_function]
extern "SQL" {
    /// The texts of a group with commas between them. Neither roles nor permissions have a comma.
    #[aggregate]
    fn group_concat(text: Text) -> Nullable<Text>;
}

/// For a query on `users`: the names of the user's roles, so that both are of one instant.
#[auto_type]
pub fn roles_of_user() -> _ {
    user_roles::table
        .filter(user_roles::user_id.eq(users::id))
        .select(group_concat(user_roles::role))
        .single_value()
}

/// For a query on `users`: what the user's roles allow, so that both are of one instant.
#[auto_type]
pub fn permissions_of_user() -> _ {
    user_roles::table
        .inner_join(role_permissions::table.on(role_permissions::role.eq(user_roles::role)))
        .filter(user_roles::user_id.eq(users::id))
        .select(group_concat(role_permissions::permission))
        .single_value()
}

/// For a query on `roles`: what the role allows.
#[auto_type]
fn permissions_of_role() -> _ {
    role_permissions::table
        .filter(role_permissions::role.eq(roles::name))
        .select(group_concat(role_permissions::permission))
        .single_value()
}

/// What [`roles_of_user`] found.
pub fn parse_roles(joined: Option<&str>) -> Result<RoleNames, StorageError> {
    each(joined)
        .map(|name| RoleName::parse(name).map_err(|error| StorageError::row("user_roles", error)))
        .collect()
}

/// What [`permissions_of_user`] found.
pub fn parse_permissions(joined: Option<&str>) -> Result<Permissions, StorageError> {
    each(joined)
        .map(|text| Permission::parse(text).map_err(|error| StorageError::row("role_permissions", error)))
        .collect()
}

fn each(joined: Option<&str>) -> impl Iterator<Item = &str> {
    joined.into_iter().flat_map(|joined| joined.split(','))
}

/// Whether all of `names` are in the catalogue.
pub fn all_known(conn: &mut SqliteConnection, names: &RoleNames) -> Result<bool, StorageError> {
    Ok(find(conn, names)?.len() == names.len())
}

/// Makes `names` the roles of `user`, and no others.
pub fn give(conn: &mut SqliteConnection, user: UserId, names: &RoleNames) -> Result<(), StorageError> {
    let user = Id(user.0);
    diesel::delete(user_roles::table.filter(user_roles::user_id.eq(user))).execute(conn)?;
    for name in names {
        diesel::insert_into(user_roles::table)
            .values((user_roles::user_id.eq(user), user_roles::role.eq(name.as_str())))
            .execute(conn)?;
    }
    Ok(())
}

/// The catalogue of roles in SQLite.
pub struct SqliteRoles {
    database: SqliteDatabase,
}

impl SqliteRoles {
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Roles for SqliteRoles {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        let names = names.clone();
        self.database.read(move |conn| find(conn, &names)).await
    }
}

fn find(conn: &mut SqliteConnection, names: &RoleNames) -> Result<Vec<Role>, StorageError> {
    roles::table
        .filter(roles::name.eq_any(names.iter().map(RoleName::as_str)))
        .order(roles::name)
        .select(RoleRow::as_select())
        .load(conn)?
        .into_iter()
        .map(Role::try_from)
        .collect()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = roles, check_for_backend(Sqlite))]
struct RoleRow {
    name: String,
    description: String,
    self_assignable: bool,
    #[diesel(select_expression = permissions_of_role())]
    permissions: Option<String>,
}

impl TryFrom<RoleRow> for Role {
    type Error = StorageError;

    fn try_from(row: RoleRow) -> Result<Self, Self::Error> {
        Ok(Self {
            name: RoleName::parse(&row.name).map_err(|error| StorageError::row("roles", error))?,
            description: row.description,
            permissions: parse_permissions(row.permissions.as_deref())?,
            self_assignable: row.self_assignable,
        })
    }
}
