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
}

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
        let mut state = self.state();
        for _ in 0..count {
            let context = AuditContext::new(now(), Actor::Operator, Origin::default());
            let head = state.ends().head;
            let row = AuditRow::new(head.next(), &AuditEvent::new(AuditAction::LoggedIn), &context);
            state.rows.push(SealedRow::after(head, row, &ToySeals(key)));
        }
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
            let state = log.state();
            let later = state.rows.iter().filter(|row| row.row.number > after);
            Ok(later.take(limit as usize).cloned().map(Ok).collect())
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
        clock.expect_now().returning(now);
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

async fn sign(signing: &SignCheckpoint, may_begin: bool) -> Result<Option<i64>, Broken> {
    match signing.execute(may_begin).await {
        Ok(Signing::Signed(new)) => Ok(Some(new.checkpoint.end().number.0)),
        Ok(Signing::Unchanged | Signing::NotBegun) => Ok(None),
        Err(SignCheckpointError::Broken(broken)) => Err(broken),
        Err(SignCheckpointError::Port(error)) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn the_end_is_signed_stored_and_kept_once() {
    let log = Log::default();
    let signing = log.signing();
    assert_eq!(sign(&signing, true).await, Ok(None));
    log.append(3, 1);
    assert_eq!(sign(&signing, true).await, Ok(Some(3)));
    assert_eq!(sign(&signing, true).await, Ok(None));
    log.append(2, 1);
    assert_eq!(sign(&signing, true).await, Ok(Some(5)));
    assert_eq!(log.stored(), [3, 5]);
    let kept = log.state().kept.clone().expect("a checkpoint was kept");
    let kept = SignedCheckpoint::parse(&kept, &ToyNotes(1)).expect("the note is valid");
    assert_eq!(kept.end(), log.state().ends().head);
}

#[tokio::test]
async fn a_process_continues_from_the_newest_checkpoint_that_it_finds() {
    let log = Log::default();
    log.append(3, 1);
    assert_eq!(sign(&log.signing(), true).await, Ok(Some(3)));
    // The row is covered, and only `audit verify` reads it again.
    log.state().rows[0].mac = None;
    assert_eq!(sign(&log.signing(), true).await, Ok(None));
    log.append(1, 1);
    assert_eq!(sign(&log.signing(), false).await, Ok(Some(4)));
}

#[tokio::test]
async fn only_the_first_checkpoint_vouches_for_events_without_a_mac() {
    let log = Log::default();
    log.append(3, 1);
    log.state().rows[1].mac = None;
    let signing = log.signing();
    let not_begun = signing.execute(false).await;
    assert!(matches!(not_begun, Ok(Signing::NotBegun)), "{not_begun:?}");
    assert_eq!(sign(&signing, true).await, Ok(Some(3)));
    log.append(2, 1);
    log.state().rows[4].mac = None;
    assert_eq!(sign(&signing, true).await, Err(Broken::NoMac(AuditNumber(5))));
    assert_eq!(
        sign(&log.signing(), true).await,
        Err(Broken::NoMac(AuditNumber(5)))
    );
    assert_eq!(log.stored(), [3]);
}

#[tokio::test]
async fn an_edited_or_forged_event_is_never_signed() {
    let edited = Log::default();
    edited.append(4, 1);
    edited.state().rows[2].row.details.push(' ');
    let refused = sign(&edited.signing(), true).await;
    assert_eq!(refused, Err(Broken::Changed(AuditNumber(3))));
    let forged = Log::default();
    forged.append(4, 1);
    let signing = forged.signing();
    assert_eq!(sign(&signing, true).await, Ok(Some(4)));
    forged.append(1, 2);
    let refused = sign(&signing, true).await;
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
    assert_eq!(sign(&signing, true).await, Ok(Some(5)));
    log.state().rows.truncate(3);
    let expected = Broken::CutOff {
        first: AuditNumber(4),
        covered: AuditNumber(5),
        witness: Witness::Own,
    };
    assert_eq!(sign(&signing, true).await, Err(expected));
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
    assert_eq!(sign(&signing, true).await, Err(expected));
}

#[tokio::test]
async fn a_log_that_was_trimmed_past_the_last_checkpoint_is_signed() {
    let log = Log::default();
    log.append(3, 1);
    let signing = log.signing();
    assert_eq!(sign(&signing, true).await, Ok(Some(3)));
    log.append(4, 1);
    log.trim(5);
    assert_eq!(sign(&signing, true).await, Ok(Some(7)));
}
