//! Every kind of tampering, applied to a log in memory.

use super::*;
use crate::audit::{
    Actor, AuditContext, AuditEvent, AuditKeyId, AuditMac, EvidenceTrimmed, InvalidCheckpoint, Origin,
    SignedCheckpoint, StoredCheckpoint, Witness, Witnesses,
    fixtures::{ToyNotes, ToySeals},
};
use crate::fixtures::now;

/// The service's keys, and those of an attacker.
const OURS: u8 = 1;
const THEIRS: u8 = 2;

/// A log, its stored checkpoints, and what was kept elsewhere.
#[derive(Clone)]
struct Log {
    ends: ChainEnds,
    rows: Vec<SealedRow>,
    witnesses: Witnesses,
}

impl Log {
    /// Returns a log of 12 events without a checkpoint, whose first 2 have no MAC.
    fn new() -> Self {
        let mut log = Self {
            ends: ChainEnds {
                base: ChainEnd::START,
                head: ChainEnd::START,
            },
            rows: Vec::new(),
            witnesses: Witnesses::default(),
        };
        for count in 1..=12 {
            log.append(
                &AuditEvent::new(AuditAction::FailuresOmitted).with("count", count),
                OURS,
            );
        }
        log.rows[0].mac = None;
        log.rows[1].mac = None;
        log
    }

    /// Returns [`Log::new`] with checkpoints of the events 3, 6 and 9, the last also in the key
    /// folder.
    fn with_checkpoints() -> Self {
        let mut log = Self::new();
        for number in [3, 6, 9] {
            log.store(number, OURS);
        }
        log.witnesses.kept = Some(log.note(9, OURS));
        log
    }

    fn append(&mut self, event: &AuditEvent, key: u8) {
        let context = AuditContext::new(now(), Actor::Operator, Origin::default());
        let row = AuditRow::new(self.ends.head.next(), event, &context);
        let sealed = SealedRow::after(self.ends.head, row, &ToySeals(key));
        self.ends.head = sealed.end();
        self.rows.push(sealed);
    }

    /// Appends `event`, which another program stored while it was pending, as a sealer does.
    fn forge(&mut self, event: &AuditEvent) {
        let number = self.ends.head.number.0 + 2;
        let report = AuditEvent::new(AuditAction::PendingEventForged).with("number", number);
        self.append(&report, OURS);
        self.append(event, OURS);
    }

    /// Records that the operator accepts the log up to `number`.
    fn accept(&mut self, number: i64) {
        let head = format!("{number}:{}", Seal::NONE);
        let event = AuditEvent::new(AuditAction::AuditLogAccepted).with("head", head);
        self.append(&event, OURS);
    }

    fn end(&self, number: i64) -> ChainEnd {
        let row = self.rows.iter().find(|row| row.row.number.0 == number);
        row.expect("the log has the event").end()
    }

    fn note(&self, number: i64, key: u8) -> String {
        SignedCheckpoint::sign(self.end(number), &ToyNotes(key))
            .note()
            .to_owned()
    }

    fn store(&mut self, number: i64, key: u8) {
        self.witnesses.stored.push(StoredCheckpoint {
            number: AuditNumber(number),
            at: now(),
            note: self.note(number, key),
        });
    }

    /// Removes the events up to `last`, as retention does.
    fn trim(&mut self, last: i64) {
        self.ends.base = self.end(last);
        self.rows.retain(|row| row.row.number.0 > last);
        let event = AuditEvent::new(AuditAction::AuditLogTrimmed).with("through", last);
        self.append(&event, OURS);
    }

    /// Seals everything from event `first` on again, with MACs under `key`, or without if `None`.
    fn reseal(&mut self, first: i64, key: Option<u8>) {
        let mut last = if first == self.ends.base.number.0 + 1 {
            self.ends.base
        } else {
            self.end(first - 1)
        };
        for row in self.rows.iter_mut().filter(|row| row.row.number.0 >= first) {
            *row = SealedRow::after(last, row.row.clone(), &ToySeals(key.unwrap_or(THEIRS)));
            if key.is_none() {
                row.mac = None;
            }
            last = row.end();
        }
        self.ends.head = last;
    }

