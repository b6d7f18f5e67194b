//! The contract of [`AuditLog`](domain::ports::AuditLog): numbers, seals, pages and trimming. The
//! storage is sealed by a [`ToySealer`].

use super::prelude::*;
use crate::ToySealer;
use domain::{
    audit::{
        AuditFilter, AuditNumber, AuditRecord, Backlog, ChainEnd, ChainEnds, MacRule, SealedRow,
        SpanVerifier, read_event,
    },
    changes::{AcceptAuditLog, TrimAuditLog},
};

contract! {
    /// Defines a named test for each case of the contract of [`AuditLog`](domain::ports::AuditLog).
    ///
    /// `$fresh` is an async function that returns a [`Storage`](crate::Storage) without events,
    /// sealed by a [`ToySealer`](crate::ToySealer), and a guard that keeps it alive for the test.
    audit_log_contract = storage_cases for audit_log(Storage):
        a_new_audit_log_is_empty,
        a_recorded_event_is_numbered_and_stored_completely,
        a_refused_change_takes_no_number,
        fifty_concurrent_writers_leave_a_chain_without_gaps,
        pages_are_newest_first_and_stable_while_events_are_added,
        a_filter_selects_events_that_meet_all_of_its_parts,
        rows_are_read_in_the_order_of_their_numbers,
        a_trimmed_log_starts_at_the_last_event_that_was_removed,
        trimming_keeps_the_last_event,
        trimming_stops_at_the_first_event_that_is_too_young,
        events_that_are_added_while_the_log_is_trimmed_stay_in_the_chain,
        sealing_seals_every_event_that_was_committed,
        the_sealed_part_of_the_log_is_read_without_sealing,
        an_acceptance_directly_follows_the_end_that_it_names,
}

async fn rows(storage: &Storage, after: i64, limit: u32) -> Vec<SealedRow> {
    storage.audit_log.seal().await;
    let rows = storage.audit_log.rows(AuditNumber(after), limit).await;
    let rows = rows.expect("storage is available").into_iter();
    rows.map(|row| row.expect("the row is readable")).collect()
}

/// Returns the ends of the chain, and asserts that every seal and every MAC is right.
async fn verified(storage: &Storage) -> ChainEnds {
    storage.audit_log.seal().await;
    let ends = storage.audit_log.ends().await.expect("storage is available");
    let mut chain = SpanVerifier::new(ends, &ToySealer, MacRule::RequiredAfter(ChainEnd::START.number));
    for row in rows(storage, chain.last().number.0, 1000).await {
        chain.follow(&row).expect("the row continues the chain");
    }
    chain.finish().expect("the chain is complete");
    ends
}

async fn page(storage: &Storage, filter: &AuditFilter, before: Option<i64>, limit: u32) -> Vec<AuditRecord> {
    let before = before.map(AuditNumber);
    storage.audit_log.seal().await;
    let page = storage.audit_log.page(filter.clone(), before, limit).await;
    let page = page.expect("storage is available").into_iter();
    page.map(|row| read_event(row).expect("the event can be read"))
        .collect()
}

/// Returns all events, newest first.
async fn all(storage: &Storage) -> Vec<AuditRecord> {
    page(storage, &AuditFilter::default(), None, 1000).await
}

fn numbers(rows: &[AuditRecord]) -> Vec<i64> {
    rows.iter().map(|row| row.number.0).collect()
}

async fn record(storage: &Storage, event: AuditEvent, context: AuditContext) {
    answered(|| storage.audit_events.record(event.clone(), context.clone())).await;
}

/// Records a failed login at each of `seconds`.
async fn failures(storage: &Storage, seconds: impl IntoIterator<Item = i64>) {
    for second in seconds {
        let event = AuditEvent::new(AuditAction::LoginFailed);
        record(storage, event, context(at(second))).await;
    }
}

async fn trim(storage: &Storage, before: i64, limit: u32) -> u64 {
    storage.audit_log.seal().await;
    let before = at(before);
    let trim = || {
        let command = TrimAuditLog { before, limit };
        storage.audit_log.trim(command, context(at(1000)))
    };
    answered(trim).await
}

async fn a_new_audit_log_is_empty(storage: &Storage) {
    let ends = verified(storage).await;
    assert_eq!((ends.base, ends.head), (ChainEnd::START, ChainEnd::START));
    assert_eq!(all(storage).await, []);
    assert_eq!(trim(storage, 999, 10).await, 0);
    assert_eq!(verified(storage).await, ends);
}

async fn a_recorded_event_is_numbered_and_stored_completely(storage: &Storage) {
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
        assert_eq!(page(storage, &AuditFilter::default(), None, 1).await, [expected]);
    }
    assert_eq!(verified(storage).await.head.number, AuditNumber(3));
}

