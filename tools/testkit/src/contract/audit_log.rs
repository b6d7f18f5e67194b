//! The contract of [`AuditLog`](domain::ports::AuditLog): numbers, seals, pages and trimming. The
//! storage is sealed by a [`ToySealer`].

use super::support::{
    PLENTY, answered, assert_refused, execute, logged_in, race, registered, role_written, set_status,
};
use crate::{
    CoreStorage, Storage, ToySealer,
    fixtures::{a_role, a_session, a_user, account, at, context, role_change, role_names},
};
use domain::{
    audit::{
        Actor, AuditAction, AuditContext, AuditEvent, AuditFilter, AuditNumber, AuditRecord, ChainEnd,
        ChainEnds, ChainReader,
    },
    changes::{
        Command, DeleteUser, EndSessions, ImportUsers, OpenSession, Refusal, RegisterUser, TrimAuditLog,
    },
    role::RoleName,
    session::EndReason,
    user::{ImportedUser, NewUser, UserStatus},
};
use std::sync::Arc;

contract! {
    /// One named test for each case of the contract of [`AuditLog`](domain::ports::AuditLog).
    ///
    /// `$fresh` is an async function that returns a [`Storage`](crate::Storage) without events,
    /// sealed by a [`ToySealer`](crate::ToySealer), and a guard that keeps it alive for the test.
    audit_log_contract = storage_cases for audit_log(Storage):
        an_audit_log_begins_empty,
        a_recorded_event_is_numbered_and_kept_whole,
        fifty_concurrent_writers_leave_a_chain_without_gaps,
        a_refused_change_leaves_no_event,
        pages_are_newest_first_and_stable_while_events_are_added,
        a_filter_selects_events_that_meet_all_of_its_parts,
        rows_are_read_upwards_as_they_are_stored,
        a_trimmed_log_is_a_chain_from_the_last_event_that_was_removed,
        the_last_event_stays,
        a_young_event_keeps_those_after_it,
        events_that_are_added_while_the_log_is_trimmed_stay_in_the_chain,
}

/// Returns the ends of the chain, and asserts that all of it holds.
async fn verified(storage: &Storage) -> ChainEnds {
    let ends = storage.audit_log.ends().await.expect("storage answers");
    let mut chain = ChainReader::new(ends, &ToySealer);
    loop {
        let rows = storage.audit_log.rows(chain.last().number, 1000).await;
        let rows = rows.expect("storage answers");
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let (row, seal) = row.expect("a row as it was written");
            chain.follow(&row, seal).expect("a chain that holds");
        }
    }
    chain.finish().expect("a chain that holds to its end");
    ends
}

async fn page(storage: &Storage, filter: AuditFilter, before: Option<i64>, limit: u32) -> Vec<AuditRecord> {
    storage
        .audit_log
        .page(filter, before.map(AuditNumber), limit)
        .await
        .expect("storage answers")
}

fn numbers(rows: &[AuditRecord]) -> Vec<i64> {
    rows.iter().map(|row| row.number.0).collect()
}

async fn record(storage: &Storage, event: AuditEvent, context: AuditContext) {
    let recorded = storage.audit_events.record(event, context).await;
    recorded.expect("storage answers");
}

/// Records `count` failed logins, one a second from second 1 on.
async fn failures(storage: &Storage, count: i64) {
    for turn in 1..=count {
        record(
            storage,
            AuditEvent::new(AuditAction::LoginFailed),
            context(at(turn)),
        )
        .await;
    }
}

async fn trim(storage: &Storage, before: i64, limit: u32) -> u64 {
    let command = TrimAuditLog {
        before: at(before),
        limit,
    };
    let trimmed = storage.audit_log.trim(command, context(at(1000))).await;
    trimmed.expect("storage answers")
}

async fn an_audit_log_begins_empty(storage: &Storage) {
    let ends = verified(storage).await;
    assert_eq!((ends.base, ends.head), (ChainEnd::START, ChainEnd::START));
    assert_eq!(page(storage, AuditFilter::default(), None, 10).await, []);
    assert_eq!(trim(storage, 999, 10).await, 0);
    assert_eq!(verified(storage).await, ends);
}

async fn a_recorded_event_is_numbered_and_kept_whole(storage: &Storage) {
    let (user, session) = (a_user("unknown").id, a_session(a_user("unknown").id, at(0)).id);
    for number in 1..=3 {
        let event = AuditEvent::on(AuditAction::ReauthenticationFailed, user)
            .in_session(session)
            .with("cause", "it's \"wrong\" \\ — ½ 🦀");
        let context = context(at(number));
        record(storage, event.clone(), context.clone()).await;
        let expected = AuditRecord {
            number: AuditNumber(number),
            at: context.at,
            actor: context.actor,
            event,
            origin: context.origin,
        };
        assert_eq!(page(storage, AuditFilter::default(), None, 1).await, [expected]);
    }
    assert_eq!(verified(storage).await.head.number, AuditNumber(3));
}

