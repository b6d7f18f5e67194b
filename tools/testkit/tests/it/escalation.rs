//! Privilege escalation: users who are not administrators collude. They call every use case that
//! changes a user or a role, and never gain a privilege that none of them had at the start: a
//! permission, or a role that is not self-assignable. Neither does any user who takes
//! self-assignable roles.
//!
//! Storage crates run this test over their storage too. The parent module provides `fresh` and the
//! number of sequences to try.

use super::{ESCALATIONS, fresh};
use domain::{
    audit::Origin,
    authority::Requester,
    caller::Caller,
    changes::{ChangeError, OpenSession, RegisterUser, WriteRole},
    core::{Administration, Core},
    revision::Precondition,
    role::{Permission, Permissions, Role, RoleName, RoleNames},
    step_up::StepUp,
    steps::{ChangeRequest, UserRef},
    use_cases::{AssignRolesRequest, Assignee, DeleteRoleRequest, RoleRequest},
    user::{NewUser, User, UserId, UserStatus},
};
use proptest::{collection::vec, prelude::*};
use std::{collections::BTreeMap, sync::Arc};
use testkit::{
    Fakes, FixedClock, Storage,
    fixtures::{a_role, a_session, a_user, an_admin, at, context, identity, role_names},
};

/// The permissions of this service, two to assign a role without having it, and two of the services
/// that use it.
const PERMISSIONS: [&str; 10] = [
    "users:read",
    "users:write",
    "roles:assign",
    "roles:write",
    "sessions:revoke",
    "audit:read",
    "assign:r0",
    "assign:r3",
    "a:x",
    "b:x",
];

/// The first five are created for each run.
const ROLES: [&str; 7] = ["r0", "r1", "r2", "r3", "r4", "user", "admin"];

/// A selection of list items, with one bit for each item.
type Bits = u16;

