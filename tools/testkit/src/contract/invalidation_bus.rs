//! The contract of [`InvalidationBus`] and its subscriptions, for a healthy bus. An unhealthy bus
//! may lose, delay, duplicate and reorder messages.

use session_cache::ports::{BusEvent, BusSubscription, InvalidationBus};
use std::{
    collections::BTreeSet,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    task::yield_now,
    time::{Instant, timeout},
};

contract! {
    /// Defines a named test for each case of the contract of invalidation buses. `$fresh` is a
    /// function that returns a [`FreshBus`](crate::contract::invalidation_bus::FreshBus).
    invalidation_bus_contract = async_cases for invalidation_bus(FreshBus):
        a_message_reaches_every_open_subscription,
        a_message_arrives_as_it_was_sent,
        a_dropped_wait_loses_nothing,
        messages_without_a_subscriber_are_accepted,
        a_dropped_subscription_does_not_affect_others,
}

/// A bus that no other test uses.
#[derive(Clone)]
pub struct FreshBus {
    /// The bus of one replica.
    pub bus: Arc<dyn InvalidationBus>,
    /// The bus of another replica: the same bus over a separate connection.
    pub other: Arc<dyn InvalidationBus>,
}

/// The deadline for a message on a machine that is busy with other tests.
const DELIVERY_DEADLINE: Duration = Duration::from_secs(10);

async fn publish(bus: &dyn InvalidationBus, message: &[u8]) {
    bus.publish(message.to_vec())
        .await
        .expect("a healthy bus accepts a message");
}

async fn subscribe(bus: &dyn InvalidationBus) -> Box<dyn BusSubscription> {
    bus.subscribe()
        .await
        .expect("a healthy bus accepts a subscription")
}

async fn next(subscription: &mut dyn BusSubscription) -> Vec<u8> {
    let event = timeout(DELIVERY_DEADLINE, subscription.next()).await;
    match event.expect("a message that was sent arrives") {
        BusEvent::Message(message) => message,
        BusEvent::Reconnected => panic!("a gap on a healthy bus"),
    }
}

async fn a_message_reaches_every_open_subscription(fresh: &FreshBus) {
    let mut subscriptions = Vec::new();
    for _ in 0..3 {
        subscriptions.push(subscribe(&*fresh.bus).await);
        subscriptions.push(subscribe(&*fresh.other).await);
    }
    publish(&*fresh.bus, b"from one").await;
    publish(&*fresh.other, b"from another").await;
    for subscription in &mut subscriptions {
        let received = BTreeSet::from([next(&mut **subscription).await, next(&mut **subscription).await]);
        assert_eq!(
            received,
            BTreeSet::from([b"from one".to_vec(), b"from another".to_vec()])
        );
    }
}

async fn a_message_arrives_as_it_was_sent(fresh: &FreshBus) {
    let mut subscription = subscribe(&*fresh.other).await;
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    for message in [
        Vec::new(),
        b"*1\r\n$4\r\nPING\r\n".to_vec(),
        vec![0],
        vec![0xff; 3],
        every_byte.repeat(256),
    ] {
        publish(&*fresh.bus, &message).await;
        let received = next(&mut *subscription).await;
        assert!(
            received == message,
            "{} of {} bytes",
            received.len(),
            message.len()
        );
    }
}

async fn a_dropped_wait_loses_nothing(fresh: &FreshBus) {
    const MESSAGES: u8 = 50;
    let mut subscription = subscribe(&*fresh.other).await;
    let mut received = BTreeSet::new();
    for number in 0..MESSAGES {
        publish(&*fresh.bus, &[number]).await;
        // Some waits are dropped before a message arrives, others while it is delivered.
        for _ in 0..3 {
            received.extend(glimpse(&mut *subscription));
            yield_now().await;
        }
    }
    while received.len() < usize::from(MESSAGES) {
        received.insert(next(&mut *subscription).await);
    }
}

/// Polls once and returns the message if there is one.
fn glimpse(subscription: &mut dyn BusSubscription) -> Option<Vec<u8>> {
    let mut context = Context::from_waker(Waker::noop());
    match subscription.next().as_mut().poll(&mut context) {
        Poll::Ready(BusEvent::Message(message)) => Some(message),
        Poll::Ready(BusEvent::Reconnected) => panic!("a gap on a healthy bus"),
        Poll::Pending => None,
    }
}

async fn messages_without_a_subscriber_are_accepted(fresh: &FreshBus) {
    publish(&*fresh.bus, b"into the void").await;
    drop(subscribe(&*fresh.bus).await);
    publish(&*fresh.bus, b"into the void again").await;
    // A later subscription receives later messages.
    let mut subscription = subscribe(&*fresh.bus).await;
    publish(&*fresh.bus, b"later").await;
    let deadline = Instant::now() + DELIVERY_DEADLINE;
    while next(&mut *subscription).await != b"later" {
        assert!(Instant::now() < deadline, "the last message did not arrive");
    }
}

async fn a_dropped_subscription_does_not_affect_others(fresh: &FreshBus) {
    let mut stays = subscribe(&*fresh.bus).await;
    drop(subscribe(&*fresh.bus).await);
    publish(&*fresh.other, b"still here").await;
    assert_eq!(next(&mut *stays).await, b"still here");
}
