//! What the tests of privilege escalation share: random roles and calls, and the bound on the
//! privileges that colluding users may gain. The tests differ in how they make the calls: through
//! the use cases, or over HTTP.

use domain::{
    changes::{RegisterUser, WriteRole},
    role::{Permission, Permissions, Role, RoleName, RoleNames},
    user::{NewUser, User, UserId},
};
use proptest::{collection::vec, prelude::*};
use std::sync::Arc;
use testkit::{
    Storage,
    fixtures::{a_role, a_user, an_admin, at, context, role_names},
};

/// The permissions of this service, two to assign a role without having it, and two of the services
/// that use it.
pub const PERMISSIONS: [&str; 10] = [
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
pub const ROLES: [&str; 7] = ["r0", "r1", "r2", "r3", "r4", "user", "admin"];

/// A selection of list items, with one bit for each item.
pub type Bits = u16;

/// Returns the items of the list that the bits select.
pub fn chosen(list: &[&'static str], bits: Bits) -> Vec<&'static str> {
    let is_selected = |(place, _): &(usize, &&str)| bits >> place & 1 == 1;
    let selected = list.iter().enumerate().filter(is_selected);
    selected.map(|(_, name)| *name).collect()
}

/// Returns the item at `number` modulo the length of the list.
pub fn item_at<T: Copy>(list: &[T], number: usize) -> T {
    let mut around = list.iter().cycle();
    *around.nth(number).expect("the list is not empty")
}

/// The initial state: the permissions of each role and whether it is self-assignable, and the roles
/// of the colluders and of the other users.
#[derive(Clone, Debug)]
pub struct Start {
    roles: Vec<(Bits, bool)>,
    colluders: Vec<Bits>,
    others: Vec<Bits>,
}

/// One call. Numbers select users and roles, modulo the length of the list.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub action: u8,
    pub by: usize,
    /// Whether the caller uses the token of an earlier step.
    pub with_an_old_token: bool,
    pub target: usize,
    pub bits: Bits,
    pub flag: bool,
}

fn permissions() -> impl Strategy<Value = Bits> {
    prop_oneof![4 => 0..1024_u16, 1 => Just(1023_u16), 1 => Just(0)]
}

pub fn start() -> impl Strategy<Value = Start> {
    let roles = vec((permissions(), proptest::bool::weighted(0.2)), 5);
    // Colluders lack the seventh role, `admin`.
    (roles, vec(0..64_u16, 1..4), vec(0..128_u16, 1..4)).prop_map(|(roles, colluders, others)| Start {
        roles,
        colluders,
        others,
    })
}

pub fn step() -> impl Strategy<Value = Step> {
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

/// The users of one sequence of calls, and what the colluders among them may gain.
pub struct Colluders {
    storage: Storage,
    pub users: Vec<UserId>,
    /// The colluders, and the users whose passwords they have chosen.
    pub controlled: Vec<UserId>,
    /// The privileges that the colluders may gain.
    pub bound: Privileges,
    /// The privileges that every user may gain by taking self-assignable roles.
    open: Privileges,
}

/// Permissions, and roles that have a meaning for other services.
#[derive(Clone, Debug, Default)]
pub struct Privileges {
    pub permissions: Permissions,
    pub roles: RoleNames,
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

    /// Asserts that `bound` contains all of these.
    pub fn assert_within(&self, bound: &Self, step: Step) {
        let more: Vec<&Permission> = self.permissions.difference(&bound.permissions).collect();
        assert!(more.is_empty(), "{more:?} by {step:?}");
        let more: Vec<&RoleName> = self.roles.difference(&bound.roles).collect();
        assert!(more.is_empty(), "{more:?} by {step:?}");
    }
}

impl Colluders {
    pub async fn new(storage: Storage, start: &Start) -> Self {
        let mut world = Self {
            storage,
            users: Vec::new(),
            controlled: Vec::new(),
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

    /// Adds a user whose password the colluders have chosen.
    pub fn control(&mut self, user: UserId) {
        if !self.controlled.contains(&user) {
            self.controlled.push(user);
        }
    }

    /// Asserts what MUST hold after each step.
    pub async fn assert_within_the_bound(&self, step: Step) {
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
}

pub fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn with_roles(login: &str, bits: Bits) -> NewUser {
    let names = chosen(&ROLES, bits);
    NewUser {
        roles: role_names(&names),
        ..a_user(login)
    }
}