async fn fifty_concurrent_writers_leave_a_chain_without_gaps(storage: &Storage) {
    let mut users = Vec::new();
    for turn in 0..50 {
        users.push(
            logged_in(&CoreStorage::of(storage), &format!("user{turn}"))
                .await
                .0,
        );
    }
    let before = verified(storage).await.head.number.0;
    race(users.into_iter().enumerate().map(|(turn, user)| {
        let storage = storage.clone();
        async move {
            let command: Arc<dyn Command> = match turn % 8 {
                0 => Arc::new(role_change(user.id, &[])),
                1 => Arc::new(DeleteUser(account(user.id))),
                2 => set_status(user.id, UserStatus::Disabled),
                3 => Arc::new(EndSessions {
                    user: user.id,
                    reason: EndReason::LoggedOut,
                }),
                4 => Arc::new(OpenSession {
                    session: a_session(user.id, at(9)),
                    epoch: user.epoch,
                    max_sessions: PLENTY,
                }),
                5 => {
                    role_written(&storage, a_role(&format!("role-{turn}"), &["a:x"])).await;
                    return;
                }
                6 => return import_one(&storage, turn).await,
                _ => {
                    let event = AuditEvent::new(AuditAction::LoginFailed);
                    return record_answered(&storage, event).await;
                }
            };
            let executed = execute(&CoreStorage::of(&storage), command, context(at(9))).await;
            executed.expect("a change that no rule refuses");
        }
    }))
    .await;
    let ends = verified(storage).await;
    assert_eq!(ends.head.number.0, before + 50);
    let rows = page(storage, AuditFilter::default(), None, 1000).await;
    assert_eq!(numbers(&rows), (1..=before + 50).rev().collect::<Vec<_>>());
}

async fn record_answered(storage: &Storage, event: AuditEvent) {
    let record = || storage.audit_events.record(event.clone(), context(at(9)));
    answered(record).await;
}

async fn import_one(storage: &Storage, turn: usize) {
    let new = a_user(&format!("imported{turn}"));
    let users = ImportUsers(vec![ImportedUser {
        id: new.id,
        login: new.login,
        hash: new.hash,
        roles: new.roles,
        status: UserStatus::Active,
        created_at: at(0),
    }]);
    let import = || storage.users.import(users.clone(), context(at(9)));
    answered(import).await;
}

async fn a_refused_change_leaves_no_event(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    registered(core, a_user("alice")).await;
    let ends = verified(storage).await;
    let taken = Arc::new(RegisterUser(a_user("ALICE")));
    assert_refused(core, taken, context(at(1)), &Refusal::LoginTaken).await;
    let unknown = NewUser {
        roles: role_names(&["unknown"]),
        ..a_user("bob")
    };
    let name = RoleName::parse("unknown").expect("a role's name");
    let unknown = Arc::new(RegisterUser(unknown));
    assert_refused(core, unknown, context(at(1)), &Refusal::UnknownRole(name)).await;
    assert_eq!(verified(storage).await, ends);
}

async fn pages_are_newest_first_and_stable_while_events_are_added(storage: &Storage) {
    failures(storage, 5).await;
    let all = AuditFilter::default();
    let first = page(storage, all.clone(), None, 2).await;
    assert_eq!(numbers(&first), [5, 4]);
    failures(storage, 2).await;
    assert_eq!(numbers(&page(storage, all.clone(), Some(4), 2).await), [3, 2]);
    assert_eq!(numbers(&page(storage, all.clone(), Some(2), 2).await), [1]);
    assert!(page(storage, all, Some(1), 2).await.is_empty());
}

