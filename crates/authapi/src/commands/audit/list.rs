use super::{
    super::output::{List, note},
    event_row::EventRow,
    unreadable::unreadable,
};
use crate::{Failure, cli::ListAudit, operator::Operator};
use domain::{
    audit::AuditFilter,
    authority::Capability,
    steps::UserRef,
    use_cases::{AuditPage, ReadAuditError},
    user::UserId,
};

/// Number of events read at a time.
const PAGE: u32 = 1_000;

/// Lists events; holds one page in memory at a time. Notes an event that cannot be read, continues
/// after it, and fails at the end, because the list is then not complete.
pub async fn run(operator: &Operator, request: ListAudit) -> Result<(), Failure> {
    let mut list = List::<EventRow>::new(request.listing);
    let mut left = request.limit.unwrap_or(u64::MAX);
    let filter = filter(operator, request).await?;
    let (mut before, mut omitted) = (None, 0_u64);
    while left > 0 && list.is_read() {
        let limit = u32::try_from(left).map_or(PAGE, |left| left.min(PAGE));
        let by = Capability::of_operator();
        let read = operator.read_audit.execute(by, filter.clone(), before, limit);
        match read.await {
            Ok(AuditPage { events, next }) => {
                left -= events.len() as u64;
                before = next;
                list.page(events.into_iter().map(EventRow::from))?;
                if next.is_none() {
                    break;
                }
            }
            Err(ReadAuditError::Unreadable(broken)) => {
                note(unreadable(broken));
                omitted += 1;
                before = Some(broken.0);
            }
            Err(ReadAuditError::Port(error)) => {
                return Err(Failure::because("the audit log cannot be read", error));
            }
        }
    }
    if omitted > 0 {
        return Err(Failure::new(format!(
            "the list lacks events that cannot be read: {omitted}"
        )));
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