async fn a_refused_change_takes_no_number(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    registered(core, a_user("alice")).await;
    let taken = Arc::new(RegisterUser(a_user("ALICE")));
    assert_refused(core, taken, context(at(1)), &Refusal::LoginTaken).await;
    let unknown = Refusal::UnknownRole(role_name("unknown"));
    let register = Arc::new(RegisterUser(with_roles("bob", &["unknown"])));
    assert_refused(core, register, context(at(1)), &unknown).await;
    registered(core, a_user("bob")).await;
    assert_eq!(verified(storage).await.head.number, AuditNumber(2));
}

async fn fifty_concurrent_writers_leave_a_chain_without_gaps(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let mut users = Vec::new();
    for turn in 0..50 {
        users.push(logged_in(core, &format!("user{turn}")).await.0);
    }
    let before = verified(storage).await.head.number.0;
    race(users.into_iter().enumerate().map(|(turn, user)| {
        let (storage, core) = (storage.clone(), core.clone());
        async move {
            let command = match turn % 8 {
                5 => return drop(role_written(&storage, a_role(&format!("role-{turn}"), &["a:x"])).await),
                6 => return import_one(&storage, turn).await,
                7 => return failures(&storage, [9]).await,
                kind => commands(account(user.id)).into_iter().nth(kind),
            };
            let command = command.expect("there are five commands");
            let executed = execute(&core, command, context(at(9))).await;
            executed.expect("the rules allow the change");
        }
    }))
    .await;
    assert_eq!(verified(storage).await.head.number.0, before + 50);
    let numbers = numbers(&all(storage).await);
    assert_eq!(numbers, (1..=before + 50).rev().collect::<Vec<_>>());
}

async fn import_one(storage: &Storage, turn: usize) {
    let users = ImportUsers(vec![imported(&format!("imported{turn}"), &["user"])]);
    answered(|| storage.users.import(users.clone(), context(at(9)))).await;
}

async fn pages_are_newest_first_and_stable_while_events_are_added(storage: &Storage) {
    let numbers = async |before, limit| {
        let page = page(storage, &AuditFilter::default(), before, limit).await;
        numbers(&page)
    };
    failures(storage, 1..=5).await;
    assert_eq!(numbers(None, 2).await, [5, 4]);
    failures(storage, 1..=2).await;
    assert_eq!(numbers(Some(4), 2).await, [3, 2]);
    assert_eq!(numbers(Some(2), 2).await, [1]);
    assert!(numbers(Some(1), 2).await.is_empty());
}

async fn a_filter_selects_events_that_meet_all_of_its_parts(storage: &Storage) {
    use AuditAction::{LoggedIn, LoginFailed, UserDisabled};
    let [alice, bob] = ["alice", "bob"].map(|login| a_user(login).id);
    for (action, user, actor, second) in [
        (LoggedIn, Some(alice), Actor::User(alice), 1),
        (UserDisabled, Some(alice), Actor::User(bob), 2),
        (LoginFailed, None, Actor::Anonymous, 3),
        (UserDisabled, Some(bob), Actor::Operator, 4),
        (UserDisabled, Some(bob), Actor::User(alice), 5),
    ] {
        let event = AuditEvent {
            user,
            ..AuditEvent::new(action)
        };
        let context = AuditContext {
            actor,
            ..context(at(second))
        };
        record(storage, event, context).await;
    }
    for (user, actor, action, from, until, expected) in [
        (Some(bob), None, None, None, None, &[5, 4][..]),
        (None, Some(alice), None, None, None, &[5, 1]),
        (None, None, Some(UserDisabled), None, None, &[5, 4, 2]),
        (None, None, None, Some(4), None, &[5, 4]),
        (None, None, None, None, Some(4), &[3, 2, 1]),
        (None, None, None, Some(2), Some(3), &[2]),
        (Some(bob), Some(alice), None, None, None, &[5]),
        (Some(alice), None, Some(LoginFailed), None, None, &[]),
    ] {
        let (from, until) = (from.map(at), until.map(at));
        let filter = AuditFilter {
            user,
            actor,
            action,
            from,
            until,
        };
        let whole = page(storage, &filter, None, 10).await;
        assert_eq!(numbers(&whole), expected, "{filter:?}");
        let mut pages = Vec::new();
        for _ in expected {
            let before = pages.last().copied();
            pages.extend(numbers(&page(storage, &filter, before, 1).await));
        }
        assert_eq!(pages, expected, "{filter:?}");
    }
}

async fn rows_are_read_in_the_order_of_their_numbers(storage: &Storage) {
    failures(storage, 1..=5).await;
    for (after, limit, expected) in [(0, 2, &[1, 2][..]), (2, 2, &[3, 4]), (4, 2, &[5]), (5, 2, &[])] {
        let rows = rows(storage, after, limit).await.into_iter();
        let numbers: Vec<_> = rows.map(|sealed| sealed.row.number.0).collect();
        assert_eq!(numbers, expected);
    }
}