async fn a_filter_selects_events_that_meet_all_of_its_parts(storage: &Storage) {
    let [alice, bob] = ["alice", "bob"].map(|login| a_user(login).id);
    for (action, user, actor, second) in [
        (AuditAction::LoggedIn, Some(alice), Actor::User(alice), 1),
        (AuditAction::UserDisabled, Some(alice), Actor::User(bob), 2),
        (AuditAction::LoginFailed, None, Actor::Anonymous, 3),
        (AuditAction::UserDisabled, Some(bob), Actor::Operator, 4),
        (AuditAction::UserDisabled, Some(bob), Actor::User(alice), 5),
    ] {
        let event = AuditEvent {
            user,
            ..AuditEvent::new(action)
        };
        record(
            storage,
            event,
            AuditContext {
                actor,
                ..context(at(second))
            },
        )
        .await;
    }
    let all = AuditFilter::default;
    for (filter, expected) in [
        (
            AuditFilter {
                user: Some(bob),
                ..all()
            },
            &[5, 4][..],
        ),
        (
            AuditFilter {
                actor: Some(alice),
                ..all()
            },
            &[5, 1],
        ),
        (
            AuditFilter {
                action: Some(AuditAction::UserDisabled),
                ..all()
            },
            &[5, 4, 2],
        ),
        (
            AuditFilter {
                from: Some(at(4)),
                ..all()
            },
            &[5, 4],
        ),
        (
            AuditFilter {
                until: Some(at(4)),
                ..all()
            },
            &[3, 2, 1],
        ),
        (
            AuditFilter {
                from: Some(at(2)),
                until: Some(at(3)),
                ..all()
            },
            &[2],
        ),
        (
            AuditFilter {
                user: Some(bob),
                actor: Some(alice),
                ..all()
            },
            &[5],
        ),
        (
            AuditFilter {
                user: Some(alice),
                action: Some(AuditAction::LoginFailed),
                ..all()
            },
            &[],
        ),
    ] {
        let whole = page(storage, filter.clone(), None, 10).await;
        assert_eq!(numbers(&whole), expected, "{filter:?}");
        let first = page(storage, filter.clone(), None, 1).await;
        assert_eq!(numbers(&first), expected.get(..1).unwrap_or_default());
        if let Some(first) = first.first() {
            let rest = page(storage, filter, Some(first.number.0), 10).await;
            assert_eq!(Some(numbers(&rest).as_slice()), expected.get(1..));
        }
    }
}

async fn rows_are_read_upwards_as_they_are_stored(storage: &Storage) {
    failures(storage, 5).await;
    for (after, limit, expected) in [(0, 2, &[1, 2][..]), (2, 2, &[3, 4]), (4, 2, &[5]), (5, 2, &[])] {
        let rows = storage
            .audit_log
            .rows(AuditNumber(after), limit)
            .await
            .expect("storage answers");
        let numbers: Vec<_> = rows
            .into_iter()
            .map(|row| row.expect("a row as it was written").0.number.0)
            .collect();
        assert_eq!(numbers, expected);
    }
}

async fn a_trimmed_log_is_a_chain_from_the_last_event_that_was_removed(storage: &Storage) {
    failures(storage, 6).await;
    let rows = storage
        .audit_log
        .rows(AuditNumber(0), 10)
        .await
        .expect("storage answers");
    let row_4 = rows.into_iter().nth(3).expect("six rows");
    let (_, seal_of_4) = row_4.expect("a row as it was written");
    for (limit, removed) in [(3, 3), (3, 1), (3, 0)] {
        assert_eq!(trim(storage, 5, limit).await, removed);
    }
    let ends = verified(storage).await;
    assert_eq!((ends.base.number, ends.base.seal), (AuditNumber(4), seal_of_4));
    let left = page(storage, AuditFilter::default(), None, 10).await;
    assert_eq!(numbers(&left), [8, 7, 6, 5]);
    let trimmed = |count: u32, through: u32| {
        AuditEvent::new(AuditAction::AuditLogTrimmed)
            .with("count", count)
            .with("through", through)
    };
    let events: Vec<_> = left.into_iter().take(2).map(|row| row.event).collect();
    assert_eq!(events, [trimmed(1, 4), trimmed(3, 3)]);
}

async fn the_last_event_stays(storage: &Storage) {
    failures(storage, 3).await;
    assert_eq!(trim(storage, 999, 10).await, 2);
    let left = page(storage, AuditFilter::default(), None, 10).await;
    assert_eq!(numbers(&left), [4, 3]);
    failures(storage, 1).await;
    assert_eq!(verified(storage).await.base.number, AuditNumber(2));
}

async fn a_young_event_keeps_those_after_it(storage: &Storage) {
    for second in [1, 50, 2, 3] {
        record(
            storage,
            AuditEvent::new(AuditAction::LoginFailed),
            context(at(second)),
        )
        .await;
    }
    assert_eq!(trim(storage, 10, 10).await, 1);
    assert_eq!(trim(storage, 10, 10).await, 0);
    assert_eq!(verified(storage).await.base.number, AuditNumber(1));
}

async fn events_that_are_added_while_the_log_is_trimmed_stay_in_the_chain(storage: &Storage) {
    failures(storage, 20).await;
    race((0..20).map(|turn| {
        let storage = storage.clone();
        async move {
            if turn % 4 == 0 {
                let command = TrimAuditLog {
                    before: at(999),
                    limit: 4,
                };
                let trim = || storage.audit_log.trim(command, context(at(1000)));
                assert_eq!(answered(trim).await, 4);
            } else {
                record_answered(&storage, AuditEvent::new(AuditAction::LoginFailed)).await;
            }
        }
    }))
    .await;
    let ends = verified(storage).await;
    assert_eq!(
        (ends.base.number, ends.head.number),
        (AuditNumber(20), AuditNumber(40))
    );
    let left = page(storage, AuditFilter::default(), None, 1000).await;
    assert_eq!(numbers(&left), (21..=40).rev().collect::<Vec<_>>());
}