    fn edit(&mut self, number: i64) -> &mut AuditRow {
        let row = self.rows.iter_mut().find(|row| row.row.number.0 == number);
        &mut row.expect("the log has the event").row
    }

    fn remove(&mut self, number: i64) {
        self.rows.retain(|row| row.row.number.0 != number);
    }

    /// Removes the events after `last` and moves the head.
    fn cut(&mut self, last: i64) {
        self.ends.head = self.end(last);
        self.rows.retain(|row| row.row.number.0 <= last);
    }

    fn mac(&mut self, number: i64) -> &mut Option<AuditMac> {
        let row = self.rows.iter_mut().find(|row| row.row.number.0 == number);
        &mut row.expect("the log has the event").mac
    }
}

/// Verifies `log` as `audit verify` does, with or without the audit key.
fn verify_as(log: &Log, has_key: bool) -> Result<ChainEnd, Broken> {
    let evidence = Evidence::read(&log.witnesses, &ToyNotes(OURS))?;
    let macs = if has_key {
        MacRule::RequiredAfter(evidence.covered())
    } else {
        MacRule::Unchecked
    };
    let mut verifier = LogVerifier::new(log.ends, &evidence, &ToySeals(OURS), macs)?;
    for row in &log.rows {
        verifier.follow(row)?;
    }
    verifier.finish()
}

fn verify(log: &Log) -> Result<ChainEnd, Broken> {
    verify_as(log, true)
}

