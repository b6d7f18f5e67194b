//! The contract of [`AuditLog`](domain::ports::AuditTrail): numbers, seals, pages and trimming. The storage is sealed by a
//! [`ToySealer`].

use super::support::{PLENTY, answered, change_roles, logged_in, put, race, registered};
use crate::{
    Storage, ToySealer,
    fixtures::{a_role, a_session, a_user, administer, at, context, context_of, role_change},
};
use domain::{
    audit::{
        Actor, AuditAction, AuditContext, AuditEvent, AuditFilter, AuditNumber, AuditRecord, ChainEnd,
        ChainEnds,
    },
    authority::Capability,
    session::EndReason,
    use_cases::VerifyAudit,
    user::UserStatus,
};
use std::sync::Arc;

/// The ends of the chain, all of which holds.
async fn verified(storage: &Storage) -> ChainEnds {
    VerifyAudit::new(storage.audit.clone(), Arc::new(ToySealer))
        .execute(Capability::of_operator(), None, |_| ())
        .await
        .expect("a chain that holds")
}

async fn page(storage: &Storage, filter: AuditFilter, before: Option<i64>, limit: u32) -> Vec<AuditRecord> {
    storage
        .audit
        .page(filter, before.map(AuditNumber), limit)
        .await
        .expect("storage answers")
}

fn numbers(rows: &[AuditRecord]) -> Vec<i64> {
    rows.iter().map(|row| row.number.0).collect()
}

async fn note(storage: &Storage, event: AuditEvent, context: AuditContext) {
    storage.audit.note(event, context).await.expect("storage answers");
}

/// Notes `count` failed logins, one a second from second 1 on.
async fn failures(storage: &Storage, count: i64) {
    for turn in 1..=count {
        note(
            storage,
            AuditEvent::new(AuditAction::LoginFailed),
            context(at(turn)),
        )
        .await;
    }
}

async fn trim(storage: &Storage, before: i64, limit: u32) -> u64 {
    storage
        .audit
        .trim(at(before), limit, context(at(1000)))
        .await
        .expect("storage answers")
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_trail_begins_empty(storage: &Storage) {
    let ends = verified(storage).await;
    assert_eq!((ends.base, ends.head), (ChainEnd::START, ChainEnd::START));
    assert_eq!(page(storage, AuditFilter::default(), None, 10).await, []);
    assert_eq!(trim(storage, 999, 10).await, 0);
    assert_eq!(verified(storage).await, ends);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn an_event_without_a_change_is_kept_whole(storage: &Storage) {
    let (user, session) = (a_user("gone").id, a_session(a_user("gone").id, at(0)).id);
    let events = [
        AuditEvent::new(AuditAction::LoginFailed).with("cause", "it's \"wrong\" \\ — ½ 🦀"),
        AuditEvent::on(AuditAction::ReauthenticationFailed, user).in_session(session),
        AuditEvent::new(AuditAction::FailuresOmitted)
            .with("count", 7)
            .with("", ""),
    ];
    for (event, number) in events.into_iter().zip(1..) {
        note(storage, event.clone(), context_of(user, at(number))).await;
        let context = context_of(user, at(number));
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

/// # Panics
/// When the storage breaks the contract.
pub async fn fifty_concurrent_writers_leave_a_chain_without_gaps(storage: &Storage) {
    let mut users = Vec::new();
    for turn in 0..50 {
        users.push(logged_in(storage, &format!("user{turn}")).await.0);
    }
    let before = verified(storage).await.head.number.0;
    race(users.into_iter().enumerate().map(|(turn, user)| {
        let storage = storage.clone();
        async move {
            let (users, sessions, now) = (&storage.users, &storage.sessions, || context(at(9)));
            match turn % 7 {
                0 => drop(change_roles(&storage, role_change(user.id, &[])).await),
                1 => drop(answered(|| users.delete(administer(user.id), now())).await),
                2 => {
                    let disabled = UserStatus::Disabled;
                    drop(answered(|| users.set_status(administer(user.id), disabled, now())).await);
                }
                3 => drop(put(&storage, a_role(&format!("role-{turn}"), &["a:x"])).await),
                4 => drop(answered(|| sessions.end_all(user.id, EndReason::LoggedOut, now())).await),
                5 => {
                    let session = a_session(user.id, at(9));
                    let open = || sessions.open(session.clone(), user.epoch, PLENTY, now());
                    answered(open).await;
                }
                _ => note(&storage, AuditEvent::new(AuditAction::LoginFailed), now()).await,
            }
        }
    }))
    .await;
    let ends = verified(storage).await;
    assert_eq!(ends.head.number.0, before + 50);
    let rows = page(storage, AuditFilter::default(), None, 1000).await;
    assert_eq!(numbers(&rows), (1..=before + 50).rev().collect::<Vec<_>>());
}

/// # Panics
/// When the storage breaks the contract.
pub async fn what_was_refused_leaves_no_event(storage: &Storage) {
    registered(storage, a_user("alice")).await;
    let ends = verified(storage).await;
    for (login, roles) in [("ALICE", &["user"][..]), ("bob", &["unheard-of"])] {
        let mut new = a_user(login);
        new.roles = crate::fixtures::role_names(roles);
        storage
            .users
            .insert(new, context(at(1)))
            .await
            .expect("storage answers");
    }
    assert_eq!(verified(storage).await, ends);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn pages_are_newest_first_and_stable_while_events_come(storage: &Storage) {
    failures(storage, 5).await;
    let all = AuditFilter::default();
    let first = page(storage, all.clone(), None, 2).await;
    assert_eq!(numbers(&first), [5, 4]);
    failures(storage, 2).await;
    assert_eq!(numbers(&page(storage, all.clone(), Some(4), 2).await), [3, 2]);
    assert_eq!(numbers(&page(storage, all.clone(), Some(2), 2).await), [1]);
    assert!(page(storage, all, Some(1), 2).await.is_empty());
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_filter_of_events_holds_for_those_that_meet_all_of_its_parts(storage: &Storage) {
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
        note(
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

/// # Panics
/// When the storage breaks the contract.
pub async fn rows_are_read_upwards_as_they_stand(storage: &Storage) {
    failures(storage, 5).await;
    for (after, limit, expected) in [(0, 2, &[1, 2][..]), (2, 2, &[3, 4]), (4, 2, &[5]), (5, 2, &[])] {
        let rows = storage
            .audit
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

/// # Panics
/// When the storage breaks the contract.
pub async fn a_trimmed_trail_is_a_chain_from_the_last_event_that_went(storage: &Storage) {
    failures(storage, 6).await;
    let rows = storage
        .audit
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

/// # Panics
/// When the storage breaks the contract.
pub async fn the_last_event_stays(storage: &Storage) {
    failures(storage, 3).await;
    assert_eq!(trim(storage, 999, 10).await, 2);
    let left = page(storage, AuditFilter::default(), None, 10).await;
    assert_eq!(numbers(&left), [4, 3]);
    failures(storage, 1).await;
    assert_eq!(verified(storage).await.base.number, AuditNumber(2));
}

/// # Panics
/// When the storage breaks the contract.
pub async fn an_event_that_is_young_keeps_those_behind_it(storage: &Storage) {
    for second in [1, 50, 2, 3] {
        note(
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
