//! The contract of [`AuditEvents`](domain::ports::AuditEvents).

use super::prelude::*;

contract! {
    /// Defines a named test for each case of the contract of
    /// [`AuditEvents`](domain::ports::AuditEvents).
    ///
    /// `$fresh` is an async function that returns a [`CoreStorage`](crate::CoreStorage) or a
    /// [`Storage`](crate::Storage) without events, and a guard that keeps it alive for the test.
    audit_events_contract = storage_cases for audit_events(CoreStorage):
        events_are_stored_completely_in_the_order_of_the_calls,
        events_of_one_call_are_stored_in_their_order,
        every_action_is_stored,
        no_event_of_many_concurrent_ones_is_lost,
}

async fn record(storage: &CoreStorage, event: AuditEvent, context: AuditContext) {
    answered(|| storage.audit_events.record(event.clone(), context.clone())).await;
}

async fn events_are_stored_completely_in_the_order_of_the_calls(storage: &CoreStorage) {
    let (user, session) = (a_user("unknown").id, a_session(a_user("unknown").id, at(0)).id);
    let events = [
        AuditEvent::new(AuditAction::LoginFailed).with("cause", "it's \"wrong\" \\ — ½ 🦀"),
        AuditEvent::on(AuditAction::ReauthenticationFailed, user).in_session(session),
        AuditEvent::new(AuditAction::FailuresOmitted)
            .with("count", 7)
            .with("", ""),
    ];
    let mut expected = Vec::new();
    // Times decrease, because the order of the calls counts.
    for (context, turn) in contexts(user, at(0)).into_iter().zip(1..) {
        for event in &events {
            let at = at(-turn);
            let context = AuditContext {
                at,
                ..context.clone()
            };
            record(storage, event.clone(), context.clone()).await;
            expected.push((event.clone(), context));
        }
    }
    assert_eq!(storage.recorded.recorded().await, expected);
}

async fn events_of_one_call_are_stored_in_their_order(storage: &CoreStorage) {
    let events: Vec<_> = (0..600)
        .map(|turn| AuditEvent::new(AuditAction::FailuresOmitted).with("count", turn))
        .collect();
    let context = context_of(a_user("any").id, at(1));
    for events in [Vec::new(), events.clone()] {
        answered(|| storage.audit_events.record_all(events.clone(), context.clone())).await;
    }
    let recorded = storage.recorded.recorded().await.into_iter();
    let recorded: Vec<_> = recorded.map(|(event, _)| event).collect();
    assert_eq!(recorded, events);
}

async fn every_action_is_stored(storage: &CoreStorage) {
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
