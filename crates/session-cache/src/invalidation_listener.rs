use crate::{Leasing, metrics};
use crate::{
    ports::{BusEvent, BusSubscription},
    protocol::{AnnouncementId, Garbled, Message, ReplicaId},
};
use std::sync::Arc;

/// Listens to the bus: forgets what others revoked, acknowledges it, and passes on what is acknowledged to this process.
pub struct Listener(Arc<Leasing>);

impl Listener {
    #[must_use]
    pub fn new(leasing: Arc<Leasing>) -> Self {
        Self(leasing)
    }

    /// Listens for ever; drop it at any time.
    pub async fn run(&self) {
        let mut told = false;
        loop {
            match self.0.bus.subscribe().await {
                Ok(mut subscription) => {
                    self.0.listening.send_replace(true);
                    self.listen(&mut *subscription).await;
                }
                Err(error) => {
                    if !told {
                        tracing::warn!(error = &error as &dyn std::error::Error, "the bus is not heard");
                        told = true;
                    }
                    self.0.sleep(self.0.terms.renew_every).await;
                }
            }
        }
    }

    async fn listen(&self, subscription: &mut dyn BusSubscription) {
        loop {
            match subscription.next().await {
                BusEvent::Message(bytes) => self.hear(&bytes).await,
                // No answer rests on this, but a revoker may have died after its message and before its answer.
                BusEvent::Reconnected => self.0.forget(),
            }
        }
    }

    async fn hear(&self, bytes: &[u8]) {
        match Message::decode(bytes) {
            // What this process revokes it has invalidated before it said so.
            Ok(Message::Revoked { announcement, .. }) if announcement.by == self.0.id => {}
            Ok(Message::Revoked {
                announcement,
                subjects,
            }) => {
                self.0.invalidate(&subjects);
                metrics::heard();
                let by = self.0.id;
                self.0.say(&Message::Acknowledged { announcement, by }).await;
            }
            Ok(Message::Acknowledged { announcement, by }) => self.pass_on(announcement, by),
            Ok(Message::Probe { by, number }) if by == self.0.id => {
                self.0.probe_heard.send_replace(number);
            }
            Ok(Message::Probe { .. }) | Err(Garbled::Malformed) => {}
            Err(Garbled::Unknown) => self.0.forget(),
        }
    }

    fn pass_on(&self, announcement: AnnouncementId, by: ReplicaId) {
        let waiting = self
            .0
            .acknowledgements
            .lock()
            .expect("nothing panics with the lock");
        if let Some(waiting) = waiting.get(&announcement.number)
            && announcement.by == self.0.id
        {
            // One that does not fit is as good as lost.
            let _ = waiting.try_send(by);
        }
    }
}