type Tamper = fn(&mut Log);
/// What is done to a log that has checkpoints, and what verification finds.
type Case = (&'static str, Tamper, Broken);

fn n(number: i64) -> AuditNumber {
    AuditNumber(number)
}

/// Rows that were removed, edited or swapped.
fn rows() -> [Case; 14] {
    [
        (
            "the first event is deleted",
            |log| log.remove(1),
            Broken::Missing(n(1)),
        ),
        ("an event is deleted", |log| log.remove(7), Broken::Missing(n(7))),
        (
            "the last event is deleted",
            |log| log.remove(12),
            Broken::Missing(n(12)),
        ),
        (
            "all events are deleted",
            |log| log.rows.clear(),
            Broken::Missing(n(1)),
        ),
        (
            "an action is edited",
            |log| log.edit(5).action = "logged_in".to_owned(),
            Broken::Changed(n(5)),
        ),
        (
            "a time is edited",
            |log| log.edit(5).at += chrono::Duration::hours(1),
            Broken::Changed(n(5)),
        ),
        (
            "an actor is edited",
            |log| log.edit(5).actor_kind = "anonymous".to_owned(),
            Broken::Changed(n(5)),
        ),
        (
            "a user is added",
            |log| log.edit(5).user_id = Some(uuid::Uuid::nil()),
            Broken::Changed(n(5)),
        ),
        (
            "an address is edited",
            |log| log.edit(5).address = Some("192.0.2.1".to_owned()),
            Broken::Changed(n(5)),
        ),
        (
            "a user agent is edited",
            |log| log.edit(5).user_agent = Some(String::new()),
            Broken::Changed(n(5)),
        ),
        (
            "a request id is edited",
            |log| log.edit(5).request_id = Some("r".to_owned()),
            Broken::Changed(n(5)),
        ),
        (
            "details are edited",
            |log| log.edit(12).details.push(' '),
            Broken::Changed(n(12)),
        ),
        (
            "a seal is edited",
            |log| log.rows[4].seal.0[0] ^= 1,
            Broken::Changed(n(5)),
        ),
        (
            "the contents of two events are swapped",
            |log| {
                let (three, seven) = (log.rows[2].row.clone(), log.rows[6].row.clone());
                *log.edit(3) = AuditRow {
                    number: AuditNumber(3),
                    ..seven
                };
                *log.edit(7) = AuditRow {
                    number: AuditNumber(7),
                    ..three
                };
            },
            Broken::Changed(n(3)),
        ),
    ]
}

/// Rows that were added, and a head that was moved.
fn head() -> [Case; 5] {
    [
        (
            "an event is repeated",
            |log| {
                let copy = AuditRow {
                    number: AuditNumber(13),
                    ..log.rows[11].row.clone()
                };
                log.rows.push(SealedRow {
                    row: copy,
                    ..log.rows[11].clone()
                });
            },
            Broken::Added(n(13)),
        ),
        (
            "an event is appended without moving the head",
            |log| {
                let head = log.ends.head;
                log.append(&AuditEvent::new(AuditAction::LoggedIn), THEIRS);
                log.ends.head = head;
            },
            Broken::Added(n(13)),
        ),
        (
            "the seal of the head is edited",
            |log| log.ends.head.seal = Seal([7; 32]),
            Broken::HeadChanged(n(12)),
        ),
        (
            "the head is moved back",
            |log| log.ends.head = log.end(11),
            Broken::Added(n(12)),
        ),
        (
            "the head is moved on",
            |log| log.ends.head.number = n(13),
            Broken::Missing(n(13)),
        ),
    ]
}

/// Rows that were written or sealed again without the key.
fn macs() -> [Case; 8] {
    [
        (
            "an event is appended and sealed without the key",
            |log| {
                log.append(&AuditEvent::new(AuditAction::LoggedIn), THEIRS);
                *log.mac(13) = None;
            },
            Broken::NoMac(n(13)),
        ),
        (
            "an event is appended and sealed with another key",
            |log| {
                log.append(&AuditEvent::new(AuditAction::LoggedIn), THEIRS);
            },
            Broken::UnknownKey(n(13), AuditKeyId([THEIRS; 8])),
        ),
        (
            "an event is appended with the MAC of another one",
            |log| {
                log.append(&AuditEvent::new(AuditAction::LoggedIn), OURS);
                *log.mac(13) = log.rows[11].mac;
            },
            Broken::WrongMac(n(13)),
        ),
        (
            "a MAC is removed",
            |log| *log.mac(11) = None,
            Broken::NoMac(n(11)),
        ),
        (
            "a MAC is edited",
            |log| {
                if let Some(mac) = log.mac(11) {
                    mac.code[0] ^= 1;
                }
            },
            Broken::WrongMac(n(11)),
        ),
        (
            "the end is edited and sealed again without the key",
            |log| {
                log.edit(10).details = "{}".to_owned();
                log.reseal(10, None);
            },
            Broken::NoMac(n(10)),
        ),
        (
            "the log is edited before a checkpoint and sealed again without the key",
            |log| {
                log.edit(5).details = "{}".to_owned();
                log.reseal(5, None);
            },
            Broken::OtherChain(n(6), Witness::Stored),
        ),
        (
            "the log is edited at a checkpoint and sealed again with the key",
            |log| {
                log.edit(9).details = "{}".to_owned();
                log.reseal(9, Some(OURS));
            },
            Broken::OtherChain(n(9), Witness::Stored),
        ),
    ]
}

/// A base that was moved.
fn base() -> [Case; 4] {
    [
        (
            "the oldest events are removed",
            |log| {
                log.ends.base = log.end(4);
                log.rows.retain(|row| row.row.number > AuditNumber(4));
            },
            Broken::BaseMoved(n(4)),
        ),
        (
            "the oldest events are removed after retention has removed others",
            |log| {
                log.trim(2);
                log.ends.base = log.end(4);
                log.rows.retain(|row| row.row.number > AuditNumber(4));
            },
            Broken::BaseMoved(n(4)),
        ),
        (
            "the oldest events are removed up to a checkpoint, with another seal",
            |log| {
                log.ends.base = ChainEnd {
                    number: AuditNumber(6),
                    seal: Seal([7; 32]),
                };
                log.rows.retain(|row| row.row.number > AuditNumber(6));
            },
            Broken::OtherChain(n(6), Witness::Stored),
        ),
        (
            "the base is set to the start of a chain",
            |log| {
                log.ends.base = ChainEnd {
                    number: AuditNumber(4),
                    seal: Seal::NONE,
                };
                log.rows.retain(|row| row.row.number > AuditNumber(4));
            },
            Broken::Changed(n(5)),
        ),
    ]
}

/// Events that another program stored while they were pending.
fn pending() -> [Case; 5] {
    [
        (
            "a forged event",
            |log| log.forge(&AuditEvent::new(AuditAction::LoggedIn)),
            Broken::ForgedPending(n(14)),
        ),
        (
            "a forged event says that retention removed events",
            |log| {
                log.forge(&AuditEvent::new(AuditAction::AuditLogTrimmed).with("through", 4));
                log.ends.base = log.end(4);
                log.rows.retain(|row| row.row.number > AuditNumber(4));
            },
            Broken::BaseMoved(n(4)),
        ),
        (
            "a forged event says that the operator accepted the log",
            |log| {
                log.forge(&AuditEvent::new(AuditAction::LoggedIn));
                let head = format!("99:{}", Seal::NONE);
                log.forge(&AuditEvent::new(AuditAction::AuditLogAccepted).with("head", head));
            },
            Broken::ForgedPending(n(14)),
        ),
        (
            "a forged event says that the event after it is forged",
            |log| {
                let number = log.ends.head.number.0 + 3;
                log.forge(&AuditEvent::new(AuditAction::PendingEventForged).with("number", number));
                log.accept(12);
            },
            Broken::ForgedPending(n(14)),
        ),
        (
            "a copy of an older acceptance is stored after a forged event",
            |log| {
                log.accept(12);
                log.forge(&AuditEvent::new(AuditAction::LoggedIn));
                log.accept(12);
            },
            Broken::ForgedPending(n(15)),
        ),
    ]
}

/// A log that was cut off or rebuilt, and checkpoints that were changed.
fn checkpoints() -> [Case; 9] {
    let forged = |number: Option<i64>, witness, cause| Broken::ForgedCheckpoint {
        number: number.map(AuditNumber),
        witness,
        cause,
    };
    let cut_off = |first, covered, witness| Broken::CutOff {
        first: AuditNumber(first),
        covered: AuditNumber(covered),
        witness,
    };
    [
        (
            "the newest events are removed and the head is moved",
            |log| log.cut(8),
            cut_off(9, 9, Witness::Kept),
        ),
        (
            "the newest events are removed with their stored checkpoint",
            |log| {
                log.cut(8);
                log.witnesses.stored.pop();
            },
            cut_off(9, 9, Witness::Kept),
        ),
        (
            "the stored checkpoints are removed",
            |log| log.witnesses.stored.clear(),
            Broken::CheckpointsRemoved(n(9)),
        ),
        (
            "a checkpoint is signed with another key",
            |log| {
                log.store(12, THEIRS);
            },
            forged(Some(12), Witness::Stored, InvalidCheckpoint::UnknownKey),
        ),
        (
            "a checkpoint is edited",
            |log| {
                log.witnesses.stored[1].note = log.note(6, OURS).replace("\n6\n", "\n8\n");
            },
            forged(Some(6), Witness::Stored, InvalidCheckpoint::WrongSignature),
        ),
        (
            "a checkpoint is moved to another event",
            |log| {
                log.witnesses.stored[1].number = AuditNumber(5);
            },
            forged(Some(5), Witness::Stored, InvalidCheckpoint::Malformed),
        ),
        (
            "a checkpoint is overwritten",
            |log| {
                log.witnesses.stored[0].note = "none".to_owned();
            },
            forged(Some(3), Witness::Stored, InvalidCheckpoint::Malformed),
        ),
        (
            "the checkpoint in the key folder is edited",
            |log| {
                log.witnesses.kept = Some(log.note(9, THEIRS));
            },
            forged(None, Witness::Kept, InvalidCheckpoint::UnknownKey),
        ),
        (
            "everything is rebuilt without the key, and the checkpoints are removed",
            |log| {
                log.reseal(1, None);
                log.witnesses = Witnesses::default();
            },
            Broken::NoMac(n(1)),
        ),
    ]
}

fn table() -> Vec<Case> {
    let rows = rows().into_iter();
    rows.chain(head())
        .chain(macs())
        .chain(base())
        .chain(pending())
        .chain(checkpoints())
        .collect()
}

#[test]
fn every_kind_of_tampering_is_found_and_named() {
    let table = table();
    assert!(table.len() >= 30, "{}", table.len());
    for (what, tamper, expected) in table {
        let mut log = Log::with_checkpoints();
        assert_eq!(verify(&log), Ok(log.ends.head));
        tamper(&mut log);
        assert_eq!(verify(&log), Err(expected), "{what}");
    }
}

/// Without the key, an attacker who seals again is found only up to the last checkpoint.
#[test]
fn without_the_audit_key_only_mac_faults_after_the_last_checkpoint_stay_hidden() {
    let mut hidden = Vec::new();
    for (what, tamper, expected) in table() {
        let mut log = Log::with_checkpoints();
        tamper(&mut log);
        let is_about_macs = matches!(
            expected,
            Broken::NoMac(_) | Broken::WrongMac(_) | Broken::UnknownKey(..)
        );
        match verify_as(&log, false) {
            Ok(_) => hidden.push((what, is_about_macs)),
            Err(found) => assert_eq!(found, expected, "{what}"),
        }
    }
    assert!(
        hidden.iter().all(|(_, is_about_macs)| *is_about_macs),
        "{hidden:?}"
    );
    assert!(!hidden.is_empty());
}

/// Tampering that leaves a log consistent in itself, by a program that has every key or puts back
/// an older copy. Only a checkpoint from elsewhere reveals it.
#[test]
fn a_presented_checkpoint_reveals_what_the_holder_of_the_keys_changed() {
    let cut_off = Broken::CutOff {
        first: AuditNumber(8),
        covered: AuditNumber(9),
        witness: Witness::Presented,
    };
    let rebuild: Tamper = |log| {
        log.edit(5).details = "{}".to_owned();
        log.reseal(1, Some(OURS));
        log.witnesses.stored.clear();
        log.store(12, OURS);
        log.witnesses.kept = Some(log.note(12, OURS));
    };
    let restore: Tamper = |log| {
        log.cut(7);
        log.witnesses.stored.pop();
        log.witnesses.kept = None;
    };
    let restore_and_continue: Tamper = |log| {
        log.cut(7);
        for _ in 0..4 {
            log.append(&AuditEvent::new(AuditAction::LoggedIn), OURS);
        }
        log.witnesses.stored.clear();
        log.store(11, OURS);
        log.witnesses.kept = Some(log.note(11, OURS));
    };
    let forget: Tamper = |log| {
        log.witnesses.stored.pop();
        log.witnesses.kept = None;
    };
    for (what, tamper, expected) in [
        (
            "rebuild",
            rebuild,
            Broken::OtherChain(AuditNumber(9), Witness::Presented),
        ),
        ("restore", restore, cut_off),
        (
            "restore and continue",
            restore_and_continue,
            Broken::OtherChain(AuditNumber(9), Witness::Presented),
        ),
        (
            "remove checkpoints",
            forget,
            Broken::CheckpointsRemoved(AuditNumber(9)),
        ),
    ] {
        let mut log = Log::with_checkpoints();
        let presented = log.note(9, OURS);
        tamper(&mut log);
        assert_eq!(verify(&log), Ok(log.ends.head), "{what}: hidden");
        log.witnesses.presented = Some(presented);
        assert_eq!(verify(&log), Err(expected), "{what}");
    }
    let mut log = Log::with_checkpoints();
    log.witnesses.presented = Some(log.note(9, OURS));
    assert_eq!(verify(&log), Ok(log.ends.head));
}

#[test]
fn an_anchor_reveals_a_rebuilt_and_a_cut_log() {
    let mut log = Log::with_checkpoints();
    log.witnesses.anchor = Some(log.end(11));
    assert_eq!(verify(&log), Ok(log.ends.head));
    let mut rebuilt = log.clone();
    rebuilt.edit(10).details = "{}".to_owned();
    rebuilt.reseal(10, Some(OURS));
    let expected = Broken::OtherChain(AuditNumber(11), Witness::Anchor);
    assert_eq!(verify(&rebuilt), Err(expected));
    log.cut(10);
    let expected = Broken::CutOff {
        first: AuditNumber(11),
        covered: AuditNumber(11),
        witness: Witness::Anchor,
    };
    assert_eq!(verify(&log), Err(expected));
}

#[test]
fn events_of_the_version_without_a_key_need_a_checkpoint() {
    let log = Log::new();
    assert_eq!(verify(&log), Err(Broken::NoMac(AuditNumber(1))));
    assert_eq!(verify(&Log::with_checkpoints()), Ok(log.ends.head));
    assert_eq!(verify_as(&log, false), Ok(log.ends.head));
}

#[test]
fn events_under_a_lost_key_need_a_checkpoint_under_the_new_one() {
    let mut log = Log::new();
    log.reseal(1, Some(THEIRS));
    assert_eq!(
        verify(&log),
        Err(Broken::UnknownKey(AuditNumber(1), AuditKeyId([THEIRS; 8])))
    );
    log.store(12, OURS);
    assert_eq!(verify(&log), Ok(log.ends.head));
}

#[test]
fn a_log_that_retention_trimmed_is_intact_and_older_checkpoints_are_ignored() {
    let mut log = Log::with_checkpoints();
    log.trim(5);
    assert_eq!(verify(&log), Ok(log.ends.head));
    log.trim(11);
    assert_eq!(verify(&log), Ok(log.ends.head));
}

#[test]
fn a_chain_that_begins_after_events_without_seals_is_intact() {
    let mut log = Log::new();
    log.ends.base = ChainEnd {
        number: AuditNumber(4),
        seal: Seal::NONE,
    };
    log.rows.retain(|row| row.row.number > AuditNumber(4));
    log.reseal(5, Some(OURS));
    assert_eq!(verify(&log), Ok(log.ends.head));
}

#[test]
fn a_reported_forgery_is_found_after_other_tampering_until_the_log_is_accepted() {
    let mut log = Log::with_checkpoints();
    log.forge(&AuditEvent::new(AuditAction::LoggedIn));
    log.forge(&AuditEvent::new(AuditAction::LoggedIn));
    assert_eq!(verify(&log), Err(Broken::ForgedPending(AuditNumber(14))));
    let mut edited = log.clone();
    edited.edit(13).details.push(' ');
    assert_eq!(verify(&edited), Err(Broken::Changed(AuditNumber(13))));
    let mut partly = log.clone();
    partly.accept(14);
    assert_eq!(verify(&partly), Err(Broken::ForgedPending(AuditNumber(16))));
    log.accept(16);
    assert_eq!(verify(&log), Ok(log.ends.head));
}

#[test]
fn presented_evidence_that_was_trimmed_is_reported() {
    let mut log = Log::with_checkpoints();
    log.witnesses.anchor = Some(log.end(3));
    log.witnesses.presented = Some(log.note(6, OURS));
    let evidence = Evidence::read(&log.witnesses, &ToyNotes(OURS)).expect("the checkpoints are valid");
    let kept = |base| {
        let ends = ChainEnds {
            base: log.end(base),
            head: log.ends.head,
        };
        evidence.check_kept(ends)
    };
    assert_eq!(kept(3), Ok(()));
    let trimmed = |number, witness| EvidenceTrimmed {
        number: AuditNumber(number),
        witness,
    };
    assert_eq!(kept(4), Err(trimmed(3, Witness::Anchor)));
    let text = kept(4).expect_err("the event was trimmed").to_string();
    assert_eq!(text, "event 3 of the anchor has been trimmed; use a later one");
    log.witnesses.anchor = None;
    let evidence = Evidence::read(&log.witnesses, &ToyNotes(OURS)).expect("the checkpoints are valid");
    let ends = ChainEnds {
        base: log.end(7),
        head: log.ends.head,
    };
    assert_eq!(evidence.check_kept(ends), Err(trimmed(6, Witness::Presented)));
}

#[test]
fn messages_name_the_event_and_the_witness() {
    let cut_off = Broken::CutOff {
        first: AuditNumber(9),
        covered: AuditNumber(12),
        witness: Witness::Stored,
    };
    assert_eq!(
        cut_off.to_string(),
        "event 9 is missing: a stored checkpoint covers the events up to 12; the newest events were removed, or an \
         older copy of the database was restored"
    );
    assert_eq!(cut_off.number(), Some(AuditNumber(9)));
    let forged = |number| Broken::ForgedCheckpoint {
        number,
        witness: Witness::Presented,
        cause: InvalidCheckpoint::UnknownKey,
    };
    assert_eq!(
        forged(Some(AuditNumber(4))).to_string(),
        "the presented checkpoint is not valid (event 4): it is signed with another key"
    );
    assert_eq!(forged(None).number(), None);
    assert!(!forged(None).to_string().contains("event"));
}
