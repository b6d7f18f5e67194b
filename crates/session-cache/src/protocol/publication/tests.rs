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

fn begun() -> Announcement {
    let announcement = Announcement::begin(ms(0), TERMS);
    assert_eq!(announcement.demand(ms(0)), Demand::ReadHolders);
    announcement
}

#[test]
fn with_nobody_to_tell_it_answers_at_once() {
    let mut announcement = begun();
    announcement.holders([], ms(1));
    assert!(!announcement.is_awaited());
    assert_eq!(announcement.demand(ms(1)), Demand::Answer);
}

#[test]
fn it_answers_when_the_last_holder_has_acknowledged() {
    let mut announcement = begun();
    announcement.holders([lease(1, 1), lease(2, 7), lease(1, 2)], ms(1));
    assert_eq!(announcement.demand(ms(1)), Demand::Wait(ms(201)));
    announcement.acknowledged(replica(1));
    announcement.acknowledged(replica(1));
    announcement.acknowledged(replica(3));
    assert_eq!(announcement.demand(ms(2)), Demand::Wait(ms(201)));
    announcement.acknowledged(replica(2));
    assert_eq!(announcement.demand(ms(3)), Demand::Answer);
}

#[test]
fn who_revokes_and_serves_waits_for_nobody_but_others() {
    let mut announcement = begun();
    announcement.acknowledged(replica(1));
    announcement.holders([lease(1, 1)], ms(1));
    assert_eq!(announcement.demand(ms(1)), Demand::Answer);
}

#[test]
fn the_silent_are_evicted_with_all_of_their_leases_and_waited_out() {
    let mut announcement = begun();
    announcement.holders([lease(1, 1), lease(2, 7), lease(2, 8)], ms(1));
    announcement.acknowledged(replica(1));
    assert_eq!(
        announcement.demand(ms(201)),
        Demand::Evict(vec![lease(2, 7), lease(2, 8)])
    );
    announcement.evicted(ms(210));
    assert_eq!(announcement.demand(ms(210)), Demand::Wait(ms(2210)));
    assert_eq!(announcement.demand(ms(2209)), Demand::Wait(ms(2210)));
    assert_eq!(announcement.demand(ms(2210)), Demand::Answer);
}

#[test]
fn an_acknowledgement_that_comes_late_ends_the_waiting() {
    let mut announcement = begun();
    announcement.holders([lease(1, 1)], ms(1));
    announcement.evicted(ms(300));
    announcement.acknowledged(replica(1));
    assert_eq!(announcement.demand(ms(400)), Demand::Answer);
}

#[test]
fn a_database_that_went_away_is_asked_again_until_no_view_from_before_is_left() {
    let mut announcement = begun();
    announcement.failed(ms(900));
    assert_eq!(announcement.demand(ms(900)), Demand::Wait(ms(1400)));
    assert_eq!(announcement.demand(ms(1400)), Demand::ReadHolders);
    announcement.failed(ms(29_900));
    assert_eq!(announcement.demand(ms(30_000)), Demand::Answer);
}

#[test]
fn an_eviction_that_failed_is_demanded_again() {
    let mut announcement = begun();
    announcement.holders([lease(1, 1)], ms(0));
    assert_eq!(announcement.demand(ms(200)), Demand::Evict(vec![lease(1, 1)]));
    announcement.failed(ms(1100));
    assert_eq!(announcement.demand(ms(1100)), Demand::Wait(ms(1600)));
    assert_eq!(announcement.demand(ms(1600)), Demand::Evict(vec![lease(1, 1)]));
}

#[derive(Clone, Debug)]
enum Event {
    Wait(u16),
    Acknowledged(u8),
    DoesWhatIsDemanded,
    Fails,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0_u16..2000).prop_map(Event::Wait),
        2 => (0_u8..5).prop_map(Event::Acknowledged),
        4 => Just(Event::DoesWhatIsDemanded),
        1 => Just(Event::Fails),
    ]
}

proptest! {
    /// Whatever comes in whatever order, it answers only when everybody is known to be through, and always in the end.
    #[test]
    fn it_answers_when_and_only_when_it_may(
        holders in proptest::collection::btree_set((0_u8..4, 1_u32..3), 0..6),
        events in proptest::collection::vec(event(), 0..60),
    ) {
        let mut announcement = Announcement::begin(ms(0), TERMS);
        let (mut now, mut told, mut evicted_at) = (ms(0), false, None::<Duration>);
        let mut silent: BTreeSet<_> = holders.iter().map(|(of, _)| *of).collect();
        for event in events {
            let demand = announcement.demand(now);
            let out = evicted_at.is_some_and(|at| now >= at + TERMS.lease.waited());
            let may = now >= TERMS.snapshot.waited() || (told && (silent.is_empty() || out));
            prop_assert_eq!(demand == Demand::Answer, may, "{:?}", announcement);
            match event {
                Event::Wait(milliseconds) => now += ms(u64::from(milliseconds)),
                Event::Acknowledged(of) => {
                    announcement.acknowledged(replica(of));
                    silent.remove(&of);
                }
                Event::Fails => announcement.failed(now),
                Event::DoesWhatIsDemanded => match demand {
                    Demand::ReadHolders => {
                        announcement.holders(holders.iter().map(|(of, number)| lease(*of, *number)), now);
                        told = true;
                    }
                    Demand::Evict(leases) => {
                        let theirs = holders.iter().filter(|(of, _)| silent.contains(of));
                        prop_assert_eq!(leases, theirs.map(|(of, number)| lease(*of, *number)).collect::<Vec<_>>());
                        announcement.evicted(now);
                        evicted_at = Some(now);
                    }
                    Demand::Wait(until) => {
                        prop_assert!(until > now);
                        now = until;
                    }
                    Demand::Answer => break,
                },
            }
        }
        prop_assert_eq!(announcement.demand(TERMS.snapshot.waited()), Demand::Answer);
    }
}
