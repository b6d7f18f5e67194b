//! The contract of [`Machines`](domain::ports::Machines), and what
//! [`SessionSnapshots`](domain::ports::SessionSnapshots) must do for secrets of machines.

use super::prelude::*;
use domain::{
    changes::{
        AddMachineSecret, AssignMachineRoles, CreateMachine, DeleteMachine, DeleteRole, MachineAccount,
        MachineChange, MachineCommand, MachineDecision, RemoveMachineSecret, SetMachineStatus,
    },
    machine::{Audience, Machine, MachineId, MachineName, MachineSecret, SecretProof},
    session::SecretDigest,
};

contract! {
    /// Defines a named test for each case of the contract of
    /// [`Machines`](domain::ports::Machines).
    ///
    /// `$fresh` is an async function that returns a [`Storage`](crate::Storage) with the built-in
    /// roles alone, and a guard that keeps it alive for the test.
    machines_contract = storage_cases for machines(Storage):
        a_machine_is_stored_with_its_roles_and_secrets,
        machines_are_listed_by_name,
        every_command_changes_what_it_decided,
        a_refused_command_and_a_dry_run_write_nothing,
        one_of_many_concurrent_creations_with_a_name_succeeds,
        one_of_many_concurrent_additions_of_a_second_secret_succeeds,
        a_secret_is_a_session_of_its_machine,
        a_machine_is_validated_as_the_caller,
        a_role_that_a_machine_has_is_in_use,
        the_last_use_of_a_secret_never_moves_back,
}

/// Returns a secret that differs for each `number`.
fn a_secret(number: u8, expires_at: Option<DateTime<Utc>>) -> MachineSecret {
    let proof = SecretProof {
        session: SessionId(unique_uuid()),
        digest: SecretDigest([number; 32]),
    };
    MachineSecret::new(proof, at(i64::from(number)), expires_at)
}

/// Returns the command to create a machine with the role `user` and one secret.
fn creation(name: &str) -> CreateMachine {
    CreateMachine {
        machine: MachineId(unique_uuid()),
        name: MachineName::parse(name).expect("the name is valid"),
        audience: Some(Audience::parse("https://orders.example").expect("the audience is valid")),
        roles: role_names(&["user"]),
        secret: Some(a_secret(1, Some(at(1_000)))),
        authorized_by: None,
    }
}

fn account(machine: MachineId) -> MachineAccount {
    MachineAccount {
        machine,
        if_revision: None,
        authorized_by: None,
    }
}

/// Executes `command` at second 5, and repeats it while storage is overloaded.
async fn execute(storage: &Storage, command: Arc<dyn MachineCommand>) -> Result<MachineDecision, Refusal> {
    decided(|| storage.machines.execute(command.clone(), context(at(5)))).await
}

/// Executes `command`, which the rules allow, and returns the machine after the change.
async fn done(storage: &Storage, command: impl MachineCommand + 'static) -> Machine {
    let decision = execute(storage, Arc::new(command)).await;
    let decision = decision.expect("the rules allow the change");
    decision.change.machine().clone()
}

async fn find(storage: &Storage, id: MachineId) -> Option<Machine> {
    storage.machines.find(id).await.expect("storage is available")
}

/// Returns all machines and all events, to assert that nothing changed.
async fn everything(storage: &Storage) -> (Vec<Machine>, Vec<(AuditEvent, AuditContext)>) {
    let machines = storage.machines.list().await.expect("storage is available");
    (machines, CoreStorage::of(storage).recorded.recorded().await)
}

async fn snapshot_of(storage: &Storage, secret: SessionId) -> Option<SessionSnapshot> {
    find_snapshot(&CoreStorage::of(storage), secret).await
}

async fn a_machine_is_stored_with_its_roles_and_secrets(storage: &Storage) {
    let bare = CreateMachine {
        audience: None,
        roles: role_names(&[]),
        secret: None,
        ..creation("bare")
    };
    for command in [creation("billing"), bare] {
        let created = done(storage, command.clone()).await;
        assert_eq!(created.secrets, Vec::from_iter(command.secret));
        assert_eq!(find(storage, created.id).await, Some(created));
    }
    assert_eq!(find(storage, MachineId(unique_uuid())).await, None);
}

async fn machines_are_listed_by_name(storage: &Storage) {
    let mut created = Vec::new();
    for name in ["b-job", "a_job", "b.job", "bjob", "a"] {
        created.push(done(storage, creation(name)).await);
    }
    created.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(everything(storage).await.0, created);
}

