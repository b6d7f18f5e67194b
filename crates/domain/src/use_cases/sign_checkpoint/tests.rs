use super::*;
use crate::{
    audit::{
        Actor, AuditAction, AuditContext, AuditEvent, AuditRow, Origin, SealedRow,
        fixtures::{ToyNotes, ToySeals},
    },
    fixtures::now,
    ports::{MockAuditCheckpoints, MockAuditLog, MockClock, MockKeptCheckpoint},
};

/// A log in memory, and the checkpoints that were stored.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rows: Vec<SealedRow>,
    base: Option<ChainEnd>,
    stored: Vec<StoredCheckpoint>,
    kept: Option<String>,
    /// The numbers after which rows were read.
    reads: Vec<i64>,
    /// The seconds that have passed.
    elapsed: i64,
}

const EVERY_ROW: FirstCheckpoint = FirstCheckpoint::VouchesUpTo(AuditNumber(0));

impl State {
    fn ends(&self) -> ChainEnds {
        let base = self.base.unwrap_or(ChainEnd::START);
        let head = self.rows.last().map_or(base, SealedRow::end);
        ChainEnds { base, head }
    }
}

impl Log {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no other thread panics")
    }

    /// Appends `count` events under the key `key`.
    fn append(&self, count: u8, key: u8) {
        for _ in 0..count {
            self.append_one(AuditAction::LoggedIn, key);
        }
    }

    fn append_one(&self, action: AuditAction, key: u8) {
        let mut state = self.state();
        let at = now() + TimeDelta::seconds(state.elapsed);
        let context = AuditContext::new(at, Actor::Operator, Origin::default());
        let head = state.ends().head;
        let row = AuditRow::new(head.next(), &AuditEvent::new(action), &context);
        state.rows.push(SealedRow::after(head, row, &ToySeals(key)));
    }

    /// Replaces all rows after the first `length` with as many other ones.
    fn rebuild_after(&self, length: usize) {
        let count = {
            let mut state = self.state();
            let count = state.rows.len() - length;
            state.rows.truncate(length);
            count
        };
        for _ in 0..count {
            self.append_one(AuditAction::LoginFailed, 1);
        }
    }

    /// Removes what only a process with the audit key writes.
    fn remove_macs_and_checkpoints(&self) {
        let mut state = self.state();
        (state.stored, state.kept) = (Vec::new(), None);
        state.rows.iter_mut().for_each(|row| row.mac = None);
    }

    /// Accepts the log as the operator does.
    fn accept(&self) {
        self.append_one(AuditAction::AuditLogAccepted, 1);
        let end = self.state().ends().head;
        let note = SignedCheckpoint::sign(end, &ToyNotes(1)).note().to_owned();
        let (number, at) = (end.number, now());
        self.state().stored = vec![StoredCheckpoint { number, at, note }];
    }

    fn trim(&self, last: usize) {
        let mut state = self.state();
        state.base = Some(state.rows[last - 1].end());
        state.rows.drain(..last);
    }

    fn stored(&self) -> Vec<i64> {
        self.state().stored.iter().map(|stored| stored.number.0).collect()
    }

    fn audit_log(&self) -> MockAuditLog {
        let mut audit_log = MockAuditLog::new();
        let log = self.clone();
        audit_log.expect_ends().returning(move || Ok(log.state().ends()));
        let log = self.clone();
        audit_log.expect_rows().returning(move |after, limit| {
            let mut state = log.state();
            state.reads.push(after.0);
            let later = state.rows.iter().filter(|row| row.row.number > after);
            Ok(later.take(limit as usize).cloned().map(Ok).collect())
        });
        let log = self.clone();
        audit_log.expect_page().returning(move |filter, _, _| {
            let action = filter.action.expect("only acceptances are searched").as_str();
            let state = log.state();
            let newest = state.rows.iter().rev().find(|row| row.row.action == action);
            Ok(newest.cloned().map(Ok).into_iter().collect())
        });
        audit_log
    }

    fn checkpoints(&self) -> MockAuditCheckpoints {
        let mut checkpoints = MockAuditCheckpoints::new();
        let log = self.clone();
        checkpoints
            .expect_newest()
            .returning(move || Ok(log.state().stored.last().cloned()));
        let log = self.clone();
        checkpoints.expect_store().returning(move |checkpoint, from| {
            assert_eq!(from, now() - TimeDelta::minutes(46) - TimeDelta::seconds(40));
            log.state().stored.push(checkpoint);
            Ok(())
        });
        checkpoints
    }

    fn kept(&self) -> MockKeptCheckpoint {
        let mut kept = MockKeptCheckpoint::new();
        let log = self.clone();
        kept.expect_load().returning(move || Ok(log.state().kept.clone()));
        let log = self.clone();
        kept.expect_keep().returning(move |note| {
            log.state().kept = Some(note.to_owned());
            Ok(())
        });
        kept
    }

    /// Returns the use case of a process that has just started.
    fn signing(&self) -> SignCheckpoint {
        let mut clock = MockClock::new();
        let log = self.clone();
        clock
            .expect_now()
            .returning(move || now() + TimeDelta::seconds(log.state().elapsed));
        SignCheckpoint {
            audit_log: Arc::new(self.audit_log()),
            checkpoints: Arc::new(self.checkpoints()),
            kept: Arc::new(self.kept()),
            sealer: Arc::new(ToySeals(1)),
            signer: Arc::new(ToyNotes(1)),
            verifier: Arc::new(ToyNotes(1)),
            clock: Arc::new(clock),
            last: Mutex::default(),
        }
    }
}

