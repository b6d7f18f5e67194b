//! The first admin, whom the settings may name.

use crate::{
    Failure,
    composition::password_check,
    settings::{BootstrapSettings, Settings, variable},
    storage::Database,
    violation::violation,
};
use domain::{
    login::Login,
    password::Password,
    ports::UserDirectory,
    use_cases::{Bootstrap, BootstrapAdmin, BootstrapAdminError},
};
use secrecy::ExposeSecret;
use std::error::Error;

/// Checks the login and the password of the admin if the start will create the database, so that a
/// refused password leaves no database and no keys behind. With a database, an admin may exist, and
/// the settings may be unused.
pub async fn check(settings: &Settings) -> Result<(), Failure> {
    let Some((login, password)) = credentials(&settings.bootstrap) else {
        return Ok(());
    };
    if !Database::is_new(&settings.database).await? {
        return Ok(());
    }
    let login = Login::parse(&login).map_err(not_created)?;
    let check = password_check(settings)?;
    let report = check.execute(password, Some(&login)).await.map_err(not_created)?;
    match report.refusals.into_iter().next() {
        Some(refused) => Err(not_created(refused)),
        None => Ok(()),
    }
}

/// Creates the admin if the settings name one and there is none.
pub async fn create(settings: &BootstrapSettings, bootstrap: &BootstrapAdmin) -> Result<(), Failure> {
    let Some((login, password)) = credentials(settings) else {
        return Ok(());
    };
    match bootstrap.execute(login, password).await {
        Ok(Bootstrap::Created(user)) => tracing::info!(user = %user.id, "created the first admin"),
        Ok(Bootstrap::NotNeeded) => {}
        Err(BootstrapAdminError::Create(error)) => return Err(not_created(violation(error))),
        Err(BootstrapAdminError::Port(error)) => return Err(not_created(error)),
    }
    Ok(())
}

/// Logs a warning if there is no admin.
pub async fn warn_if_missing(users: &dyn UserDirectory) -> Result<(), Failure> {
    let any = users.any_admin().await;
    if !any.map_err(|error| Failure::because("the database cannot be read", error))? {
        tracing::warn!(
            command = "authapi users create --login NAME --role admin",
            "no admin exists; create one"
        );
    }
    Ok(())
}

fn credentials(settings: &BootstrapSettings) -> Option<(String, Password)> {
    let (login, password) = (settings.admin_login.as_ref()?, settings.admin_password.as_ref()?);
    let password = Password::new(password.expose_secret().to_owned());
    Some((login.clone(), password))
}

fn not_created(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
    let what = format!(
        "{} or {}: the first admin cannot be created",
        variable("bootstrap.admin_login"),
        variable("bootstrap.admin_password")
    );
    Failure::because(what, cause)
}