async fn every_command_changes_what_it_decided(storage: &Storage) {
    let machine = done(storage, creation("billing")).await;
    let other = done(storage, creation("other")).await;
    let second = a_secret(2, None);
    let first = machine.secrets.first().expect("the machine has a secret").id;
    let account = account(machine.id);
    let commands: [Arc<dyn MachineCommand>; 7] = [
        Arc::new(AssignMachineRoles {
            account,
            roles: role_names(&["admin", "user"]),
        }),
        Arc::new(AssignMachineRoles {
            account,
            roles: role_names(&[]),
        }),
        Arc::new(SetMachineStatus {
            account,
            status: UserStatus::Disabled,
        }),
        Arc::new(SetMachineStatus {
            account,
            status: UserStatus::Disabled,
        }),
        Arc::new(AddMachineSecret {
            account,
            secret: second,
        }),
        Arc::new(RemoveMachineSecret {
            account,
            secret: first,
        }),
        Arc::new(DeleteMachine { account }),
    ];
    for command in commands {
        let (_, before) = everything(storage).await;
        let dry = decided(|| storage.machines.dry_run(command.clone(), context(at(5)))).await;
        assert_eq!(everything(storage).await.1, before, "{command:?}");

        let decision = execute(storage, Arc::clone(&command)).await;
        assert_eq!(decision, dry, "{command:?}");
        let decision = decision.expect("the rules allow the change");

        let now = match &decision.change {
            MachineChange::Delete(_) => None,
            change => Some(change.machine().clone()),
        };
        assert_eq!(find(storage, machine.id).await, now, "{command:?}");
        let events = everything(storage).await.1;
        let event = decision.event.map(|event| (event, context(at(5))));
        assert_eq!(events.get(before.len()..), Some(event.as_slice()), "{command:?}");
        assert_eq!(find(storage, other.id).await.as_ref(), Some(&other));
    }
}

async fn a_refused_command_and_a_dry_run_write_nothing(storage: &Storage) {
    let machine = done(storage, creation("billing")).await;
    let before = everything(storage).await;
    let unknown = account(MachineId(unique_uuid()));
    let unknown_role = CreateMachine {
        roles: role_names(&["wizard"]),
        ..creation("reports")
    };
    let cases: [(Arc<dyn MachineCommand>, Refusal); 5] = [
        (Arc::new(creation("billing")), Refusal::MachineNameTaken),
        (Arc::new(unknown_role), Refusal::UnknownRole(role_name("wizard"))),
        (
            Arc::new(DeleteMachine { account: unknown }),
            Refusal::MachineNotFound,
        ),
        (
            Arc::new(RemoveMachineSecret {
                account: account(machine.id),
                secret: SessionId(unique_uuid()),
            }),
            Refusal::SecretNotFound,
        ),
        (
            Arc::new(DeleteMachine {
                account: MachineAccount {
                    authorized_by: Some(identity_of(&machine)),
                    ..account(machine.id)
                },
            }),
            Denied::Forbidden(domain::role::Permission::MACHINES_WRITE).into(),
        ),
    ];
    for (command, refusal) in cases {
        assert_eq!(execute(storage, command).await, Err(refusal));
    }
    let dry = decided(|| {
        storage
            .machines
            .dry_run(Arc::new(creation("reports")), context(at(5)))
    })
    .await;
    assert!(dry.is_ok(), "{dry:?}");
    assert_eq!(everything(storage).await, before);
}

/// Executes `commands` at the same time, and asserts that one of them succeeds.
async fn assert_one_succeeds(storage: &Storage, commands: Vec<Arc<dyn MachineCommand>>, refusal: Refusal) {
    let running = commands.into_iter().map(|command| {
        let storage = storage.clone();
        tokio::spawn(async move { execute(&storage, command).await })
    });
    let mut succeeded = 0;
    for result in Vec::from_iter(running) {
        match result.await.expect("no command panics") {
            Ok(_) => succeeded += 1,
            Err(refused) => assert_eq!(refused, refusal),
        }
    }
    assert_eq!(succeeded, 1);
}

async fn one_of_many_concurrent_creations_with_a_name_succeeds(storage: &Storage) {
    let creations = (0..10).map(|_| -> Arc<dyn MachineCommand> { Arc::new(creation("billing")) });
    assert_one_succeeds(storage, creations.collect(), Refusal::MachineNameTaken).await;
    assert_eq!(everything(storage).await.0.len(), 1);
}

async fn one_of_many_concurrent_additions_of_a_second_secret_succeeds(storage: &Storage) {
    let machine = done(storage, creation("billing")).await;
    let additions = (2..12).map(|number| -> Arc<dyn MachineCommand> {
        Arc::new(AddMachineSecret {
            account: account(machine.id),
            secret: a_secret(number, None),
        })
    });
    assert_one_succeeds(storage, additions.collect(), Refusal::TooManySecrets).await;
    let secrets = find(storage, machine.id)
        .await
        .expect("the machine exists")
        .secrets;
    assert_eq!(secrets.len(), 2);
}

