use super::output::{self, List, ListRow, instant};
use crate::{
    Failure,
    cli::{OneUser, Sessions},
    operator::Operator,
    settings::Settings,
};
use domain::{audit::Origin, authority::Capability, session::SessionSummary};
use serde::Serialize;

/// Lists or ends the sessions of a user.
pub async fn run(settings: &Settings, command: Sessions) -> Result<(), Failure> {
    let operator = Operator::open_existing(settings).await?;
    let done = match command {
        Sessions::List(one) => list(&operator, one).await,
        Sessions::End(one) => end(&operator, one).await,
    };
    operator.finish().await;
    done
}

/// A session in the output of `sessions list`.
#[derive(Serialize)]
struct SessionRow {
    id: String,
    created_at: String,
    last_used_at: String,
    expires_at: String,
    address: Option<String>,
    user_agent: Option<String>,
}

impl From<SessionSummary> for SessionRow {
    fn from(session: SessionSummary) -> Self {
        Self {
            id: session.id.0.to_string(),
            created_at: instant(session.created_at),
            last_used_at: instant(session.last_used_at),
            expires_at: instant(session.expires_at),
            address: session.address.map(|address| address.to_string()),
            user_agent: session.user_agent,
        }
    }
}

impl ListRow for SessionRow {
    const HEADINGS: &'static [&'static str] =
        &["ID", "CREATED", "LAST USED", "EXPIRES", "ADDRESS", "USER AGENT"];
    const NONE: &'static str = "no sessions";

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.created_at.clone(),
            self.last_used_at.clone(),
            self.expires_at.clone(),
            self.address.clone().unwrap_or_default(),
            self.user_agent.clone().unwrap_or_default(),
        ]
    }
}

async fn list(operator: &Operator, one: OneUser) -> Result<(), Failure> {
    let sessions = operator
        .user_sessions
        .list(Capability::of_operator(), &one.selector.into())
        .await
        .map_err(|error| Failure::because("the sessions cannot be listed", error))?;
    let mut list = List::new(one.listing);
    list.page(sessions.into_iter().map(SessionRow::from))?;
    list.end();
    Ok(())
}

/// The JSON output of `sessions end`.
#[derive(Serialize)]
struct EndedRow {
    sessions_ended: u64,
}

async fn end(operator: &Operator, one: OneUser) -> Result<(), Failure> {
    let sessions_ended = operator
        .user_sessions
        .end(Capability::of_operator(), &one.selector.into(), Origin::default())
        .await
        .map_err(|error| Failure::because("the sessions were not ended", error))?;
    if one.listing.json {
        return output::json_line(&EndedRow { sessions_ended });
    }
    output::line(format_args!("sessions ended: {sessions_ended}"))
}
