//! Privilege escalation: users who are not administrators collude. They call every use case that
//! changes a user or a role, and never gain a privilege that none of them had at the start: a
//! permission, or a role that is not self-assignable. Neither does any user who takes
//! self-assignable roles.
//!
//! Storage crates run this test over their storage too. The parent module provides `fresh` and the
//! number of sequences to try.

#[path = "colluders.rs"]
mod colluders;

use super::{ESCALATIONS, fresh};
use colluders::{Colluders, PERMISSIONS, ROLES, Start, Step, chosen, item_at, owned, start, step};
use domain::{
    audit::Origin,
    authority::Requester,
    caller::Caller,
    changes::{ChangeError, OpenSession},
    core::{Administration, Core},
    revision::Precondition,
    step_up::StepUp,
    steps::{ChangeRequest, UserRef},
    use_cases::{AssignRolesRequest, Assignee, DeleteRoleRequest, RoleRequest},
    user::{UserId, UserStatus},
};
use proptest::{collection::vec, prelude::*};
use std::{collections::BTreeMap, sync::Arc};
use testkit::{
    Fakes, FixedClock, Storage,
    fixtures::{a_session, at, context, identity},
};

struct World {
    storage: Storage,
    core: Core,
    administration: Administration,
    colluders: Colluders,
    tokens: BTreeMap<UserId, Caller>,
}

impl World {
    async fn new(storage: Storage, start: &Start) -> Self {
        let (core, administration) = use_cases(&storage);
        Self {
            colluders: Colluders::new(storage.clone(), start).await,
            storage,
            core,
            administration,
            tokens: BTreeMap::new(),
        }
    }

    /// Returns a controlled user with the token of an earlier step, or of a new login if the user
    /// can log in.
    async fn caller(&mut self, step: Step) -> Option<Caller> {
        let id = item_at(&self.colluders.controlled, step.by);
        if !step.with_an_old_token {
            let user = self
                .storage
                .accounts
                .find(id)
                .await
                .expect("storage is available")?;
            let session = a_session(id, at(1));
            let open = OpenSession {
                session: session.clone(),
                epoch: user.epoch,
                known: None,
                max_sessions: 9,
            };
            let opened = self.storage.accounts.execute(Arc::new(open), context(at(1)));
            match opened.await {
                Ok(_) => {}
                Err(ChangeError::Refused(_)) => return None,
                Err(ChangeError::Port(error)) => panic!("storage is unavailable: {error}"),
            }
            let snapshot = self.storage.snapshots.snapshot(session.id).await;
            let snapshot = snapshot
                .expect("storage is available")
                .expect("the session exists");
            let caller = Arc::new(snapshot).validate(identity(&user, &session), at(2));
            let caller = caller.ok()?.with_step_up(StepUp::Recent);
            self.tokens.insert(id, caller);
        }
        self.tokens.get(&id).cloned()
    }

    /// Makes one call, which may be refused.
    async fn take(&mut self, step: Step) {
        let Some(caller) = self.caller(step).await else {
            return;
        };
        let target = item_at(&self.colluders.users, step.target);
        match step.action {
            0 => self.assign_roles(&caller, target, step).await,
            1 => self.write_role(&caller, step).await,
            2 => self.delete_role(&caller, step).await,
            3 => self.reset_password(&caller, target).await,
            4 => self.set_status(&caller, target, step).await,
            5 if step.flag => self.delete_user(&caller, target).await,
            _ => self.revoke_sessions(&caller, target).await,
        }
    }

    async fn assign_roles(&self, caller: &Caller, target: UserId, step: Step) {
        let request = AssignRolesRequest {
            assignee: if step.flag {
                Assignee::Caller
            } else {
                Assignee::User(UserRef::Id(target))
            },
            new_roles: owned(&chosen(&ROLES, step.bits)),
            keep_sessions: step.flag,
            if_revision: None,
            dry_run: false,
        };
        let requester = Requester::Caller(caller);
        let assigned = self
            .core
            .assign_roles
            .execute(requester, request, Origin::default());
        drop(assigned.await);
    }

    async fn write_role(&self, caller: &Caller, step: Step) {
        let request = RoleRequest {
            name: item_at(&ROLES, step.target).to_owned(),
            description: String::new(),
            permissions: owned(&chosen(&PERMISSIONS, step.bits)),
            self_assignable: step.flag,
            precondition: Precondition::None,
            dry_run: false,
        };
        if let Ok(by) = caller.capability() {
            let written = self
                .administration
                .write_role
                .execute(by, request, Origin::default());
            drop(written.await);
        }
    }

    async fn delete_role(&self, caller: &Caller, step: Step) {
        let request = DeleteRoleRequest {
            name: item_at(&ROLES, step.target).to_owned(),
            if_revision: None,
            dry_run: false,
        };
        if let Ok(by) = caller.capability() {
            let deleted = self
                .administration
                .delete_role
                .execute(by, request, Origin::default());
            drop(deleted.await);
        }
    }

    /// Resets the password, after which the caller controls the account.
    async fn reset_password(&mut self, caller: &Caller, target: UserId) {
        let Ok(by) = caller.capability() else {
            return;
        };
        let reset = self
            .administration
            .reset_password
            .execute(by, request(target), None);
        if reset.await.is_ok() {
            self.colluders.control(target);
        }
    }

    async fn set_status(&self, caller: &Caller, target: UserId, step: Step) {
        let status = if step.flag {
            UserStatus::Active
        } else {
            UserStatus::Disabled
        };
        if let Ok(by) = caller.capability() {
            let set = self
                .administration
                .set_status
                .execute(by, request(target), status);
            drop(set.await);
        }
    }

    async fn delete_user(&self, caller: &Caller, target: UserId) {
        if let Ok(by) = caller.capability() {
            drop(self.administration.delete_user.execute(by, request(target)).await);
        }
    }

    async fn revoke_sessions(&self, caller: &Caller, target: UserId) {
        if let Ok(by) = caller.capability() {
            let (user, sessions) = (UserRef::Id(target), &self.administration.user_sessions);
            drop(sessions.end(by, &user, Origin::default()).await);
        }
    }
}

/// Returns the use cases over `storage`, with a clock at second 10.
fn use_cases(storage: &Storage) -> (Core, Administration) {
    let fakes = Fakes {
        clock: Arc::new(FixedClock::new(at(10))),
        ..Fakes::default()
    };
    let core = Core::new(fakes.ports_over(storage.clone()), &Fakes::rules());
    let ports = fakes.administration_ports_over(storage.clone());
    let administration = Administration::new(ports, Fakes::administration_rules());
    (core, administration)
}

fn request(target: UserId) -> ChangeRequest {
    ChangeRequest {
        user: UserRef::Id(target),
        if_revision: None,
        origin: Origin::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ESCALATIONS, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_escalates_privileges(start in start(), steps in vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the runtime can be built");
        runtime.block_on(async {
            let (storage, _guard) = fresh().await;
            let mut world = World::new(storage, &start).await;
            for step in steps {
                world.take(step).await;
                world.colluders.assert_within_the_bound(step).await;
            }
        });
    }
}
