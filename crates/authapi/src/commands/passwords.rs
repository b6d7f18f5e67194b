use super::output;
use crate::{
    Failure,
    cli::{CheckPassword, Passwords},
    composition::password_check,
    prompt,
    settings::Settings,
};
use domain::{login::Login, password::PasswordRefused, use_cases::PasswordReport};
use serde::Serialize;

/// Checks passwords, which needs neither a database nor keys.
pub async fn run(settings: &Settings, command: Passwords) -> Result<(), Failure> {
    match command {
        Passwords::Check(request) => check(settings, request).await,
    }
}

async fn check(settings: &Settings, request: CheckPassword) -> Result<(), Failure> {
    let login = request.login.as_deref().map(Login::parse).transpose();
    let login = login.map_err(|error| Failure::because("the login is not valid", error))?;
    let check = password_check(settings)?;
    let password = prompt::password()?;
    let report = check
        .execute(password, login.as_ref())
        .await
        .map_err(|error| Failure::because("the password cannot be checked", error))?;
    let row = ReportRow::from(report);
    if request.listing.json {
        output::json_line(&row)?;
    } else {
        print(&row)?;
    }
    if row.accepted {
        Ok(())
    } else {
        Err(Failure::new("the password would be refused"))
    }
}

/// The result in the output of `passwords check`. It never contains the password.
#[derive(Serialize)]
struct ReportRow {
    accepted: bool,
    score: u8,
    reasons: Vec<Reason>,
    advice: Option<String>,
}

/// Why the password would be refused.
#[derive(Serialize)]
struct Reason {
    code: &'static str,
    detail: String,
}

impl From<PasswordReport> for ReportRow {
    fn from(report: PasswordReport) -> Self {
        Self {
            accepted: report.refusals.is_empty(),
            score: report.strength.score,
            reasons: report.refusals.iter().map(Reason::from).collect(),
            advice: report.strength.advice,
        }
    }
}

impl From<&PasswordRefused> for Reason {
    fn from(refused: &PasswordRefused) -> Self {
        Self {
            code: refused.code(),
            detail: refused.to_string(),
        }
    }
}

fn print(row: &ReportRow) -> Result<(), Failure> {
    output::line(if row.accepted {
        "accepted: yes"
    } else {
        "accepted: no"
    })?;
    output::line(format_args!("score: {} of 4", row.score))?;
    for reason in &row.reasons {
        output::line(format_args!("reason: {} ({})", reason.detail, reason.code))?;
    }
    row.advice
        .iter()
        .try_for_each(|advice| output::line(format_args!("advice: {advice}")))
}
