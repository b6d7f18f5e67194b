//! The contract of [`InvalidationBus`] and its subscriptions, for a bus in health. Messages may be lost, delayed,
//! duplicated and reordered by the port's own words when it is not.

use domain::ports::{BusEvent, BusSubscription, InvalidationBus};
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
    /// One named test for each case of the contract of invalidation buses. `$fresh` is a function that answers a
    /// [`FreshBus`](crate::contract::invalidation_bus::FreshBus).
    invalidation_bus_contract = async_cases for invalidation_bus(FreshBus):
        a_message_reaches_every_open_subscription,
        a_message_arrives_as_it_was_sent,
        a_dropped_wait_loses_nothing,
        messages_that_nobody_listens_to_are_taken,
        a_subscription_that_is_dropped_disturbs_no_other,
}

/// A bus that nobody else uses.
#[derive(Clone)]
pub struct FreshBus {
    /// What one replica holds.
    pub bus: Arc<dyn InvalidationBus>,
    /// What another holds: the same bus over a connection of its own.
    pub other: Arc<dyn InvalidationBus>,
}

/// How long a message may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(10);

async fn publish(bus: &dyn InvalidationBus, message: &[u8]) {
    bus.publish(message.to_vec())
        .await
        .expect("a bus in health takes a message");
}

async fn subscribe(bus: &dyn InvalidationBus) -> Box<dyn BusSubscription> {
    bus.subscribe()
        .await
        .expect("a bus in health lets everybody listen")
}

async fn next(subscription: &mut dyn BusSubscription) -> Vec<u8> {
    let event = timeout(PATIENCE, subscription.next()).await;
    match event.expect("a message that was sent arrives") {
        BusEvent::Message(message) => message,
        BusEvent::Reconnected => panic!("a gap on a bus in health"),
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
        let heard = BTreeSet::from([next(&mut **subscription).await, next(&mut **subscription).await]);
        assert_eq!(
            heard,
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
        let heard = next(&mut *subscription).await;
        assert!(heard == message, "{} of {} bytes", heard.len(), message.len());
    }
}

async fn a_dropped_wait_loses_nothing(fresh: &FreshBus) {
    const MESSAGES: u8 = 50;
    let mut subscription = subscribe(&*fresh.other).await;
    let mut heard = BTreeSet::new();
    for number in 0..MESSAGES {
        publish(&*fresh.bus, &[number]).await;
        // Some waits are dropped before a message is there, others while it is handed over.
        for _ in 0..3 {
            heard.extend(glimpse(&mut *subscription));
            yield_now().await;
        }
    }
    while heard.len() < usize::from(MESSAGES) {
        heard.insert(next(&mut *subscription).await);
    }
}

/// Begins to wait, gives up at once and answers what was there.
fn glimpse(subscription: &mut dyn BusSubscription) -> Option<Vec<u8>> {
    let mut context = Context::from_waker(Waker::noop());
    match subscription.next().as_mut().poll(&mut context) {
        Poll::Ready(BusEvent::Message(message)) => Some(message),
        Poll::Ready(BusEvent::Reconnected) => panic!("a gap on a bus in health"),
        Poll::Pending => None,
    }
}

async fn messages_that_nobody_listens_to_are_taken(fresh: &FreshBus) {
    publish(&*fresh.bus, b"into the void").await;
    drop(subscribe(&*fresh.bus).await);
    publish(&*fresh.bus, b"into the void again").await;
    // Whoever comes later hears what comes later.
    let mut subscription = subscribe(&*fresh.bus).await;
    publish(&*fresh.bus, b"heard").await;
    let deadline = Instant::now() + PATIENCE;
    while next(&mut *subscription).await != b"heard" {
        assert!(Instant::now() < deadline, "the last message did not arrive");
    }
}

async fn a_subscription_that_is_dropped_disturbs_no_other(fresh: &FreshBus) {
    let mut stays = subscribe(&*fresh.bus).await;
    drop(subscribe(&*fresh.bus).await);
    publish(&*fresh.other, b"still here").await;
    assert_eq!(next(&mut *stays).await, b"still here");
}