async fn a_trimmed_log_starts_at_the_last_event_that_was_removed(storage: &Storage) {
    failures(storage, 1..=6).await;
    let row_4 = rows(storage, 3, 1).await.pop();
    let end_of_4 = row_4.expect("the log contains six rows").end();
    for (limit, removed) in [(3, 3), (3, 1), (3, 0)] {
        assert_eq!(trim(storage, 5, limit).await, removed);
    }
    let ends = verified(storage).await;
    assert_eq!(end_of_4.number, AuditNumber(4));
    assert_eq!(ends.base, end_of_4);
    let left = all(storage).await;
    assert_eq!(numbers(&left), [8, 7, 6, 5]);
    let trimmed = |count: u32, through: u32| {
        AuditEvent::new(AuditAction::AuditLogTrimmed)
            .with("count", count)
            .with("through", through)
    };
    let events: Vec<_> = left.into_iter().take(2).map(|row| row.event).collect();
    assert_eq!(events, [trimmed(1, 4), trimmed(3, 3)]);
}

async fn trimming_keeps_the_last_event(storage: &Storage) {
    failures(storage, 1..=3).await;
    assert_eq!(trim(storage, 999, 10).await, 2);
    assert_eq!(numbers(&all(storage).await), [4, 3]);
    failures(storage, [1]).await;
    assert_eq!(verified(storage).await.base.number, AuditNumber(2));
}

async fn trimming_stops_at_the_first_event_that_is_too_young(storage: &Storage) {
    failures(storage, [1, 50, 2, 3]).await;
    assert_eq!(trim(storage, 10, 10).await, 1);
    assert_eq!(trim(storage, 10, 10).await, 0);
    assert_eq!(verified(storage).await.base.number, AuditNumber(1));
}

async fn accept(storage: &Storage) -> ChainEnd {
    let command = AcceptAuditLog { known: None };
    answered(|| storage.audit_log.accept(command, context(at(50)))).await
}

async fn an_acceptance_directly_follows_the_end_that_it_names(storage: &Storage) {
    assert_eq!(accept(storage).await.number, AuditNumber(1));
    race((0..20).map(|turn| {
        let storage = storage.clone();
        async move {
            if turn % 4 == 0 {
                accept(&storage).await;
            } else {
                failures(&storage, [9]).await;
                storage.audit_log.seal().await;
            }
        }
    }))
    .await;
    let last = accept(storage).await;
    let head = storage.audit_log.ends().await.expect("storage is available").head;
    assert_eq!(last, head, "the new end is returned");
    verified(storage).await;
    let mut previous = ChainEnd::START;
    let mut accepted = 0;
    for row in rows(storage, 0, 100).await {
        let end = row.end();
        let record = AuditRecord::try_from(row.row).expect("the row is readable");
        if record.event.action == AuditAction::AuditLogAccepted {
            let named = format!("{}:{}", previous.number, previous.seal);
            assert_eq!(record.event.details.get("head"), Some(&named));
            accepted += 1;
        }
        previous = end;
    }
    assert_eq!(accepted, 7);
}

async fn sealing_seals_every_event_that_was_committed(storage: &Storage) {
    let backlog = async || storage.audit_log.backlog().await.expect("storage is available");
    assert_eq!(backlog().await, Backlog::default());
    failures(storage, 1..=3).await;

    storage.audit_log.seal().await;

    assert_eq!(backlog().await, Backlog::default());
    let ends = storage.audit_log.ends().await.expect("storage is available");
    assert_eq!(ends.head.number, AuditNumber(3));
    storage.audit_log.seal().await;
    assert_eq!(
        storage.audit_log.ends().await.expect("storage is available"),
        ends
    );
}

async fn the_sealed_part_of_the_log_is_read_without_sealing(storage: &Storage) {
    failures(storage, 1..=3).await;
    let head = verified(storage).await.head;
    failures(storage, 4..=5).await;
    let ends = storage.audit_log.ends().await.expect("storage is available");
    assert!(ends.head.number >= head.number, "{ends:?}");

    let page = storage.audit_log.page(AuditFilter::default(), None, 10).await;
    let rows = storage.audit_log.rows(AuditNumber(0), 10).await;
    let command = TrimAuditLog {
        before: at(999),
        limit: 2,
    };
    let trimmed = storage.audit_log.trim(command, context(at(1000))).await;

    assert!(page.expect("storage is available").len() >= 3);
    assert!(rows.expect("storage is available").len() >= 3);
    assert_eq!(trimmed.expect("storage is available"), 2);
    assert_eq!(verified(storage).await.head.number, AuditNumber(6));
}

async fn events_that_are_added_while_the_log_is_trimmed_stay_in_the_chain(storage: &Storage) {
    failures(storage, 1..=20).await;
    race((0..20).map(|turn| {
        let storage = storage.clone();
        async move {
            if turn % 4 == 0 {
                assert_eq!(trim(&storage, 999, 4).await, 4);
            } else {
                failures(&storage, [9]).await;
            }
        }
    }))
    .await;
    let ends = verified(storage).await;
    assert_eq!(
        (ends.base.number, ends.head.number),
        (AuditNumber(20), AuditNumber(40))
    );
    assert_eq!(numbers(&all(storage).await), (21..=40).rev().collect::<Vec<_>>());
}
