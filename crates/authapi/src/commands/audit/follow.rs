use super::{
    super::output::{List, note},
    event_row::EventRow,
    unreadable::unreadable,
};
use crate::{Failure, cli::FollowAudit, error_chain::ErrorChain, operator::Operator, shutdown::StopSignals};
use domain::{
    audit::{AuditNumber, AuditRecord},
    authority::Capability,
    ports::PortError,
    use_cases::{FollowAuditError, FollowedEvents},
};
use std::{process, sync::Arc, time::Duration};
use tokio::{select, sync::Notify, time::sleep};

/// Maximum number of events read at a time.
const PAGE: u32 = 1_000;
/// How long the output may block a command after a signal to stop.
const STOP_BUDGET: Duration = Duration::from_secs(1);

/// Prints new events until SIGINT or SIGTERM, or until standard output is closed.
pub async fn run(operator: &Operator, request: FollowAudit) -> Result<(), Failure> {
    let stop = stop_request()?;
    let after = match request.after {
        Some(number) => AuditNumber(number),
        None => newest(operator).await?,
    };
    let mut list = List::<EventRow>::new(request.listing);
    let print = |events: Vec<AuditRecord>| -> Result<bool, Failure> {
        list.page(events.into_iter().map(EventRow::from))?;
        Ok(list.is_read())
    };
    let read = async |after| {
        let by = Capability::of_operator();
        operator.follow_audit.execute(by, after, PAGE).await
    };
    select! {
        ended = follow(read, print, note, after, Duration::from_secs(request.interval)) => ended,
        () = stop.notified() => Ok(()),
    }
}

/// Returns what is notified at the first SIGINT or SIGTERM. The process then ends in any case, even
/// if the reader of its output is stuck.
fn stop_request() -> Result<Arc<Notify>, Failure> {
    let signals = StopSignals::listen()?;
    let stop = Arc::new(Notify::new());
    let requested = Arc::clone(&stop);
    tokio::spawn(async move {
        signals.wait().await;
        requested.notify_one();
        sleep(STOP_BUDGET).await;
        process::exit(0);
    });
    Ok(stop)
}

/// Returns the number of the newest event.
async fn newest(operator: &Operator) -> Result<AuditNumber, Failure> {
    let newest = operator.follow_audit.newest(Capability::of_operator()).await;
    newest.map_err(|error| Failure::because("the audit log cannot be read", error))
}

/// Prints the events after `after` as they are added, until `print` returns false. While the
/// database is unavailable, tries again after each `period` and says so once, by `note`.
async fn follow(
    read: impl AsyncFn(AuditNumber) -> Result<FollowedEvents, FollowAuditError>,
    mut print: impl FnMut(Vec<AuditRecord>) -> Result<bool, Failure>,
    mut note: impl FnMut(String),
    mut after: AuditNumber,
    period: Duration,
) -> Result<(), Failure> {
    let mut is_away = false;
    loop {
        match read(after).await {
            Ok(FollowedEvents { events, next }) => {
                if std::mem::take(&mut is_away) {
                    note("the audit log can be read again".to_owned());
                }
                let is_full = events.len() >= PAGE as usize;
                if !print(events)? {
                    return Ok(());
                }
                after = next;
                if is_full {
                    continue;
                }
            }
            Err(FollowAuditError::Port(error @ (PortError::Unavailable(_) | PortError::Overloaded))) => {
                if !std::mem::replace(&mut is_away, true) {
                    let cause = ErrorChain(&error);
                    note(format!("the audit log cannot be read now; retrying: {cause}"));
                }
            }
            Err(error) => return Err(stopped(error)),
        }
        sleep(period).await;
    }
}

