//! What commands on machines read and decide.

use super::{ChangeError, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    authority::Authority,
    caller::SessionSnapshot,
    invalidation::InvalidationScope,
    machine::{Machine, MachineId, MachineName},
    role::{Role, RoleName, RoleNames},
    token::TokenIdentity,
};
use chrono::{DateTime, Utc};
use std::fmt;

/// A requested change to a machine or its secrets.
pub trait MachineCommand: fmt::Debug + Send + Sync {
    /// Returns what storage has to load and lock before [`decide`](Self::decide) is called.
    fn reads(&self) -> MachineReads;

    /// Decides what to change. The result depends on the command and the arguments alone.
    ///
    /// # Errors
    /// Returns a [`Refusal`] if the rules do not allow the change. In that case nothing may be
    /// written.
    fn decide(&self, facts: &MachineFacts, at: DateTime<Utc>) -> Result<MachineDecision, Refusal>;

    /// Returns the scope to invalidate when a refusal means that another request has already made
    /// this change.
    fn already_done(&self) -> Option<InvalidationScope>;
}

/// The data that a command on a machine reads in addition to the whole catalogue of roles, which
/// cannot change until the transaction ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineReads {
    /// The machine to change, whose row is locked, or the id of the one to create.
    pub machine: MachineId,
    /// The name of the machine to create. Storage runs such commands one at a time.
    pub created: Option<MachineName>,
    /// The token that authorises the change. Its user or machine and its session are locked.
    pub caller: Option<TokenIdentity>,
}

/// The data that was loaded in the transaction that makes the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineFacts {
    /// The machine of [`MachineReads::machine`], if it exists.
    pub machine: Option<Machine>,
    /// The number of machines. Zero if the command creates none.
    pub machines: u64,
    /// Whether a machine has the name of [`MachineReads::created`].
    pub name_taken: bool,
    /// All roles.
    pub roles: Vec<Role>,
    /// The session of [`MachineReads::caller`] with its user or machine and permissions, if it
    /// exists.
    pub caller: Option<SessionSnapshot>,
}

/// A decided change. Storage writes all of it or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineDecision {
    pub change: MachineChange,
    /// The audit event to write in the same transaction; `None` if nothing changes.
    pub event: Option<AuditEvent>,
    /// The session snapshots that become stale.
    pub invalidates: Option<InvalidationScope>,
}

/// The data to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineChange {
    /// Store a new machine with its roles and secrets.
    Insert(Machine),
    /// Store the roles, the status, the epoch, the revision, the time of the update and the secrets
    /// of a machine, in place of the current ones. The last uses of secrets are not changed.
    Update(Machine),
    /// Remove a machine with its secrets.
    Delete(Machine),
    /// The machine already is as requested. Nothing is stored.
    Unchanged(Machine),
}

impl MachineChange {
    /// Returns the machine after the change; for a removal, the machine before.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        match self {
            Self::Insert(machine)
            | Self::Update(machine)
            | Self::Delete(machine)
            | Self::Unchanged(machine) => machine,
        }
    }
}

impl MachineDecision {
    /// Returns the decision that the machine already is as requested.
    pub(super) fn unchanged(machine: &Machine) -> Self {
        Self {
            change: MachineChange::Unchanged(machine.clone()),
            event: None,
            // Another request may have made the change and still wait for replicas.
            invalidates: Some(InvalidationScope::Machine(machine.id)),
        }
    }

    /// Returns the decision to replace a machine with `machine`, at its next revision.
    pub(super) fn update(machine: Machine, event: AuditEvent, at: DateTime<Utc>) -> Self {
        Self {
            invalidates: Some(InvalidationScope::Machine(machine.id)),
            change: MachineChange::Update(machine.changed(at)),
            event: Some(event),
        }
    }
}

impl MachineFacts {
    /// Returns the machine of [`MachineReads::machine`].
    pub(super) fn machine(&self) -> Result<&Machine, Refusal> {
        self.machine.as_ref().ok_or(Refusal::MachineNotFound)
    }

    /// Validates the token of [`MachineReads::caller`] against the session as it is now.
    pub(super) fn authority(
        &self,
        token: Option<TokenIdentity>,
        at: DateTime<Utc>,
    ) -> Result<Authority, Refusal> {
        Ok(Authority::validate(token, self.caller.clone(), at)?)
    }

