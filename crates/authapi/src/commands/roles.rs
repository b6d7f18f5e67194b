use super::output::{self, List, ListRow, words};
use crate::{
    Failure,
    cli::{DeleteRole, Listing, Roles, SetRole},
    operator::Operator,
    settings::Settings,
};
use domain::{
    audit::Origin,
    authority::Capability,
    changes::RoleWritten,
    revision::Precondition,
    role::{Permission, Permissions, Role},
    use_cases::{DeleteRoleRequest, RoleRequest},
};
use serde::Serialize;

/// Lists and changes the role catalogue.
pub async fn run(settings: &Settings, command: Roles) -> Result<(), Failure> {
    let operator = Operator::open_existing(settings).await?;
    let done = match command {
        Roles::List(listing) => list(&operator, listing).await,
        Roles::Set(request) => set(&operator, request).await,
        Roles::Delete(request) => delete(&operator, request).await,
    };
    operator.finish().await;
    done
}

/// A role in the output of `roles list`.
#[derive(Serialize)]
struct RoleRow {
    name: String,
    description: String,
    permissions: Permissions,
    self_assignable: bool,
}

impl From<Role> for RoleRow {
    fn from(role: Role) -> Self {
        Self {
            name: role.name.to_string(),
            description: role.description.as_str().to_owned(),
            permissions: role.permissions,
            self_assignable: role.self_assignable,
        }
    }
}

impl ListRow for RoleRow {
    const HEADINGS: &'static [&'static str] = &["NAME", "SELF-ASSIGNABLE", "DESCRIPTION", "PERMISSIONS"];
    const NONE: &'static str = "no roles";

    fn cells(&self) -> Vec<String> {
        let self_assignable = if self.self_assignable { "yes" } else { "no" };
        let permissions = self.permissions.iter().map(Permission::as_str);
        vec![
            self.name.clone(),
            self_assignable.to_owned(),
            self.description.clone(),
            words(permissions, ","),
        ]
    }
}

async fn list(operator: &Operator, listing: Listing) -> Result<(), Failure> {
    let roles = operator.list_roles.execute().await;
    let roles = roles.map_err(|error| Failure::because("the roles cannot be listed", error))?;
    let mut list = List::new(listing);
    list.page(roles.into_iter().map(RoleRow::from))?;
    list.end();
    Ok(())
}

/// The JSON output of `roles set`.
#[derive(Serialize)]
struct SetRoleRow {
    dry_run: bool,
    created: bool,
    holders: u64,
    role: RoleRow,
}

async fn set(operator: &Operator, command: SetRole) -> Result<(), Failure> {
    let request = RoleRequest {
        name: command.name,
        description: command.description,
        permissions: command.permissions,
        self_assignable: command.self_assignable,
        precondition: Precondition::None,
        dry_run: command.dry_run,
    };
    let written = operator
        .write_role
        .execute(Capability::of_operator(), request, Origin::default())
        .await
        .map_err(|error| Failure::because("the role was not changed", error))?;
    let RoleWritten {
        role,
        created,
        holders,
    } = written;
    let verb = match (command.dry_run, created) {
        (false, true) => "created",
        (false, false) => "changed",
        (true, true) => "would create",
        (true, false) => "would change",
    };
    if command.listing.json {
        return output::json_line(&SetRoleRow {
            dry_run: command.dry_run,
            created,
            holders,
            role: role.into(),
        });
    }
    output::line(format_args!(
        "{verb} {}; users with this role: {holders}",
        role.name
    ))
}

/// The JSON output of `roles delete`.
#[derive(Serialize)]
struct DeleteRoleRow {
    dry_run: bool,
    name: String,
}

async fn delete(operator: &Operator, command: DeleteRole) -> Result<(), Failure> {
    let removal = DeleteRoleRequest {
        name: command.name.clone(),
        if_revision: None,
        dry_run: command.dry_run,
    };
    operator
        .delete_role
        .execute(Capability::of_operator(), removal, Origin::default())
        .await
        .map_err(|error| Failure::because("the role was not changed", error))?;
    let (dry_run, name) = (command.dry_run, command.name);
    if command.listing.json {
        return output::json_line(&DeleteRoleRow { dry_run, name });
    }
    let verb = if dry_run { "would delete" } else { "deleted" };
    output::line(format_args!("{verb} {name}"))
}