/// Signs, and returns the number of the last event if a checkpoint was signed.
async fn sign(signing: &SignCheckpoint) -> Result<Option<i64>, Broken> {
    match signing.execute(EVERY_ROW).await {
        Ok(Signing::Signed(new)) => Ok(Some(new.checkpoint.end().number.0)),
        Ok(_) => Ok(None),
        Err(SignCheckpointError::Broken(broken)) => Err(broken),
        Err(SignCheckpointError::Port(error)) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn the_end_is_signed_stored_and_kept_once() {
    let log = Log::default();
    let signing = log.signing();
    assert_eq!(sign(&signing).await, Ok(None));
    log.append(3, 1);
    assert_eq!(sign(&signing).await, Ok(Some(3)));
    assert_eq!(sign(&signing).await, Ok(None));
    log.append(2, 1);
    assert_eq!(sign(&signing).await, Ok(Some(5)));
    assert_eq!(log.stored(), [3, 5]);
    let kept = log.state().kept.clone().expect("a checkpoint was kept");
    let kept = SignedCheckpoint::parse(&kept, &ToyNotes(1)).expect("the note is valid");
    assert_eq!(kept.end(), log.state().ends().head);
}

#[tokio::test]
async fn a_process_continues_from_the_newest_checkpoint_that_it_finds() {
    let log = Log::default();
    log.append(3, 1);
    assert_eq!(sign(&log.signing()).await, Ok(Some(3)));
    // The row is covered, and only `audit verify` reads it again.
    log.state().rows[0].mac = None;
    assert_eq!(sign(&log.signing()).await, Ok(None));
    log.append(1, 1);
    assert_eq!(sign(&log.signing()).await, Ok(Some(4)));
}

#[tokio::test]
async fn the_first_checkpoint_covers_events_without_a_mac_only_up_to_the_one_that_is_vouched_for() {
    let log = Log::default();
    log.append(3, 1);
    log.state().rows[1].mac = None;
    let signing = log.signing();
    let not_begun = signing.execute(FirstCheckpoint::NotYet).await;
    assert!(matches!(not_begun, Ok(Signing::NotBegun)), "{not_begun:?}");
    for vouched in [0, 1] {
        let vouched = FirstCheckpoint::VouchesUpTo(AuditNumber(vouched));
        let refused = signing.execute(vouched).await;
        let is_named = matches!(refused, Ok(Signing::NeedsAcceptance(AuditNumber(2))));
        assert!(is_named, "{refused:?}");
    }
    let vouched = FirstCheckpoint::VouchesUpTo(AuditNumber(2));
    let signed = signing.execute(vouched).await;
    assert!(matches!(signed, Ok(Signing::Signed(_))), "{signed:?}");
    log.append(2, 1);
    log.state().rows[4].mac = None;
    assert_eq!(sign(&signing).await, Err(Broken::NoMac(AuditNumber(5))));
    assert_eq!(sign(&log.signing()).await, Err(Broken::NoMac(AuditNumber(5))));
    assert_eq!(log.stored(), [3]);
}

#[tokio::test]
async fn the_first_checkpoint_never_covers_events_of_another_key() {
    let log = Log::default();
    log.append(1, 2);
    log.append(2, 1);
    let all = FirstCheckpoint::VouchesUpTo(AuditNumber(i64::MAX));
    let refused = log.signing().execute(all).await;
    let is_named = matches!(
        refused,
        Err(SignCheckpointError::Broken(Broken::UnknownKey(AuditNumber(1), _)))
    );
    assert!(is_named, "{refused:?}");
}

#[tokio::test]
async fn a_log_whose_checkpoints_and_macs_were_removed_is_not_signed_by_a_new_process() {
    let log = Log::default();
    log.append(3, 1);
    assert_eq!(sign(&log.signing()).await, Ok(Some(3)));
    log.remove_macs_and_checkpoints();
    assert_eq!(sign(&log.signing()).await, Ok(None));
    assert!(log.stored().is_empty());
}

#[tokio::test]
async fn a_newer_checkpoint_of_another_replica_is_adopted_and_its_rows_are_not_read_again() {
    let log = Log::default();
    log.append(3, 1);
    let (one, other) = (log.signing(), log.signing());
    assert_eq!(sign(&one).await, Ok(Some(3)));
    assert_eq!(sign(&other).await, Ok(None));
    log.append(4, 1);
    assert_eq!(sign(&one).await, Ok(Some(7)));
    log.append(2, 1);
    log.state().reads.clear();
    let adopted = other.execute(EVERY_ROW).await;
    assert!(matches!(adopted, Ok(Signing::Adopted(_))), "{adopted:?}");
    // The rows of both checkpoints alone.
    assert_eq!(log.state().reads, [2, 6]);
    assert_eq!(sign(&other).await, Ok(Some(9)));
}

#[tokio::test]
async fn a_checkpoint_of_another_log_is_not_adopted() {
    let log = Log::default();
    log.append(3, 1);
    let signing = log.signing();
    assert_eq!(sign(&signing).await, Ok(Some(3)));
    log.append(2, 1);
    let elsewhere = ChainEnd {
        number: AuditNumber(4),
        seal: log.state().rows[0].seal,
    };
    let note = SignedCheckpoint::sign(elsewhere, &ToyNotes(1)).note().to_owned();
    let (number, at) = (elsewhere.number, now());
    log.state().stored.push(StoredCheckpoint { number, at, note });
    assert_eq!(sign(&signing).await, Ok(Some(5)));
}

#[tokio::test]
async fn a_log_that_was_accepted_while_the_process_runs_is_continued() {
    for length in [3, 5] {
        let log = Log::default();
        log.append(5, 1);
        let signing = log.signing();
        assert_eq!(sign(&signing).await, Ok(Some(5)));
        log.state().elapsed = 60;
        log.rebuild_after(2);
        log.state().rows.truncate(length);
        log.accept();
        let adopted = signing.execute(EVERY_ROW).await;
        assert!(matches!(adopted, Ok(Signing::Adopted(_))), "{adopted:?}");
        log.append(3, 1);
        let end = i64::try_from(length).expect("a small number") + 4;
        assert_eq!(sign(&signing).await, Ok(Some(end)));
    }
}

#[tokio::test]
async fn an_acceptance_that_the_process_knows_excuses_nothing() {
    let log = Log::default();
    log.append(2, 1);
    log.accept();
    let accepted = log.state().stored.clone();
    log.state().elapsed = 60;
    let signing = log.signing();
    log.append(3, 1);
    assert_eq!(sign(&signing).await, Ok(Some(6)));
    log.state().rows.truncate(4);
    log.state().stored = accepted;
    let expected = Broken::CutOff {
        first: AuditNumber(5),
        covered: AuditNumber(6),
        witness: Witness::Own,
    };
    assert_eq!(sign(&signing).await, Err(expected));
}

#[tokio::test]
async fn an_edited_or_forged_event_is_never_signed() {
    let edited = Log::default();
    edited.append(4, 1);
    edited.state().rows[2].row.details.push(' ');
    let refused = sign(&edited.signing()).await;
    assert_eq!(refused, Err(Broken::Changed(AuditNumber(3))));
    let forged = Log::default();
    forged.append(4, 1);
    let signing = forged.signing();
    assert_eq!(sign(&signing).await, Ok(Some(4)));
    forged.append(1, 2);
    let refused = sign(&signing).await;
    assert!(
        matches!(refused, Err(Broken::UnknownKey(AuditNumber(5), _))),
        "{refused:?}"
    );
    assert_eq!(edited.stored().len() + forged.stored().len(), 1);
}

#[tokio::test]
async fn a_log_that_was_cut_or_rebuilt_while_the_process_runs_is_not_signed() {
    let log = Log::default();
    log.append(5, 1);
    let signing = log.signing();
    assert_eq!(sign(&signing).await, Ok(Some(5)));
    log.state().rows.truncate(3);
    let expected = Broken::CutOff {
        first: AuditNumber(4),
        covered: AuditNumber(5),
        witness: Witness::Own,
    };
    assert_eq!(sign(&signing).await, Err(expected));
    log.state().rows[2].row.details.push(' ');
    log.append(2, 1);
    let before = log.state().rows[1].end();
    let mut last = before;
    for index in 2..5 {
        let row = log.state().rows[index].row.clone();
        let sealed = SealedRow::after(last, row, &ToySeals(1));
        last = sealed.end();
        log.state().rows[index] = sealed;
    }
    let expected = Broken::OtherChain(AuditNumber(5), Witness::Own);
    assert_eq!(sign(&signing).await, Err(expected));
    log.append(4, 1);
    assert_eq!(sign(&signing).await, Err(expected), "also after it was continued");
}

#[tokio::test]
async fn a_log_that_was_trimmed_past_the_last_checkpoint_is_signed() {
    let log = Log::default();
    log.append(3, 1);
    let signing = log.signing();
    assert_eq!(sign(&signing).await, Ok(Some(3)));
    log.append(4, 1);
    log.trim(5);
    assert_eq!(sign(&signing).await, Ok(Some(7)));
}
