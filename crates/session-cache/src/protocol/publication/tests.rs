use super::*;
use proptest::prelude::*;
use uuid::Uuid;

const TERMS: Terms = Terms::STANDARD;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn replica(number: u8) -> ReplicaId {
    ReplicaId(Uuid::from_u128(u128::from(number)))
}

fn lease(of: u8, number: u32) -> LeaseId {
    LeaseId {
        replica: replica(of),
        number,
    }
}

fn begun() -> Publication {
    let publication = Publication::begin(ms(0), TERMS);
    assert_eq!(publication.next_step(ms(0)), PublicationStep::ReadHolders);
    publication
}

#[test]
fn without_lease_holders_a_publication_is_done_at_once() {
    let mut publication = begun();
    publication.record_holders([], ms(1));
    assert!(!publication.awaits_acknowledgements());
    assert_eq!(publication.next_step(ms(1)), PublicationStep::Done);
}

#[test]
fn a_publication_is_done_when_the_last_holder_has_acknowledged() {
    let mut publication = begun();
    publication.record_holders([lease(1, 1), lease(2, 7), lease(1, 2)], ms(1));
    assert_eq!(publication.next_step(ms(1)), PublicationStep::Wait(ms(201)));
    publication.record_acknowledgement(replica(1));
    publication.record_acknowledgement(replica(1));
    publication.record_acknowledgement(replica(3));
    assert_eq!(publication.next_step(ms(2)), PublicationStep::Wait(ms(201)));
    publication.record_acknowledgement(replica(2));
    assert_eq!(publication.next_step(ms(3)), PublicationStep::Done);
}

#[test]
fn a_publisher_that_serves_requests_does_not_wait_for_itself() {
    let mut publication = begun();
    publication.record_acknowledgement(replica(1));
    publication.record_holders([lease(1, 1)], ms(1));
    assert_eq!(publication.next_step(ms(1)), PublicationStep::Done);
}

#[test]
fn silent_replicas_are_evicted_with_all_of_their_leases_and_waited_out() {
    let mut publication = begun();
    publication.record_holders([lease(1, 1), lease(2, 7), lease(2, 8)], ms(1));
    publication.record_acknowledgement(replica(1));
    assert_eq!(
        publication.next_step(ms(201)),
        PublicationStep::Evict(vec![lease(2, 7), lease(2, 8)])
    );
    publication.record_eviction(ms(210));
    assert_eq!(publication.next_step(ms(210)), PublicationStep::Wait(ms(2210)));
    assert_eq!(publication.next_step(ms(2209)), PublicationStep::Wait(ms(2210)));
    assert_eq!(publication.next_step(ms(2210)), PublicationStep::Done);
}

#[test]
fn a_late_acknowledgement_ends_the_wait() {
    let mut publication = begun();
    publication.record_holders([lease(1, 1)], ms(1));
    publication.record_eviction(ms(300));
    publication.record_acknowledgement(replica(1));
    assert_eq!(publication.next_step(ms(400)), PublicationStep::Done);
}

#[test]
fn an_unavailable_database_is_retried_until_every_old_snapshot_has_expired() {
    let mut publication = begun();
    publication.record_failure(ms(900));
    assert_eq!(publication.next_step(ms(900)), PublicationStep::Wait(ms(1400)));
    assert_eq!(publication.next_step(ms(1400)), PublicationStep::ReadHolders);
    publication.record_failure(ms(29_900));
    assert_eq!(publication.next_step(ms(30_000)), PublicationStep::Done);
}

#[test]
fn a_failed_eviction_is_repeated() {
    let mut publication = begun();
    publication.record_holders([lease(1, 1)], ms(0));
    assert_eq!(
        publication.next_step(ms(200)),
        PublicationStep::Evict(vec![lease(1, 1)])
    );
    publication.record_failure(ms(1100));
    assert_eq!(publication.next_step(ms(1100)), PublicationStep::Wait(ms(1600)));
    assert_eq!(
        publication.next_step(ms(1600)),
        PublicationStep::Evict(vec![lease(1, 1)])
    );
}

#[derive(Clone, Debug)]
enum Event {
    Wait(u16),
    Acknowledged(u8),
    TakesTheStep,
    Fails,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0_u16..2000).prop_map(Event::Wait),
        2 => (0_u8..5).prop_map(Event::Acknowledged),
        4 => Just(Event::TakesTheStep),
        1 => Just(Event::Fails),
    ]
}

proptest! {
    /// In any order of events, a publication is done exactly when every holder has acknowledged or
    /// expired, and always by its deadline.
    #[test]
    fn a_publication_is_done_exactly_when_it_may_be(
        holders in proptest::collection::btree_set((0_u8..4, 1_u32..3), 0..6),
        events in proptest::collection::vec(event(), 0..60),
    ) {
        let mut publication = Publication::begin(ms(0), TERMS);
        let (mut now, mut notified, mut evicted_at) = (ms(0), false, None::<Duration>);
        let mut silent: BTreeSet<_> = holders.iter().map(|(of, _)| *of).collect();
        for event in events {
            let step = publication.next_step(now);
            let expired = evicted_at.is_some_and(|at| now >= at + TERMS.lease.waited());
            let may_finish = now >= TERMS.snapshot.waited() || (notified && (silent.is_empty() || expired));
            prop_assert_eq!(step == PublicationStep::Done, may_finish, "{:?}", publication);
            match event {
                Event::Wait(milliseconds) => now += ms(u64::from(milliseconds)),
                Event::Acknowledged(of) => {
                    publication.record_acknowledgement(replica(of));
                    silent.remove(&of);
                }
                Event::Fails => publication.record_failure(now),
                Event::TakesTheStep => match step {
                    PublicationStep::ReadHolders => {
                        publication.record_holders(holders.iter().map(|(of, number)| lease(*of, *number)), now);
                        notified = true;
                    }
                    PublicationStep::Evict(leases) => {
                        let theirs = holders.iter().filter(|(of, _)| silent.contains(of));
                        prop_assert_eq!(leases, theirs.map(|(of, number)| lease(*of, *number)).collect::<Vec<_>>());
                        publication.record_eviction(now);
                        evicted_at = Some(now);
                    }
                    PublicationStep::Wait(until) => {
                        prop_assert!(until > now);
                        now = until;
                    }
                    PublicationStep::Done => break,
                },
            }
        }
        prop_assert_eq!(publication.next_step(TERMS.snapshot.waited()), PublicationStep::Done);
    }
}
