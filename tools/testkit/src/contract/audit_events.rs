//! The contract of [`AuditEvents`](domain::ports::AuditEvents).

use super::support::{answered, race};
use crate::{
    CoreStorage,
    fixtures::{a_session, a_user, at, context, context_of},
};
use domain::audit::{Actor, AuditAction, AuditContext, AuditEvent, Origin};

contract! {
    /// One named test for each case of the contract of [`AuditEvents`](domain::ports::AuditEvents).
    ///
    /// `$fresh` is an async function that returns a [`CoreStorage`](crate::CoreStorage) or a [`Storage`](crate::Storage) without
    /// events, and a guard that keeps it alive for the test.
    audit_events_contract = storage_cases for audit_events(CoreStorage):
        events_are_kept_whole_in_the_order_of_their_calls,
        every_action_is_kept,
        no_event_of_many_concurrent_ones_is_lost,
}

async fn record(storage: &CoreStorage, event: AuditEvent, context: AuditContext) {
    answered(|| storage.audit_events.record(event.clone(), context.clone())).await;
}

async fn events_are_kept_whole_in_the_order_of_their_calls(storage: &CoreStorage) {
    let (user, session) = (a_user("unknown").id, a_session(a_user("unknown").id, at(0)).id);
    let origins = [
        Origin::default(),
        Origin {
            address: Some("2001:db8::7".parse().expect("an address")),
            user_agent: Some("a 'browser' \"2\" \\ 日本語".to_owned()),
            request_id: None,
        },
        Origin {
            address: Some("192.0.2.7".parse().expect("an address")),
            user_agent: Some(String::new()),
            request_id: Some("it's \"one\"; — ½ 🦀".to_owned()),
        },
    ];
    let events = [
        AuditEvent::new(AuditAction::LoginFailed).with("cause", "it's \"wrong\" \\ — ½ 🦀"),
        AuditEvent::on(AuditAction::ReauthenticationFailed, user).in_session(session),
        AuditEvent::new(AuditAction::FailuresOmitted)
            .with("count", 7)
            .with("", ""),
    ];
    let mut expected = Vec::new();
    for origin in origins {
        for actor in [Actor::Anonymous, Actor::User(user), Actor::Operator] {
            for event in &events {
                // The second event is the earliest: the order of calls counts, not that of times.
                let second = if expected.len() == 1 { -5 } else { 5 };
                let context = AuditContext {
                    at: at(second),
                    actor,
                    origin: origin.clone(),
                };
                record(storage, event.clone(), context.clone()).await;
                expected.push((event.clone(), context));
            }
        }
    }
    assert_eq!(storage.recorded.recorded().await, expected);
}

async fn every_action_is_kept(storage: &CoreStorage) {
    for action in AuditAction::ALL {
        record(storage, AuditEvent::new(action), context(at(1))).await;
    }
    let recorded = storage.recorded.recorded().await.into_iter();
    let actions: Vec<_> = recorded.map(|(event, _)| event.action).collect();
    assert_eq!(actions, AuditAction::ALL);
}

async fn no_event_of_many_concurrent_ones_is_lost(storage: &CoreStorage) {
    race((0..50).map(|turn| {
        let storage = storage.clone();
        async move {
            let event = AuditEvent::new(AuditAction::FailuresOmitted).with("count", turn);
            record(&storage, event, context_of(a_user("any").id, at(turn))).await;
        }
    }))
    .await;
    let recorded = storage.recorded.recorded().await.into_iter();
    let mut seconds: Vec<_> = recorded.map(|(_, context)| context.at).collect();
    seconds.sort_unstable();
    assert_eq!(seconds, (0..50).map(at).collect::<Vec<_>>());
}
