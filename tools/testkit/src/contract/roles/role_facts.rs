//! Storage loads what a command on the catalogue reads, and the permissions of roles other than the
//! built-in ones.

use crate::{
    CoreStorage, Storage,
    contract::{
        accounts::probe,
        support::{decided, logged_in_as, logged_in_with, logged_out, registered, role_written, snapshot},
    },
    fixtures::{a_role, a_user, at, context, identity, role_names},
};
use chrono::{DateTime, Utc};
use domain::{
    changes::{CatalogueChange, CatalogueCommand, CatalogueFacts, CatalogueReads, Reads, Refusal, WriteRole},
    role::RoleName,
    user::NewUser,
};
use std::sync::{Arc, Mutex};

cases! { roles::role_facts(Storage):
    the_catalogue_is_read_with_the_number_of_holders_and_the_caller,
    permissions_are_those_of_all_roles_together,
    roles_of_the_catalogue_are_read_with_all_their_fields,
}

/// A command that decides nothing, and keeps the facts that it was given.
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
        let mut kept = self.facts.lock().expect("no other test panics");
        *kept = Some(facts.clone());
        Err(Refusal::RoleNotFound)
    }
}

/// Returns what storage loads for `reads`, in a dry run as well as in an execution, with the roles
/// sorted.
async fn loaded(storage: &Storage, reads: &CatalogueReads) -> CatalogueFacts {
    let mut all = Vec::new();
    for is_dry_run in [false, true] {
        let probe = Arc::new(Probe {
            reads: reads.clone(),
            facts: Mutex::default(),
        });
        let decided = decided(|| {
            let command: Arc<dyn CatalogueCommand> = probe.clone();
            if is_dry_run {
                storage.roles.dry_run(command, context(at(10)))
            } else {
                storage.roles.execute(command, context(at(10)))
            }
        });
        assert_eq!(decided.await, Err(Refusal::RoleNotFound));
        let kept = probe.facts.lock().expect("no other test panics").take();
        let mut facts = kept.expect("storage lets the command decide");
        facts.roles.sort_by(|one, other| one.name.cmp(&other.name));
        all.push(facts);
    }
    let [executed, dry] = all.try_into().expect("two calls");
    assert_eq!(executed, dry, "a dry run decides on other facts");
    dry
}

async fn the_catalogue_is_read_with_the_number_of_holders_and_the_caller(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let (alice, session) = logged_in_with(storage, "alice", &["a:x"]).await;
    let both = NewUser {
        roles: role_names(&["of-alice", "user"]),
        ..a_user("bob")
    };
    registered(core, both).await;
    role_written(storage, a_role("unused", &["b:x"])).await;
    let catalogue = storage.roles.list().await.expect("storage answers");
    for (name, holders) in [
        ("of-alice", 2),
        ("user", 1),
        ("unused", 0),
        ("unknown", 0),
        ("admin", 0),
    ] {
        for removes in [false, true] {
            let caller = removes.then(|| identity(&alice, &session));
            let reads = CatalogueReads {
                role: RoleName::parse(name).expect("a role's name"),
                removes,
                caller,
            };
            let expected = CatalogueFacts {
                roles: catalogue.clone(),
                holders,
                caller: if removes {
                    Some(snapshot(core, session.id).await)
                } else {
                    None
                },
            };
            assert_eq!(loaded(storage, &reads).await, expected, "{name}");
        }
    }
    logged_out(core, &session, 5).await;
    let reads = CatalogueReads {
        role: RoleName::USER,
        removes: false,
        caller: Some(identity(&alice, &session)),
    };
    let ended = loaded(storage, &reads).await.caller;
    assert_eq!(ended, Some(snapshot(core, session.id).await));
}

async fn permissions_are_those_of_all_roles_together(storage: &Storage) {
    role_written(storage, a_role("reader", &["users:read", "audit:read"])).await;
    role_written(storage, a_role("writer", &["users:read", "users:write", "a:x"])).await;
    role_written(storage, a_role("other", &["b:x"])).await;
    let user = NewUser {
        roles: role_names(&["reader", "writer"]),
        ..a_user("alice")
    };
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
    let target = facts.target.expect("the user who was stored");
    assert_eq!(target.permissions, union.permissions);
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