fn chosen(list: &[&'static str], bits: Bits) -> Vec<&'static str> {
    let is_selected = |(place, _): &(usize, &&str)| bits >> place & 1 == 1;
    let selected = list.iter().enumerate().filter(is_selected);
    selected.map(|(_, name)| *name).collect()
}

/// Returns the item at `number` modulo the length of the list.
fn item_at<T: Copy>(list: &[T], number: usize) -> T {
    let mut around = list.iter().cycle();
    *around.nth(number).expect("the list is not empty")
}

/// The initial state: the permissions of each role and whether it is self-assignable, and the roles
/// of the colluders and of the other users.
#[derive(Clone, Debug)]
struct Start {
    roles: Vec<(Bits, bool)>,
    colluders: Vec<Bits>,
    others: Vec<Bits>,
}

/// One call. Numbers select users and roles, modulo the length of the list.
#[derive(Clone, Copy, Debug)]
struct Step {
    action: u8,
    by: usize,
    /// Whether the caller uses the token of an earlier step.
    with_an_old_token: bool,
    target: usize,
    bits: Bits,
    flag: bool,
}

fn permissions() -> impl Strategy<Value = Bits> {
    prop_oneof![4 => 0..1024_u16, 1 => Just(1023_u16), 1 => Just(0)]
}

fn start() -> impl Strategy<Value = Start> {
    let roles = vec((permissions(), proptest::bool::weighted(0.2)), 5);
    // Colluders lack the seventh role, `admin`.
    (roles, vec(0..64_u16, 1..4), vec(0..128_u16, 1..4)).prop_map(|(roles, colluders, others)| Start {
        roles,
        colluders,
        others,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let who = (0..7_u8, 0..16_usize, any::<bool>(), 0..16_usize);
    (who, permissions(), any::<bool>()).prop_map(|((action, by, with_an_old_token, target), bits, flag)| {
        Step {
            action,
            by,
            with_an_old_token,
            target,
            bits,
            flag,
        }
    })
}

struct World {
    storage: Storage,
    core: Core,
    administration: Administration,
    users: Vec<UserId>,
    /// The colluders, and the users whose passwords they have chosen.
    controlled: Vec<UserId>,
    tokens: BTreeMap<UserId, Caller>,
    /// The privileges that the colluders may gain.
    bound: Privileges,
    /// The privileges that every user may gain by taking self-assignable roles.
    open: Privileges,
}

/// Permissions, and roles that have a meaning for other services.
#[derive(Clone, Debug, Default)]
struct Privileges {
    permissions: Permissions,
    roles: RoleNames,
}

impl Privileges {
    fn of<'a>(roles: impl IntoIterator<Item = &'a Role>) -> Self {
        let mut privileges = Self::default();
        for role in roles {
            privileges.permissions.extend(role.permissions.iter().cloned());
            privileges.roles.insert(role.name.clone());
        }
        privileges
    }

    fn extend(&mut self, other: Self) {
        self.permissions.extend(other.permissions);
        self.roles.extend(other.roles);
    }

    /// Adds the roles that the permissions allow their holder to assign.
    fn with_grants(mut self) -> Self {
        let all = ROLES.into_iter().filter(|name| *name != "admin");
        let names = all.map(|name| RoleName::parse(name).expect("the role name is valid"));
        let is_granted = |name: &RoleName| {
            let granted = Permission::to_assign(name).expect("the name is short");
            self.permissions.contains(&granted)
        };
        let granted: Vec<RoleName> = names.filter(is_granted).collect();
        self.roles.extend(granted);
        self
    }

    fn assert_within(&self, bound: &Self, step: Step) {
        let more: Vec<&Permission> = self.permissions.difference(&bound.permissions).collect();
        assert!(more.is_empty(), "{more:?} by {step:?}");
        let more: Vec<&RoleName> = self.roles.difference(&bound.roles).collect();
        assert!(more.is_empty(), "{more:?} by {step:?}");
    }
}

impl World {
    async fn new(storage: Storage, start: &Start) -> Self {
        let (core, administration) = use_cases(&storage);
        let mut world = Self {
            storage,
            core,
            administration,
            users: Vec::new(),
            controlled: Vec::new(),
            tokens: BTreeMap::new(),
            bound: Privileges::default(),
            open: Privileges::default(),
        };
        for (name, (bits, self_assignable)) in ROLES.into_iter().zip(&start.roles) {
            let role = WriteRole {
                self_assignable: *self_assignable,
                ..a_role(name, &chosen(&PERMISSIONS, *bits))
            };
            let written = world.storage.roles.execute(Arc::new(role), context(at(0)));
            written.await.expect("the role is written");
        }
        world.open = world.self_assignable().await;
        world.bound = world.open.clone();
        world.register(an_admin("root")).await;
        for (turn, bits) in start.others.iter().enumerate() {
            world.register(with_roles(&format!("other{turn}"), *bits)).await;
        }
        for (turn, bits) in start.colluders.iter().enumerate() {
            let colluder = with_roles(&format!("colluder{turn}"), *bits);
            let colluder = world.register(colluder).await;
            world.controlled.push(colluder.id);
            let privileges = world.privileges(&colluder).await;
            world.bound.extend(privileges);
        }
        world.bound = world.bound.with_grants();
        world
    }

    /// Returns what every user may gain by taking roles.
    async fn self_assignable(&self) -> Privileges {
        let catalogue = self.storage.roles.list().await;
        let catalogue = catalogue.expect("storage is available");
        Privileges::of(catalogue.iter().filter(|role| role.self_assignable))
    }

    async fn register(&mut self, new: NewUser) -> User {
        let command = Arc::new(RegisterUser(new));
        let registered = self.storage.accounts.execute(command, context(at(0))).await;
        let user = registered
            .expect("the login is free")
            .into_user()
            .expect("the change is to a user");
        self.users.push(user.id);
        user
    }

    async fn privileges(&self, user: &User) -> Privileges {
        let roles = self.storage.roles.find(&user.roles).await;
        Privileges::of(&roles.expect("storage is available"))
    }

    /// Returns a controlled user with the token of an earlier step, or of a new login if the user
    /// can log in.
    async fn caller(&mut self, step: Step) -> Option<Caller> {
        let id = item_at(&self.controlled, step.by);
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
        let target = item_at(&self.users, step.target);
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
        if reset.await.is_ok() && !self.controlled.contains(&target) {
            self.controlled.push(target);
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

    async fn assert_within_the_bound(&self, step: Step) {
        for id in &self.controlled {
            let user = self
                .storage
                .accounts
                .find(*id)
                .await
                .expect("storage is available");
            let Some(user) = user else {
                continue;
            };
            assert!(!user.roles.contains(&RoleName::ADMIN), "an admin by {step:?}");
            self.privileges(&user).await.assert_within(&self.bound, step);
        }
        self.self_assignable().await.assert_within(&self.open, step);
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

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn with_roles(login: &str, bits: Bits) -> NewUser {
    let names = chosen(&ROLES, bits);
    NewUser {
        roles: role_names(&names),
        ..a_user(login)
    }
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
                world.assert_within_the_bound(step).await;
            }
        });
    }
}
