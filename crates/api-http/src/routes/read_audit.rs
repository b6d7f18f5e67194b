use super::audit_event::{ActionName, AuditEventResponse};
use crate::{
    bearer::Authenticated,
    chunked_body::chunked_json,
    page::{Limit, cursor, position},
    problem::{
        FieldCode, Problem, ProblemBody,
        documented::{TokenRefused, Unavailable},
    },
    query::{QueryParameters, filter},
    state::Edge,
};
use actix_web::{HttpResponse, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    audit::{AuditAction, AuditFilter, AuditNumber},
    authority::{AuditRead, Capability},
    user::UserId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only events that affected this user.
    #[serde(default, deserialize_with = "filter")]
    user: Option<Uuid>,
    /// Only events caused by this user.
    #[serde(default, deserialize_with = "filter")]
    actor: Option<Uuid>,
    /// Only events with this action.
    #[param(value_type = Option<ActionName>)]
    #[serde(default, deserialize_with = "filter")]
    action: Option<String>,
    /// Inclusive lower bound.
    #[serde(default, deserialize_with = "filter")]
    from: Option<DateTime<Utc>>,
    /// Exclusive upper bound.
    #[serde(default, deserialize_with = "filter")]
    until: Option<DateTime<Utc>>,
    /// Maximum number of events to return.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Return the events after this number, oldest first. Only with `limit`.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// A page of the audit log, newest event first; with `after`, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLog)]
pub struct AuditResponse {
    events: Vec<AuditEventResponse>,
    /// Cursor of the next page; `null` on the last page.
    #[schema(required, example = "MTc")]
    next_cursor: Option<String>,
    /// With `after`: the number to send as `after` to get later events. Otherwise `null`.
    #[schema(required, example = json!(null))]
    next_after: Option<i64>,
}

impl AuditQuery {
    fn filter(&self) -> Result<AuditFilter, Problem> {
        Ok(AuditFilter {
            user: self.user.map(UserId),
            actor: self.actor.map(UserId),
            action: self.action.as_deref().map(action).transpose()?,
            from: self.from,
            until: self.until,
        })
    }

    /// Returns the position after which the caller reads, if it follows the log.
    fn position(&self) -> Result<Option<AuditNumber>, Problem> {
        let Some(after) = self.after else {
            return Ok(None);
        };
        let others = [
            ("user", self.user.is_some()),
            ("actor", self.actor.is_some()),
            ("action", self.action.is_some()),
            ("from", self.from.is_some()),
            ("until", self.until.is_some()),
            ("cursor", self.cursor.is_some()),
        ];
        if let Some((other, _)) = others.into_iter().find(|(_, is_set)| *is_set) {
            let detail = "this parameter cannot be combined with after".to_owned();
            return Err(Problem::field_refused(other, FieldCode::NotCombinable, detail));
        }
        if after < 0 {
            let detail = "the number must not be negative".to_owned();
            return Err(Problem::field_refused("after", FieldCode::OutOfRange, detail));
        }
        Ok(Some(AuditNumber(after)))
    }
}

fn action(name: &str) -> Result<AuditAction, Problem> {
    AuditAction::from_name(name).ok_or_else(|| {
        let detail = "unknown action".to_owned();
        Problem::field_refused("action", FieldCode::UnknownAction, detail)
    })
}

/// Reads the audit log.
///
/// Returns a page of events, newest first; with `after`, the events after that number, oldest
/// first. A page ends before an event that cannot be read. Requires the permission `audit:read`.
#[utoipa::path(
    get,
    path = "/audit",
    tag = "audit",
    params(AuditQuery),
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "A page of events.", body = AuditResponse),
        TokenRefused, Unavailable,
        (status = 403, description = "`forbidden`: requires `audit:read`; `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`audit_log_ends_before`: the log has no event with the number `after`, because a backup was restored; `audit_event_unreadable`: the next event cannot be read, because a newer version or another program added or changed it; `detail` has the `cursor` or `after` with which to continue after it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "`audit_events_removed`: the next events after `after` were removed", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn read_audit(
    edge: Data<Edge>,
    Authenticated(caller): Authenticated,
    QueryParameters(query): QueryParameters<AuditQuery>,
) -> Result<HttpResponse, Problem> {
    let by = caller.capability()?;
    let limit = Limit::parse(query.limit)?;
    if let Some(after) = query.position()? {
        return follow(&edge, by, after, limit).await;
    }
    let before = position(query.cursor.as_deref(), |key| key.parse().ok().map(AuditNumber))?;
    let read_audit = &edge.use_cases.administration.read_audit;
    let page = read_audit
        .execute(by, query.filter()?, before, limit.get())
        .await?;
    let events = page.events.into_iter().map(AuditEventResponse::from);
    Ok(chunked_json(&AuditResponse {
        events: events.collect(),
        next_cursor: page.next.map(|number| cursor(&number.to_string())),
        next_after: None,
    }))
}

async fn follow(
    edge: &Edge,
    by: Capability<'_, AuditRead>,
    after: AuditNumber,
    limit: Limit,
) -> Result<HttpResponse, Problem> {
    let follow_audit = &edge.use_cases.administration.follow_audit;
    let followed = follow_audit.execute(by, after, limit.get()).await?;
    let events = followed.events.into_iter().map(AuditEventResponse::from);
    Ok(chunked_json(&AuditResponse {
        events: events.collect(),
        next_cursor: None,
        next_after: Some(followed.next.0),
    }))
}