    /// Refuses roles that the catalogue does not contain.
    pub(super) fn require_known(&self, names: &RoleNames) -> Result<(), Refusal> {
        let is_known = |name: &RoleName| self.roles.iter().any(|role| role.name == *name);
        match names.iter().find(|name| !is_known(name)) {
            Some(name) => Err(Refusal::UnknownRole(name.clone())),
            None => Ok(()),
        }
    }
}

/// Returns an event about the machine, which is recorded as the detail `machine`.
pub(super) fn event_about(action: AuditAction, machine: MachineId) -> AuditEvent {
    AuditEvent::new(action).with("machine", machine)
}

impl dyn MachineCommand + '_ {
    /// Returns what replicas must drop from their caches before the caller gets `result`.
    #[must_use]
    pub fn invalidated(&self, result: &Result<MachineDecision, ChangeError>) -> Option<InvalidationScope> {
        match result {
            Ok(decision) => decision.invalidates,
            Err(ChangeError::Refused(refusal)) => {
                refusal.invalidates(self.already_done(), self.reads().caller)
            }
            Err(ChangeError::Port(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        changes::{
            AddMachineSecret, AssignMachineRoles, CreateMachine, DeleteMachine, MachineAccount,
            RemoveMachineSecret, SetMachineStatus,
            fixtures::{CALLER, admin_snapshot, permissions, role, snapshot, token},
        },
        fixtures::{now, roles, user_in},
        machine::{MAX_MACHINES, MachineSecret, SecretProof},
        ports::PortError,
        revision::Revision,
        role::{Permission, built_in},
        session::{SecretDigest, SessionId},
        user::{Epoch, UserStatus},
    };
    use chrono::Duration;
    use uuid::Uuid;

    const MACHINE: MachineId = MachineId(Uuid::from_u128(50));
    const FIRST: SessionId = SessionId(Uuid::from_u128(51));
    const SECOND: SessionId = SessionId(Uuid::from_u128(52));

    fn secret(id: SessionId, expires_at: Option<DateTime<Utc>>) -> MachineSecret {
        let proof = SecretProof {
            session: id,
            digest: SecretDigest([7; 32]),
        };
        MachineSecret::new(proof, now() - Duration::hours(1), expires_at)
    }

    /// An active machine with the role `user` and one secret.
    fn machine() -> Machine {
        Machine {
            id: MACHINE,
            name: MachineName::parse("billing").expect("the name is valid"),
            audience: None,
            roles: roles(&["user"]),
            status: UserStatus::Active,
            epoch: Epoch(4),
            revision: Revision(6),
            created_at: now() - Duration::days(1),
            updated_at: now() - Duration::days(1),
            secrets: vec![secret(FIRST, None)],
        }
    }

    fn account() -> MachineAccount {
        MachineAccount {
            machine: MACHINE,
            if_revision: None,
            authorized_by: Some(token()),
        }
    }

    /// Facts about [`machine`]. The caller is an administrator.
    fn facts() -> MachineFacts {
        MachineFacts {
            machine: Some(machine()),
            machines: 1,
            name_taken: false,
            roles: built_in()
                .into_iter()
                .chain([role("editor", &["posts:write"])])
                .collect(),
            caller: Some(admin_snapshot()),
        }
    }

    fn creation() -> CreateMachine {
        CreateMachine {
            machine: MACHINE,
            name: machine().name,
            audience: None,
            roles: roles(&["editor"]),
            secret: Some(secret(FIRST, None)),
            authorized_by: Some(token()),
        }
    }

    fn assignment(names: &[&str]) -> AssignMachineRoles {
        AssignMachineRoles {
            account: account(),
            roles: roles(names),
        }
    }

    fn status(status: UserStatus) -> SetMachineStatus {
        SetMachineStatus {
            account: account(),
            status,
        }
    }

    fn addition() -> AddMachineSecret {
        AddMachineSecret {
            account: account(),
            secret: secret(SECOND, None),
        }
    }

    fn removal(secret: SessionId) -> RemoveMachineSecret {
        RemoveMachineSecret {
            account: account(),
            secret,
        }
    }

    fn deletion() -> DeleteMachine {
        DeleteMachine { account: account() }
    }

    fn about(action: AuditAction) -> AuditEvent {
        AuditEvent::new(action).with("machine", MACHINE)
    }

    fn updated(machine: Machine) -> MachineChange {
        MachineChange::Update(Machine {
            revision: Revision(7),
            updated_at: now(),
            ..machine
        })
    }

    #[test]
    fn a_machine_is_created_active_at_its_first_epoch() {
        let facts = MachineFacts {
            machine: None,
            ..facts()
        };
        let decision = creation()
            .decide(&facts, now())
            .expect("the rules allow the change");
        let created = Machine {
            roles: roles(&["editor"]),
            epoch: Epoch::FIRST,
            revision: Revision::FIRST,
            created_at: now(),
            updated_at: now(),
            ..machine()
        };
        assert_eq!(decision.change, MachineChange::Insert(created));
        let event = about(AuditAction::MachineCreated).with("name", "billing");
        assert_eq!(decision.event, Some(event.with("roles", "editor")));
        assert_eq!(decision.invalidates, None);
    }

    #[test]
    fn each_change_has_its_effects() {
        let all = Some(InvalidationScope::Machine(MACHINE));
        let next = || Machine {
            epoch: Epoch(5),
            ..machine()
        };
        let with_roles = Machine {
            roles: roles(&["editor"]),
            ..next()
        };
        let disabled = Machine {
            status: UserStatus::Disabled,
            ..next()
        };
        let with_two = Machine {
            secrets: vec![secret(FIRST, None), secret(SECOND, None)],
            ..machine()
        };
        let with_none = Machine {
            secrets: vec![],
            ..machine()
        };
        let changed_roles = about(AuditAction::MachineRolesChanged).with("before", "user");
        let deleted = about(AuditAction::MachineDeleted).with("name", "billing");
        let cases: [(&dyn MachineCommand, MachineChange, Option<AuditEvent>, _); 7] = [
            (
                &assignment(&["editor"]),
                updated(with_roles),
                Some(changed_roles.with("after", "editor")),
                all,
            ),
            (
                &assignment(&["user"]),
                MachineChange::Unchanged(machine()),
                None,
                all,
            ),
            (
                &status(UserStatus::Disabled),
                updated(disabled),
                Some(about(AuditAction::MachineDisabled)),
                all,
            ),
            (
                &status(UserStatus::Active),
                MachineChange::Unchanged(machine()),
                None,
                all,
            ),
            (
                &addition(),
                updated(with_two),
                Some(about(AuditAction::MachineSecretAdded).with("secret", SECOND)),
                all,
            ),
            (
                &removal(FIRST),
                updated(with_none),
                Some(about(AuditAction::MachineSecretRemoved).with("secret", FIRST)),
                Some(InvalidationScope::Session(FIRST)),
            ),
            (&deletion(), MachineChange::Delete(machine()), Some(deleted), all),
        ];
        for (command, change, event, invalidates) in cases {
            let decision = command.decide(&facts(), now());
            let expected = MachineDecision {
                change,
                event,
                invalidates,
            };
            assert_eq!(decision, Ok(expected), "{command:?}");
        }
    }

    #[test]
    fn a_machine_has_at_most_two_secrets_that_have_not_expired() {
        let mut facts = facts();
        let full = facts.machine.as_mut().expect("the facts contain the machine");
        full.secrets
            .push(secret(SessionId(Uuid::from_u128(53)), Some(now())));
        let decision = addition().decide(&facts, now()).expect("one has expired");
        let ids: Vec<_> = decision.change.machine().secrets.iter().map(|it| it.id).collect();
        assert_eq!(ids, [FIRST, SECOND]);
        let full = facts.machine.as_mut().expect("the facts contain the machine");
        full.secrets = vec![secret(FIRST, None), secret(SessionId(Uuid::from_u128(53)), None)];
        assert_eq!(addition().decide(&facts, now()), Err(Refusal::TooManySecrets));
    }

    type Spoil = fn(&mut MachineFacts);

    #[test]
    fn creations_are_refused_by_every_rule() {
        let cases: [(Spoil, CreateMachine, Refusal); 6] = [
            (|facts| facts.caller = None, creation(), Denied::Stale.into()),
            (
                |facts| facts.caller = Some(snapshot(permissions(&["roles:assign"]))),
                creation(),
                Denied::Forbidden(Permission::MACHINES_WRITE).into(),
            ),
            (
                |facts| facts.caller = Some(snapshot(permissions(&["machines:write"]))),
                creation(),
                Denied::NotAssignable(role("editor", &[]).name).into(),
            ),
            (
                |_| {},
                CreateMachine {
                    roles: roles(&["wizard"]),
                    ..creation()
                },
                Refusal::UnknownRole(role("wizard", &[]).name),
            ),
            (
                |facts| facts.name_taken = true,
                creation(),
                Refusal::MachineNameTaken,
            ),
            (
                |facts| facts.machines = MAX_MACHINES,
                creation(),
                Refusal::TooManyMachines,
            ),
        ];
        for (spoil, command, refusal) in cases {
            let mut facts = MachineFacts {
                machine: None,
                ..facts()
            };
            spoil(&mut facts);
            assert_eq!(command.decide(&facts, now()), Err(refusal));
        }
    }

    #[test]
    fn a_caller_changes_only_machines_of_which_they_reach_all_privileges() {
        let commands: [&dyn MachineCommand; 5] = [
            &assignment(&[]),
            &status(UserStatus::Disabled),
            &addition(),
            &removal(FIRST),
            &deletion(),
        ];
        let outcome = |command: &dyn MachineCommand, held: &str, texts: &[&str]| {
            let mut caller = snapshot(permissions(texts));
            user_in(&mut caller).roles.extend(roles(&["editor"]));
            let machine = Machine {
                roles: roles(&[held]),
                ..machine()
            };
            let facts = MachineFacts {
                machine: Some(machine),
                caller: Some(caller),
                ..facts()
            };
            command.decide(&facts, now()).map(drop)
        };
        for command in commands {
            let both = ["machines:write", "posts:write"];
            assert_eq!(outcome(command, "editor", &both), Ok(()), "{command:?}");
            let without_permission = outcome(command, "editor", &both[..1]);
            assert_eq!(without_permission, Err(Denied::OutOfReach.into()), "{command:?}");
            let of_admin = outcome(command, "admin", &both);
            assert_eq!(of_admin, Err(Denied::OutOfReach.into()), "{command:?}");
        }
        let both = ["machines:write", "posts:write"];
        let admin = outcome(&assignment(&["admin"]), "editor", &both);
        assert_eq!(admin, Err(Denied::NotAssignable(RoleName::ADMIN).into()));
    }

    #[test]
    fn changes_of_a_missing_machine_or_of_another_revision_are_refused() {
        let missing = MachineFacts {
            machine: None,
            ..facts()
        };
        assert_eq!(deletion().decide(&missing, now()), Err(Refusal::MachineNotFound));
        let other = DeleteMachine {
            account: MachineAccount {
                if_revision: Some(Revision(5)),
                ..account()
            },
        };
        assert_eq!(other.decide(&facts(), now()), Err(Refusal::RevisionMismatch));
        assert_eq!(
            removal(SECOND).decide(&facts(), now()),
            Err(Refusal::SecretNotFound)
        );
    }

    #[test]
    fn a_result_invalidates_what_it_shows_to_be_stale() {
        let removal = removal(FIRST);
        let command: &dyn MachineCommand = &removal;
        let session = Some(InvalidationScope::Session(FIRST));
        let refused = |refusal: Refusal| Err(ChangeError::from(refusal));
        for (result, expected) in [
            (
                command.decide(&facts(), now()).map_err(ChangeError::from),
                session,
            ),
            (refused(Refusal::SecretNotFound), session),
            (refused(Refusal::MachineNotFound), session),
            (
                refused(Denied::Stale.into()),
                Some(InvalidationScope::User(CALLER)),
            ),
            (refused(Refusal::TooManySecrets), None),
            (Err(PortError::Overloaded.into()), None),
        ] {
            assert_eq!(command.invalidated(&result), expected, "{result:?}");
        }
    }
}