async fn a_secret_is_a_session_of_its_machine(storage: &Storage) {
    let created = done(storage, creation("billing")).await;
    let machine = done(
        storage,
        AddMachineSecret {
            account: account(created.id),
            secret: a_secret(2, None),
        },
    )
    .await;
    done(storage, creation("other")).await;
    for secret in &machine.secrets {
        let expected = SessionSnapshot {
            session: secret.id,
            lifetime: secret.lifetime(),
            principal: machine.clone().into(),
            permissions: Permissions::new(),
        };
        assert_eq!(snapshot_of(storage, secret.id).await, Some(expected));
    }
    let roles = AssignMachineRoles {
        account: account(machine.id),
        roles: role_names(&["admin", "user"]),
    };
    let machine = done(storage, roles).await;
    let [first, second] = [0, 1].map(|place| machine.secrets.get(place).expect("there are two").id);
    let shown = snapshot_of(storage, first).await.expect("the secret exists");
    assert_eq!(
        (shown.principal, shown.permissions),
        (machine.clone().into(), allowed("admin"))
    );
    let removal = RemoveMachineSecret {
        account: account(machine.id),
        secret: first,
    };
    done(storage, removal).await;
    assert_eq!(snapshot_of(storage, first).await, None);
    assert!(snapshot_of(storage, second).await.is_some());
    let deletion = DeleteMachine {
        account: account(machine.id),
    };
    done(storage, deletion).await;
    assert_eq!(snapshot_of(storage, second).await, None);
}

/// Returns the identity in a token for the machine's first secret.
fn identity_of(machine: &Machine) -> TokenIdentity {
    TokenIdentity {
        principal: machine.id.into(),
        session: machine.secrets.first().expect("the machine has a secret").id,
        epoch: machine.epoch,
    }
}

async fn a_machine_is_validated_as_the_caller(storage: &Storage) {
    registered(&CoreStorage::of(storage), an_admin("root")).await;
    let alice = registered(&CoreStorage::of(storage), a_user("alice")).await;
    let administrator = CreateMachine {
        roles: role_names(&["admin"]),
        ..creation("administrator")
    };
    let machine = done(storage, administrator).await;
    let by_machine = |machine: &Machine, status| -> Arc<dyn Command> {
        Arc::new(SetStatus {
            account: Account {
                user: alice.id,
                if_revision: None,
                authorized_by: Some(identity_of(machine)),
            },
            status,
        })
    };
    let changed = async |command: Arc<dyn Command>| {
        decided(|| storage.accounts.execute(command.clone(), context(at(5)))).await
    };
    let on_user = changed(by_machine(&machine, UserStatus::Disabled)).await;
    assert!(on_user.is_ok(), "{on_user:?}");
    let role = WriteRole {
        authorized_by: Some(identity_of(&machine)),
        ..a_role("editor", &["posts:write"])
    };
    let role: Arc<dyn domain::changes::CatalogueCommand> = Arc::new(role);
    let on_role = decided(|| storage.roles.execute(role.clone(), context(at(5)))).await;
    assert!(on_role.is_ok(), "{on_role:?}");
    let disable = SetMachineStatus {
        account: MachineAccount {
            authorized_by: Some(identity_of(&machine)),
            ..account(machine.id)
        },
        status: UserStatus::Disabled,
    };
    done(storage, disable).await;
    let refused = changed(by_machine(&machine, UserStatus::Active)).await;
    assert_eq!(refused.map(drop), Err(Denied::Stale.into()));
}

async fn a_role_that_a_machine_has_is_in_use(storage: &Storage) {
    let editor: Arc<dyn domain::changes::CatalogueCommand> = Arc::new(a_role("editor", &["posts:write"]));
    let written = decided(|| storage.roles.execute(editor.clone(), context(at(5)))).await;
    assert!(written.is_ok(), "{written:?}");
    let machine = CreateMachine {
        roles: role_names(&["editor"]),
        ..creation("billing")
    };
    let machine = done(storage, machine).await;
    let removal: Arc<dyn domain::changes::CatalogueCommand> = Arc::new(DeleteRole {
        name: role_name("editor"),
        if_revision: None,
        authorized_by: None,
    });
    let remove = async || decided(|| storage.roles.execute(removal.clone(), context(at(5)))).await;
    assert_eq!(remove().await, Err(Refusal::RoleInUse(1)));
    let deletion = DeleteMachine {
        account: account(machine.id),
    };
    done(storage, deletion).await;
    assert!(remove().await.is_ok());
}

async fn the_last_use_of_a_secret_never_moves_back(storage: &Storage) {
    let machine = done(storage, creation("billing")).await;
    let secret = machine.secrets.first().expect("the machine has a secret").id;
    for (used_at, stored) in [(at(7), at(7)), (at(9), at(9)), (at(8), at(9))] {
        let recorded = storage.machines.record_use(secret, used_at).await;
        recorded.expect("storage is available");
        let found = find(storage, machine.id).await.expect("the machine exists");
        assert_eq!(found.last_used_at(), Some(stored));
    }
    let unknown = storage.machines.record_use(SessionId(unique_uuid()), at(9)).await;
    unknown.expect("storage is available");
    let addition = AddMachineSecret {
        account: account(machine.id),
        secret: a_secret(2, None),
    };
    done(storage, addition).await;
    let found = find(storage, machine.id).await.expect("the machine exists");
    assert_eq!(found.last_used_at(), Some(at(9)));
}
