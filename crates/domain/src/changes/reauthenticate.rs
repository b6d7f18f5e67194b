use super::{Change, Command, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    token::TokenIdentity,
};
use chrono::{DateTime, Utc};

/// Records that the caller's password was checked in their session. Tokens that the session gets
/// from then on carry the time of this check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reauthenticate {
    /// The caller's token, validated again in the transaction.
    pub authorized_by: TokenIdentity,
}

impl Command for Reauthenticate {
    fn reads(&self) -> Reads {
        Reads {
            caller: Some(self.authorized_by),
            ..Reads::default()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let caller = facts.user_caller(self.authorized_by, at)?;
        let (user, session) = (caller.user().id, caller.session());
        let event = AuditEvent::on(AuditAction::Reauthenticated, user).in_session(session);
        Ok(Change::nothing(at).reauthenticating(session).recording(event))
    }

    /// Returns `None`: session snapshots do not contain the time of the check.
    fn already_done(&self) -> Option<InvalidationScope> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        caller::SessionSnapshot,
        changes::{
            UserChange,
            fixtures::{Effects, effects, event, own_facts, permissions},
        },
        fixtures::{SESSION, caller, now, user_in},
        session::EndReason,
        user::{Epoch, UserStatus},
    };

    fn reauthenticate() -> Reauthenticate {
        Reauthenticate {
            authorized_by: caller().identity(),
        }
    }

    #[test]
    fn the_check_is_stored_with_the_session_and_recorded_and_makes_no_snapshot_stale() {
        let change = reauthenticate()
            .decide(&own_facts(permissions(&[])), now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::Nothing,
            end_sessions: None,
            open_session: None,
            record_replay: None,
            reauthenticated: Some(SESSION),
            event: Some(event(AuditAction::Reauthenticated, Some(SESSION), &[])),
            invalidates: None,
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn only_a_live_session_at_the_same_epoch_is_reauthenticated() {
        let spoilers: [fn(&mut Facts); 4] = [
            |facts| facts.caller = None,
            |facts| caller_in(facts).lifetime.ended = Some(EndReason::LoggedOut),
            |facts| user_in(caller_in(facts)).epoch = Epoch(9),
            |facts| user_in(caller_in(facts)).status = UserStatus::Disabled,
        ];
        for spoil in spoilers {
            let mut facts = own_facts(permissions(&[]));
            spoil(&mut facts);
            let refused = reauthenticate().decide(&facts, now());
            assert_eq!(refused, Err(Denied::Stale.into()), "{facts:?}");
        }
    }

    fn caller_in(facts: &mut Facts) -> &mut SessionSnapshot {
        facts.caller.as_mut().expect("the facts contain the caller")
    }

    #[test]
    fn only_the_caller_is_read() {
        let expected = Reads {
            caller: Some(caller().identity()),
            ..Reads::default()
        };
        assert_eq!(reauthenticate().reads(), expected);
    }
}
