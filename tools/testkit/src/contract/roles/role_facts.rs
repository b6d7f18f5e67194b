//! Cases of the facts: storage loads what a command on the catalogue reads, and the privileges of
//! roles other than the built-in ones.

use crate::contract::{accounts::probe, prelude::*};
use domain::changes::{CatalogueCommand, CatalogueFacts, CatalogueReads};
use std::sync::Mutex;

cases! { roles::role_facts(Storage):
    the_catalogue_is_read_with_the_number_of_holders_and_the_caller,
    privileges_are_those_of_all_roles_together,
    roles_of_the_catalogue_are_read_with_all_their_fields,
}

/// A command that stores the facts it is given and refuses to change anything.
#[derive(Debug)]
struct Probe {
    reads: CatalogueReads,
    facts: Mutex<Option<CatalogueFacts>>,
}

impl CatalogueCommand for Probe {
    fn reads(&self) -> CatalogueReads {
        self.reads.clone()
    }

    fn decide(&self, facts: &CatalogueFacts, _: DateTime<Utc>) -> Result<CatalogueChange, Refusal> {
        let mut kept = self.facts.lock().expect("no other thread panics");
        *kept = Some(facts.clone());
        Err(Refusal::RoleNotFound)
    }
}

/// Returns what storage loads for `reads`, with sorted roles. Asserts that a dry run and an
/// execution load the same facts.
async fn loaded(storage: &Storage, reads: CatalogueReads) -> CatalogueFacts {
    let probe = Arc::new(Probe {
        reads,
        facts: Mutex::default(),
    });
    let executed = decided(|| storage.roles.execute(probe.clone(), context(at(10)))).await;
    assert_eq!(executed, Err(Refusal::RoleNotFound));
    let facts = sorted(&probe);
    let dry = decided(|| storage.roles.dry_run(probe.clone(), context(at(10)))).await;
    assert_eq!(dry, Err(Refusal::RoleNotFound));
    assert_eq!(sorted(&probe), facts, "facts of a dry run of {probe:?}");
    facts
}

/// Takes the facts that `probe` was given, with sorted roles.
fn sorted(probe: &Probe) -> CatalogueFacts {
    let kept = probe.facts.lock().expect("no other thread panics").take();
    let mut facts = kept.expect("storage calls the command");
    facts.roles.sort_by(|one, other| one.name.cmp(&other.name));
    facts
}

async fn the_catalogue_is_read_with_the_number_of_holders_and_the_caller(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let (alice, session) = logged_in_with(storage, "alice", &["a:x"]).await;
    registered(core, with_roles("bob", &["of-alice", "user"])).await;
    role_written(storage, a_role("unused", &["b:x"])).await;
    let catalogue = storage.roles.list().await.expect("storage is available");
    for (name, holders) in [
        ("of-alice", 2),
        ("user", 1),
        ("unused", 0),
        ("unknown", 0),
        ("admin", 0),
    ] {
        for removes in [false, true] {
            let caller = removes.then(|| identity(&alice, &session));
            let expected = CatalogueFacts {
                roles: catalogue.clone(),
                holders,
                caller: match caller {
                    Some(_) => find_snapshot(core, session.id).await,
                    None => None,
                },
            };
            let role = role_name(name);
            let reads = CatalogueReads {
                role,
                removes,
                caller,
            };
            assert_eq!(loaded(storage, reads).await, expected, "{name}");
        }
    }
    logged_out(core, &session, 5).await;
    let reads = CatalogueReads {
        role: RoleName::USER,
        removes: false,
        caller: Some(identity(&alice, &session)),
    };
    let ended = loaded(storage, reads).await.caller;
    assert_eq!(ended, find_snapshot(core, session.id).await);
}

async fn privileges_are_those_of_all_roles_together(storage: &Storage) {
    role_written(storage, a_role("reader", &["users:read", "audit:read"])).await;
    role_written(storage, a_role("writer", &["users:read", "users:write", "a:x"])).await;
    role_written(storage, a_role("other", &["b:x"])).await;
    let open = WriteRole {
        self_assignable: true,
        ..a_role("open", &[])
    };
    role_written(storage, open).await;
    let user = with_roles("alice", &["open", "reader", "user", "writer"]);
    let core = &CoreStorage::of(storage);
    let (alice, session) = logged_in_as(core, user).await;
    let union = a_role("any", &["audit:read", "users:read", "users:write", "a:x"]);
    let snapshot = snapshot(core, session.id).await;
    assert_eq!(snapshot.permissions, union.permissions);
    let reads = Reads {
        account: Some(alice.id),
        target: true,
        caller: Some(identity(&alice, &session)),
        ..Reads::default()
    };
    let facts = probe::loaded(core, reads, at(10)).await;
    let target = facts.target.expect("the user was stored");
    assert_eq!(target.permissions, union.permissions);
    assert_eq!(target.privileged_roles, role_names(&["reader", "writer"]));
    assert_eq!(facts.caller, Some(snapshot));
}

async fn roles_of_the_catalogue_are_read_with_all_their_fields(storage: &Storage) {
    let open = WriteRole {
        self_assignable: true,
        ..a_role("open", &["a:x"])
    };
    let expected = [
        role_written(storage, a_role("closed", &["b:x"])).await,
        role_written(storage, open).await,
    ];
    let reads = Reads {
        roles: role_names(&["open", "closed", "unknown"]),
        ..Reads::default()
    };
    let facts = probe::loaded(&CoreStorage::of(storage), reads, at(10)).await;
    assert_eq!(facts.roles, expected);
}
