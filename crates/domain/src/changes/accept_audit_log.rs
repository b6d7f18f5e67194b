use crate::audit::{AuditAction, AuditEvent, ChainEnd};

/// Records that the operator accepts the audit log as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptAuditLog {
    /// The position of the newest valid checkpoint, which the log may contradict.
    pub known: Option<ChainEnd>,
}

impl AcceptAuditLog {
    /// Returns the event to append directly after `head`, the end of the log.
    #[must_use]
    pub fn decide(&self, head: ChainEnd) -> AuditEvent {
        let event = AuditEvent::new(AuditAction::AuditLogAccepted).with("head", written(head));
        match self.known {
            Some(known) => event.with("checkpoint", written(known)),
            None => event,
        }
    }
}

fn written(end: ChainEnd) -> String {
    format!("{}:{}", end.number, end.seal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditNumber, Seal};

    #[test]
    fn the_event_names_the_end_of_the_log_and_the_checkpoint() {
        let end = |number| ChainEnd {
            number: AuditNumber(number),
            seal: Seal([7; 32]),
        };
        let seal = "07".repeat(32);
        for known in [None, Some(end(9))] {
            let event = AcceptAuditLog { known }.decide(end(5));
            assert_eq!(event.action, AuditAction::AuditLogAccepted);
            assert_eq!(event.details["head"], format!("5:{seal}"));
            let checkpoint = event.details.get("checkpoint").cloned();
            assert_eq!(checkpoint, known.map(|_| format!("9:{seal}")));
        }
    }
}
