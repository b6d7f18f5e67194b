use super::super::output::{List, ListRow, instant, words};
use crate::{Failure, cli::ListAudit, operator::Operator};
use domain::{
    audit::{Actor, AuditDetails, AuditFilter, AuditRecord},
    authority::Capability,
    steps::UserRef,
    user::UserId,
};
use serde::Serialize;

/// Number of events read at a time.
const PAGE: u32 = 1_000;

/// Lists events; holds one page in memory at a time.
pub async fn run(operator: &Operator, request: ListAudit) -> Result<(), Failure> {
    let mut list = List::<EventRow>::new(request.listing);
    let mut left = request.limit.unwrap_or(u64::MAX);
    let filter = filter(operator, request).await?;
    let mut before = None;
    while left > 0 && list.is_read() {
        let limit = u32::try_from(left).map_or(PAGE, |left| left.min(PAGE));
        let events = operator
            .read_audit
            .execute(Capability::of_operator(), filter.clone(), before, limit)
            .await
            .map_err(|error| Failure::because("the audit log cannot be read", error))?;
        left -= events.len() as u64;
        before = events.last().map(|event| event.number);
        let is_last = before.is_none() || events.len() < limit as usize;
        list.page(events.into_iter().map(EventRow::from))?;
        if is_last {
            break;
        }
    }
    list.end();
    Ok(())
}

async fn filter(operator: &Operator, request: ListAudit) -> Result<AuditFilter, Failure> {
    let user = match request.login {
        Some(login) => Some(find(operator, login).await?),
        None => request.user.map(UserId),
    };
    Ok(AuditFilter {
        user,
        actor: request.actor.map(UserId),
        action: request.action,
        from: request.from,
        until: request.until,
    })
}

async fn find(operator: &Operator, login: String) -> Result<UserId, Failure> {
    let user = UserRef::Login(login);
    let user = operator.find_users.one(Capability::of_operator(), &user).await;
    let user = user.map_err(|error| Failure::because("the users cannot be read", error))?;
    let user = user.map(|user| user.id);
    user.ok_or_else(|| Failure::new("the user does not exist; use --user ID for a deleted user"))
}

/// An event in the output of `audit list`.
#[derive(Serialize)]
struct EventRow {
    number: i64,
    at: String,
    action: &'static str,
    outcome: &'static str,
    actor: String,
    user: Option<String>,
    session: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    client_request_id: Option<String>,
    details: AuditDetails,
}

impl From<AuditRecord> for EventRow {
    fn from(record: AuditRecord) -> Self {
        let AuditRecord {
            number,
            at,
            actor,
            event,
            origin,
        } = record;
        Self {
            number: number.0,
            at: instant(at),
            action: event.action.as_str(),
            outcome: event.action.outcome().as_str(),
            actor: match actor {
                Actor::Anonymous => "anonymous".to_owned(),
                Actor::User(id) => id.to_string(),
                Actor::Operator => "operator".to_owned(),
            },
            user: event.user.map(|id| id.to_string()),
            session: event.session.map(|id| id.0.to_string()),
            address: origin.address.map(|address| address.to_string()),
            user_agent: origin.user_agent,
            request_id: origin.request_id,
            client_request_id: origin.client_request_id,
            details: event.details,
        }
    }
}

impl ListRow for EventRow {
    const HEADINGS: &'static [&'static str] =
        &["NUMBER", "AT", "ACTION", "ACTOR", "USER", "ADDRESS", "DETAILS"];
    const NONE: &'static str = "no events";

    fn cells(&self) -> Vec<String> {
        let details = self
            .details
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"));
        vec![
            self.number.to_string(),
            self.at.clone(),
            self.action.to_owned(),
            self.actor.clone(),
            self.user.clone().unwrap_or_default(),
            self.address.clone().unwrap_or_default(),
            words(details, " "),
        ]
    }
}