fn stopped(error: FollowAuditError) -> Failure {
    match error {
        FollowAuditError::EventsRemoved { oldest, .. } => Failure::new(format!(
            "{error}; to continue without them, use --after {}",
            oldest.0.saturating_sub(1)
        )),
        FollowAuditError::LogEndsBefore { newest, .. } => Failure::new(format!(
            "{error}: a backup was restored, or this is another database; to continue, use --after {newest}"
        )),
        FollowAuditError::Unreadable(broken) => Failure::new(format!(
            "{}; to continue after it, use --after {}",
            unreadable(broken),
            broken.0
        )),
        FollowAuditError::Port(error) => Failure::because("the audit log cannot be read", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use domain::audit::{Actor, AuditAction, AuditEvent, BrokenRow, Origin};
    use std::{
        cell::RefCell,
        collections::VecDeque,
        fmt::{self, Display},
    };

    type Answer = Result<FollowedEvents, FollowAuditError>;

    #[derive(Debug)]
    struct Away;

    impl Display for Away {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("connection refused")
        }
    }

    impl std::error::Error for Away {}

    fn away() -> Answer {
        Err(PortError::Unavailable(Box::new(Away)).into())
    }

    /// Returns the events from `first` to `last`, which is the new position.
    #[expect(clippy::unnecessary_wraps, reason = "it is one of several answers")]
    fn events(first: i64, last: i64) -> Answer {
        let next = AuditNumber(last);
        let events = (first..=last).map(|number| AuditRecord {
            number: AuditNumber(number),
            at: DateTime::UNIX_EPOCH,
            actor: Actor::Operator,
            event: AuditEvent::new(AuditAction::LoginFailed),
            origin: Origin::default(),
        });
        Ok(FollowedEvents {
            events: events.collect(),
            next,
        })
    }

    /// What a run of [`follow`] did.
    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        /// The positions after which it read.
        read: Vec<i64>,
        printed: Vec<i64>,
        notes: Vec<String>,
        ended: String,
    }

    /// Follows a log that returns `answers` one after the other, from position 4 on. Standard
    /// output is closed when all are given.
    async fn followed(answers: impl IntoIterator<Item = Answer>) -> Seen {
        let answers = RefCell::new(answers.into_iter().collect::<VecDeque<_>>());
        let (positions, mut printed, mut notes) = (RefCell::default(), Vec::new(), Vec::new());
        let read = async |after: AuditNumber| {
            let positions: &RefCell<Vec<i64>> = &positions;
            positions.borrow_mut().push(after.0);
            let answer = answers.borrow_mut().pop_front();
            answer.expect("the reader stops after the last answer")
        };
        let print = |events: Vec<AuditRecord>| {
            printed.extend(events.iter().map(|event| event.number.0));
            Ok(!answers.borrow().is_empty())
        };
        let period = Duration::from_secs(1);
        let ended = follow(read, print, |text| notes.push(text), AuditNumber(4), period).await;
        Seen {
            read: positions.into_inner(),
            printed,
            notes,
            ended: ended
                .err()
                .map_or_else(String::new, |failure| failure.to_string()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_event_is_printed_once() {
        let seen = followed([events(5, 6), events(7, 6), events(7, 7)]).await;
        let expected = Seen {
            read: vec![4, 6, 6],
            printed: vec![5, 6, 7],
            ..Seen::default()
        };
        assert_eq!(seen, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_reported_once_and_no_event_is_lost() {
        let answers = [events(5, 5), away(), away(), events(6, 7), away(), events(8, 8)];
        let seen = followed(answers).await;
        assert_eq!(
            (seen.read, seen.printed),
            (vec![4, 5, 5, 5, 7, 7], vec![5, 6, 7, 8])
        );
        let lost =
            "the audit log cannot be read now; retrying: a dependency is unavailable: connection refused";
        let found = "the audit log can be read again";
        assert_eq!(seen.notes, [lost, found, lost, found]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_and_a_restored_backup_end_the_command_with_how_to_continue() {
        let (after, number) = (AuditNumber(4), AuditNumber(9));
        let oldest = number;
        let seen = followed([Err(FollowAuditError::EventsRemoved { after, oldest })]).await;
        let says =
            "the events 5 to 8 are no longer in the audit log; to continue without them, use --after 8";
        assert_eq!(seen.ended, says);
        let newest = AuditNumber(2);
        let seen = followed([Err(FollowAuditError::LogEndsBefore { after, newest })]).await;
        assert!(
            seen.ended.ends_with("to continue, use --after 2"),
            "{}",
            seen.ended
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_unreadable_event_ends_the_command_with_how_to_continue_after_it() {
        let broken = BrokenRow(AuditNumber(6));
        let seen = followed([events(5, 5), Err(FollowAuditError::Unreadable(broken))]).await;
        let expected = Seen {
            read: vec![4, 5],
            printed: vec![5],
            notes: Vec::new(),
            ended: "event 6 of the audit log cannot be read: a newer version or another program added or \
                    changed it; to continue after it, use --after 6"
                .to_owned(),
        };
        assert_eq!(seen, expected);
    }
}
